// The C programs of the bench, compiled where it runs.

import { compile as compileC } from "../compile.ts";

const SOURCES = ["fuse_server", "client", "load"] as const;

/** Paths of the compiled programs. */
export type Programs = Readonly<Record<typeof SOURCES[number], string>>;

/** Compiles NAME.c into a folder; `words` are what the compiler is told beside. Returns its path. */
export function compile(name: string, folder: string, ...words: string[]): Promise<string> {
  return compileC(`bench/${name}.c`, folder, "-pthread", ...words);
}

/** Compiles the programs of the parts that have no file of their own into a folder. */
export async function build(folder: string): Promise<Programs> {
  const paths = await Promise.all(SOURCES.map((name) => compile(name, folder)));
  return Object.fromEntries(SOURCES.map((name, i) => [name, paths[i]])) as Programs;
}
