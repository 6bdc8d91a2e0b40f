// The C programs of the bench, compiled where it runs.

const SOURCES = ["fuse_server", "client", "load"] as const;

/** Paths of the compiled programs. */
export type Programs = Readonly<Record<typeof SOURCES[number], string>>;

/**
 * Compiles NAME.c into a folder.
 *
 * @param words what the compiler is told beside
 * @returns the program's path
 */
export async function compile(
  name: string,
  folder: string,
  ...words: string[]
): Promise<string> {
  const program = `${folder}/${name}`;
  const source = `${import.meta.dirname}/${name}.c`;
  const { success, stderr } = await new Deno.Command("cc", {
    args: [
      ...["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread"],
      ...["-o", program, source, ...words],
    ],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return program;
}

/** Compiles the programs of the parts that have no file of their own into a folder. */
export async function build(folder: string): Promise<Programs> {
  const paths = await Promise.all(SOURCES.map((name) => compile(name, folder)));
  return Object.fromEntries(SOURCES.map((name, i) => [name, paths[i]])) as Programs;
}
