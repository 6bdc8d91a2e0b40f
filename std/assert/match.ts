// assertMatch: a text matches a pattern.

import { suffix } from "./_message.ts";
import { AssertionError } from "./assertion_error.ts";

/** Throws an {@linkcode AssertionError} unless the pattern `expected` is found in `actual`. */
export function assertMatch(actual: string, expected: RegExp, msg?: string) {
  if (expected.test(actual)) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to match: "${expected}"${suffix(msg)}`,
  );
}
