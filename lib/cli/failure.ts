// How a subcommand ends when it cannot do what it was asked to: one line, and an exit status.

/** Exit statuses besides a command's own (sysexits.h). */
export const EX_USAGE = 64;
export const EX_UNAVAILABLE = 69;
export const EX_SOFTWARE = 70;
/** What shells say for a command that cannot be found. */
export const NOT_FOUND = 127;

/** An error that the user can do something about: `ossp: WHAT: WHY (MEND)`. */
export class Failure extends Error {
  override name = "Failure";

  constructor(readonly status: number, message: string) {
    super(message);
  }
}

/** A command line that makes no sense. */
export function usage(subcommand: string, why: string): Failure {
  return new Failure(EX_USAGE, `${subcommand}: ${why} (see ossp ${subcommand} --help)`);
}

/** A thing that is needed and not there. */
export function unavailable(what: string, why: string, mend: string): Failure {
  return new Failure(EX_UNAVAILABLE, `${what}: ${why} (${mend})`);
}
