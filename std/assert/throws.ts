// assertThrows: a function throws.

import { expectedError } from "./_error.ts";
import { suffix } from "./_message.ts";
import { AssertionError } from "./assertion_error.ts";
import type { ErrorClass } from "./is_error.ts";

/**
 * Calls `fn` and returns what it throws. Throws an {@linkcode AssertionError} if it throws nothing,
 * or, where a class is given, anything but an instance of it whose message holds `msgIncludes`.
 */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  classOrMsg?: ErrorClass<E> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  const [ErrorClass, text] = typeof classOrMsg === "string"
    ? [undefined, classOrMsg]
    : [classOrMsg, msg];
  try {
    fn();
  } catch (error) {
    return expectedError(error, "thrown", ErrorClass, msgIncludes, text);
  }
  throw new AssertionError(`Expected function to throw${suffix(text)}`);
}
