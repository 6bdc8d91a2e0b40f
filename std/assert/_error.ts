// What assertThrows and assertRejects have in common: judging the error that came.

import { suffix } from "./_message.ts";
import { AssertionError } from "./assertion_error.ts";
import { assertIsError, type ErrorClass } from "./is_error.ts";

/**
 * Returns `error` if it is what the caller expects: anything where no class is given, otherwise an
 * instance of it whose message holds `msgIncludes`. `came` says how it arrived.
 */
export function expectedError<E extends Error>(
  error: unknown,
  came: "thrown" | "rejected",
  ErrorClass: ErrorClass<E> | undefined,
  msgIncludes: string | undefined,
  msg: string | undefined,
): unknown {
  if (!ErrorClass) return error;
  if (!(error instanceof Error)) {
    throw new AssertionError(`A non-Error object was ${came}${suffix(msg)}`);
  }
  assertIsError(error, ErrorClass, msgIncludes, msg);
  return error;
}
