// How this program starts itself again: from its sources, from its bundle, or as one binary.

/** The words that run this program; a subcommand follows. */
export function selfCommand(): string[] {
  if (Deno.build.standalone) return [Deno.execPath()];
  return [Deno.execPath(), "run", "--allow-all", "--no-lock", "--quiet", Deno.mainModule];
}
