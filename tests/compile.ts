// C programs that tests and benches run.

import { basename } from "node:path";

/**
 * Compiles a C program.
 *
 * @param source path of the file, relative to this folder
 * @param folder where the program goes, under the file's name without ".c"
 * @param words what the compiler is told beside
 * @returns the path of the program
 * @throws {Error} with what the compiler says; a warning is an error
 */
export async function compile(
  source: string,
  folder: string,
  ...words: string[]
): Promise<string> {
  const path = `${import.meta.dirname}/${source}`;
  const program = `${folder}/${basename(source, ".c")}`;
  const args = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, path, ...words];
  const { success, stderr } = await new Deno.Command("cc", { args }).output();
  if (!success) throw new Error(`cc ${path}: ${new TextDecoder().decode(stderr)}`);
  return program;
}
