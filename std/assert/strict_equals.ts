// assertStrictEquals: two values are one and the same.

import { diff } from "./_diff.ts";
import { format, suffix } from "./_message.ts";
import { AssertionError } from "./assertion_error.ts";

/**
 * Throws an {@linkcode AssertionError} unless `Object.is(actual, expected)`: objects by identity,
 * NaN equal to itself, 0 and -0 different.
 */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  const text = format(actual);
  throw new AssertionError(
    text === format(expected)
      ? `Values have the same structure but are not reference-equal${suffix(msg)}\n\n${
        text.replace(/^/gm, "    ")
      }\n`
      : `Values are not strictly equal${suffix(msg)}\n${diff(actual, expected)}`,
  );
}
