// The deno command that runs this, for its subcommands.

/** What a deno subcommand did. */
export interface DenoOutput {
  /** What went wrong, in one line; undefined if nothing did. */
  failure: string | undefined;
  stdout: Uint8Array;
}

/** Runs `deno ARGS` to its end, without input and colours. */
export async function deno(...args: string[]): Promise<DenoOutput> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  if (success) return { failure: undefined, stdout };
  const [what] = new TextDecoder().decode(stderr).split("\n\nStack backtrace");
  return { failure: `deno ${args[0]}: ${what.trim().replace(/\s+/g, " ")}`, stdout };
}
