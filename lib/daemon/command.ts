// The program that `ossp run -- COMMAND` runs: started, sent the signals that we get, waited for.

import { isTerminalForeground } from "../../ffi/libc.ts";

const FORWARDED: readonly Deno.Signal[] = [
  "SIGINT",
  "SIGTERM",
  "SIGHUP",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
];

// What a terminal sends to everybody in the foreground, the command included.
const FROM_TERMINAL: readonly Deno.Signal[] = ["SIGINT", "SIGQUIT"];

/**
 * Runs a command with this process's standard streams until it ends.
 *
 * @param words the program and its arguments
 * @returns its exit status; 128 and the signal's number if a signal ended it, as shells say it
 */
export async function runCommand(words: readonly string[]): Promise<number> {
  const [program, ...args] = words;
  const child = new Deno.Command(program, {
    args,
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  const handlers = FORWARDED.map((signal) => {
    const handler = () => {
      if (FROM_TERMINAL.includes(signal) && [0, 1, 2].some(isTerminalForeground)) return;
      try {
        child.kill(signal);
      } catch {
        // It has ended already, and its status is on the way.
      }
    };
    Deno.addSignalListener(signal, handler);
    return () => Deno.removeSignalListener(signal, handler);
  });
  const { code } = await child.status;
  for (const remove of handlers) remove();
  return code;
}
