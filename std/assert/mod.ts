// Stands in for jsr:@std/assert where JSR cannot be reached: the assertions that this project uses,
// on top of node:assert and node:util.

import nodeAssert from "node:assert";
import { isDeepStrictEqual } from "node:util";

/** The error of an assertion that does not hold. */
export class AssertionError extends Error {
  override name = "AssertionError";
}

function shown(value: unknown): string {
  return Deno.inspect(value, { depth: 10, iterableLimit: 200, strAbbreviateSize: 10_000 });
}

function check(holds: boolean, message: string, msg?: string): asserts holds {
  if (!holds) throw new AssertionError(msg ? `${message}: ${msg}` : message);
}

// node:assert takes minutes to show how arrays of this length differ.
const LONG = 5000;

function isLong(value: unknown): value is Uint8Array {
  return ArrayBuffer.isView(value) && "length" in value && (value.length as number) > LONG;
}

/** The condition holds. */
export function assert(expr: unknown, msg = ""): asserts expr {
  check(Boolean(expr), "assertion failed", msg);
}

/** The test never comes here. */
export function fail(msg?: string): never {
  throw new AssertionError(msg ?? "failed");
}

/** Both are equal in type and content, all the way down. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (isDeepStrictEqual(actual, expected)) return;
  if (isLong(actual) && isLong(expected)) {
    const at = actual.findIndex((element, i) => !Object.is(element, expected[i]));
    const lengths = `of ${actual.length} and ${expected.length} elements`;
    check(false, `they differ from element ${at < 0 ? actual.length : at} on, ${lengths}`, msg);
  }
  try {
    nodeAssert.deepStrictEqual(actual, expected);
  } catch (error) {
    check(false, (error as Error).message, msg);
  }
}

/** They differ in type or content. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  check(!isDeepStrictEqual(actual, expected), `both are ${shown(actual)}`, msg);
}

/** Both are the same value or object. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  check(Object.is(actual, expected), `${shown(actual)} is not ${shown(expected)}`, msg);
}

/** `actual` is neither null nor undefined. */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  check(actual !== null && actual !== undefined, `it is ${actual}`, msg);
}

/** The numbers differ by `tolerance` at most, a ten-millionth of the expected one by default. */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance = Math.abs(expected) * 1e-7,
  msg?: string,
): void {
  const near = Object.is(actual, expected) || Math.abs(actual - expected) <= tolerance;
  check(near, `${actual} is not within ${tolerance} of ${expected}`, msg);
}

/** actual > expected. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  check(actual > expected, `${shown(actual)} is not greater than ${shown(expected)}`, msg);
}

/** actual >= expected. */
export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void {
  check(actual >= expected, `${shown(actual)} is less than ${shown(expected)}`, msg);
}

/** actual < expected. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  check(actual < expected, `${shown(actual)} is not less than ${shown(expected)}`, msg);
}

/** actual <= expected. */
export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void {
  check(actual <= expected, `${shown(actual)} is greater than ${shown(expected)}`, msg);
}

/** The text matches the pattern. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  check(expected.test(actual), `${shown(actual)} does not match ${expected}`, msg);
}

/** The text holds another. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  check(actual.includes(expected), `${shown(actual)} does not hold ${shown(expected)}`, msg);
}

// deno-lint-ignore no-explicit-any -- the parameters of a constructor are its own affair
type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;

function checkError<E extends Error>(
  error: unknown,
  ErrorClass?: ErrorClass<E>,
  msgIncludes = "",
  msg?: string,
): E {
  if (ErrorClass) {
    check(error instanceof ErrorClass, `${shown(error)} is no ${ErrorClass.name}`, msg);
    assertStringIncludes(error.message, msgIncludes, msg);
  }
  return error as E;
}

/** The function throws; returns what. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass?: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E {
  try {
    fn();
  } catch (error) {
    return checkError(error, ErrorClass, msgIncludes, msg);
  }
  return fail(msg ?? "it does not throw");
}

/** The function's promise is rejected; returns with what. */
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass?: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E> {
  try {
    await fn();
  } catch (error) {
    return checkError(error, ErrorClass, msgIncludes, msg);
  }
  return fail(msg ?? "its promise is not rejected");
}
