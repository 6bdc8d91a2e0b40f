// fail: this line must not be reached.

import { suffix } from "./_message.ts";
import { AssertionError } from "./assertion_error.ts";

/** Throws an {@linkcode AssertionError} always. */
export function fail(msg?: string): never {
  throw new AssertionError(`Failed assertion${suffix(msg)}`);
}
