// assertRejects: a promise is rejected.

import { expectedError } from "./_error.ts";
import { suffix } from "./_message.ts";
import { AssertionError } from "./assertion_error.ts";
import type { ErrorClass } from "./is_error.ts";

/**
 * Calls `fn` and resolves to the reason of its promise's rejection. Rejects with an
 * {@linkcode AssertionError} if `fn` itself throws or returns no promise, if the promise is
 * fulfilled, or, where a class is given, if the reason is anything but an instance of it whose
 * message holds `msgIncludes`.
 */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  classOrMsg?: ErrorClass<E> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  const [ErrorClass, text] = typeof classOrMsg === "string"
    ? [undefined, classOrMsg]
    : [classOrMsg, msg];
  let promise: PromiseLike<unknown> | undefined;
  try {
    promise = fn();
  } catch {
    promise = undefined;
  }
  if (typeof promise?.then !== "function") {
    throw new AssertionError(`Function throws when expected to reject${suffix(text)}`);
  }
  try {
    await promise;
  } catch (error) {
    return expectedError(error, "rejected", ErrorClass, msgIncludes, text);
  }
  throw new AssertionError(`Expected function to reject${suffix(text)}`);
}
