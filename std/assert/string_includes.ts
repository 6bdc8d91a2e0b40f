// assertStringIncludes: a text holds another.

import { suffix } from "./_message.ts";
import { AssertionError } from "./assertion_error.ts";

/** Throws an {@linkcode AssertionError} unless `expected` is a part of `actual`. */
export function assertStringIncludes(actual: string, expected: string, msg?: string) {
  if (actual.includes(expected)) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to contain: "${expected}"${suffix(msg)}`,
  );
}
