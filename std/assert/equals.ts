// assertEquals: two values have the same content.

import { diff } from "./_diff.ts";
import { suffix } from "./_message.ts";
import { AssertionError } from "./assertion_error.ts";
import { equal } from "./equal.ts";

/** Throws an {@linkcode AssertionError} that shows the difference unless {@linkcode equal} holds. */
export function assertEquals<T>(actual: T, expected: T, msg?: string) {
  if (equal(actual, expected)) return;
  throw new AssertionError(`Values are not equal${suffix(msg)}\n${diff(actual, expected)}`);
}
