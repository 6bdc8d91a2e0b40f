// assertAlmostEquals: two numbers are close.

import { suffix } from "./_message.ts";
import { AssertionError } from "./assertion_error.ts";

const RELATIVE_TOLERANCE = 1e-7;

/**
 * Throws an {@linkcode AssertionError} if the numbers differ by more than `tolerance`, by default
 * a ten-millionth of `expected` (1e-7 where `expected` is not finite). NaN is close to NaN only.
 */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance = Number.isFinite(expected)
    ? Math.abs(expected) * RELATIVE_TOLERANCE
    : RELATIVE_TOLERANCE,
  msg?: string,
) {
  if (Object.is(actual, expected)) return;
  const delta = Math.abs(expected - actual);
  if (delta <= tolerance) return;
  const show = (n: number) => Number.isInteger(n) ? n : n.toExponential();
  throw new AssertionError(
    `Expected actual: "${show(actual)}" to be close to "${show(expected)}": ` +
      `delta "${show(delta)}" is greater than "${show(tolerance)}"${suffix(msg)}`,
  );
}
