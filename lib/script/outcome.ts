// What came of a statement, and whether it is what was expected.

import { errnoName } from "../../ffi/libc.ts";
import type { Scope } from "./amount.ts";
import { matches, parseMatcher } from "./matcher.ts";
import type { Content, Expectation } from "./statement.ts";

/** What came of a statement: an errno, or else what its kind has. */
export interface Outcome {
  readonly errno?: number;
  /** The int that came back, or the count of bytes. */
  readonly value?: number;
  /** A field of the struct that came back. */
  field?(name: string): number | string;
  /** All of them, for people. */
  readonly shown?: string;
  /** What was read. */
  readonly bytes?: Uint8Array;
  /** What poll(2) said. */
  readonly events?: string;
}

/** A statement that did not do what was expected. */
export interface Mismatch {
  readonly expected: string;
  readonly got: string;
}

/** What an outcome is compared in. */
export interface Comparison {
  readonly scope: Scope;
  capture(name: string, value: number): void;
  /** Says how bytes differ from what is wanted; undefined if they do not. */
  differs(content: Content, bytes: Uint8Array): string | undefined;
}

/** An outcome in one line. */
export function show(outcome: Outcome): string {
  if (outcome.errno !== undefined) return errnoName(outcome.errno);
  if (outcome.events !== undefined) return outcome.events;
  if (outcome.shown !== undefined) return outcome.shown;
  return outcome.value === undefined ? "success" : String(outcome.value);
}

/** How an outcome differs from what was expected; undefined if it does not. */
export function compare(
  expected: Expectation | undefined,
  outcome: Outcome,
  { scope, capture, differs }: Comparison,
): Mismatch | undefined {
  const got = show(outcome);
  const errnos = expected?.errnos ?? [];
  if (outcome.errno !== undefined) {
    if (errnos.includes(errnoName(outcome.errno))) return undefined;
    return { expected: errnos.length > 0 ? errnos.join(" or ") : "success", got };
  }
  if (!expected) return undefined;
  const { value, fields, content, events } = expected;
  const onlyErrno = value === undefined && !fields && !content && events === undefined;
  if (errnos.length > 0 && onlyErrno) return { expected: errnos.join(" or "), got };
  if (events !== undefined && !["*", outcome.events].some((e) => events.split("|").includes(e!))) {
    return { expected: events, got };
  }
  const hold = (matcher: string, actual: number | string): boolean => {
    if (!matches(matcher, actual, scope)) return false;
    const { capture: name } = parseMatcher(matcher);
    if (name !== undefined && typeof actual === "number") capture(name, actual);
    return true;
  };
  if (value !== undefined && !hold(value, outcome.value ?? 0)) return { expected: value, got };
  for (const [name, matcher] of Object.entries(fields ?? {})) {
    const actual = outcome.field!(name);
    if (!hold(matcher, actual)) return { expected: `${name}=${matcher}`, got };
  }
  if (content === undefined || content === "*") return undefined;
  const difference = differs(content, outcome.bytes!);
  return difference === undefined
    ? undefined
    : { expected: "signal" in content ? content.signal : content.file, got: difference };
}
