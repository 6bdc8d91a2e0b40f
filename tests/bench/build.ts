// The C programs of the bench, compiled where it runs.

const SOURCES = ["fuse_server", "client", "load"] as const;

/** Paths of the compiled programs. */
export type Programs = Readonly<Record<typeof SOURCES[number], string>>;

/** Compiles the programs into a folder. */
export async function build(folder: string): Promise<Programs> {
  const paths = Object.fromEntries(SOURCES.map((name) => [name, `${folder}/${name}`]));
  await Promise.all(SOURCES.map(async (name) => {
    const source = `${import.meta.dirname}/${name}.c`;
    const { success, stderr } = await new Deno.Command("cc", {
      args: ["-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-o", paths[name], source],
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
  }));
  return paths as Programs;
}
