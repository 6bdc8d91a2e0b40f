// assert: a condition holds.

import { AssertionError } from "./assertion_error.ts";

/** Throws an {@linkcode AssertionError} with `msg` unless `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}
