// ossp: OSS devices from user space. Finds the subcommand and runs it.

import { DOCTOR } from "./lib/cli/doctor.ts";
import { EX_SOFTWARE, EX_USAGE, Failure } from "./lib/cli/failure.ts";
import type { Subcommand } from "./lib/cli/options.ts";
import { MIXER } from "./lib/cli/mixer.ts";
import { PLAY } from "./lib/cli/play.ts";
import { RECORD } from "./lib/cli/record.ts";
import { RUN } from "./lib/cli/run.ts";
import { SCRIPT } from "./lib/cli/script.ts";
import { STATUS } from "./lib/cli/status.ts";
import { TRACE } from "./lib/cli/trace.ts";
import { VERSION } from "./lib/version.ts";

const SUBCOMMANDS: readonly Subcommand[] = [
  RUN,
  PLAY,
  RECORD,
  MIXER,
  STATUS,
  SCRIPT,
  TRACE,
  DOCTOR,
];

function help(): string {
  const width = Math.max(...SUBCOMMANDS.map(({ name, operands }) => name.length + operands.length));
  return [
    "Usage: ossp SUBCOMMAND ...",
    "",
    "OSS devices (/dev/dsp, /dev/mixer) from user space.",
    "",
    ...SUBCOMMANDS.map(({ name, operands, about }) =>
      `  ${`${name} ${operands}`.padEnd(width + 3)}${about.split(/[.:] ?/)[0]}`
    ),
    "",
    "ossp SUBCOMMAND --help says more. ossp --version prints the version.",
  ].join("\n");
}

async function main(args: string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === "--version") {
    console.log(`ossp ${VERSION}`);
    return 0;
  }
  if (name === "--help" || name === "help") {
    console.log(help());
    return 0;
  }
  const subcommand = SUBCOMMANDS.find((candidate) => candidate.name === name);
  if (!subcommand) {
    console.error(
      name === undefined ? help() : `ossp: ${name}: no such subcommand (see ossp --help)`,
    );
    return EX_USAGE;
  }
  try {
    return await subcommand.run(rest);
  } catch (error) {
    const message = error instanceof Failure ? error.message : (error as Error).stack ?? error;
    console.error(`ossp: ${message}`);
    return error instanceof Failure ? error.status : EX_SOFTWARE;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
