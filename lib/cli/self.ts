// How this program starts itself again: from its sources, from its bundle, or as one binary.

/** The words that run this program; a subcommand follows. */
export function selfCommand(): string[] {
  if (Deno.build.standalone) return [Deno.execPath()];
  const bundled = Deno.mainModule.endsWith(".js") ? ["--no-config"] : [];
  return [Deno.execPath(), "run", "--allow-all", "--quiet", ...bundled, Deno.mainModule];
}
