// What a value is compared with: 5, a name, 0..1024, >=1, N~T (N plus or minus T), &MASK (all of
// these bits), !&MASK (none of them), "text*", A|B (one of them), * (anything); with NAME: before it
// the value is captured.

import { evaluate, NO_SCOPE, type Scope } from "./amount.ts";
import { unquote } from "./words.ts";

/** A matcher taken apart. */
export interface Matcher {
  /** The name that the value is captured under. */
  readonly capture?: string;
  /** One of these holds. */
  readonly alternatives: readonly string[];
}

/** Takes a matcher apart. */
export function parseMatcher(text: string): Matcher {
  const [, capture, rest] = text.match(/^([A-Za-z_]\w*):(.+)$/) ?? [];
  return {
    capture,
    alternatives: unquote(text) === undefined ? (rest ?? text).split("|") : [text],
  };
}

/**
 * Looks at a matcher before there is a value.
 *
 * @throws {Error} that says what is wrong with it
 */
export function checkMatcher(text: string): void {
  for (const alternative of parseMatcher(text).alternatives) holds(alternative, 0, NO_SCOPE);
}

/**
 * Whether a value is what a matcher wants.
 *
 * @param value a number, or the text of a field that holds text
 * @throws {Error} if the matcher names something that is not there
 */
export function matches(text: string, value: number | string, scope: Scope): boolean {
  return parseMatcher(text).alternatives.some((alternative) => holds(alternative, value, scope));
}

function holds(wanted: string, value: number | string, scope: Scope): boolean {
  if (wanted === "*") return true;
  const text = unquote(wanted);
  if (text !== undefined) return fits(text, String(value));
  const number = typeof value === "number" ? value : NaN;
  const compared = wanted.match(/^(>=|<=|>|<)(.+)$/);
  if (compared) return compare(compared[1], number, evaluate(compared[2], scope));
  const bits = wanted.match(/^(!?)&(.+)$/);
  if (bits) {
    const mask = evaluate(bits[2], scope);
    return bits[1] ? (number & mask) === 0 : (number & mask) === mask;
  }
  const range = wanted.match(/^(.+?)\.\.(.+)$/);
  if (range) return number >= evaluate(range[1], scope) && number <= evaluate(range[2], scope);
  const near = wanted.match(/^(.+)~(.+)$/);
  if (near) return Math.abs(number - evaluate(near[1], scope)) <= evaluate(near[2], scope);
  const exact = evaluate(wanted, scope);
  // An int of the device may be the same bits with another sign.
  return number === exact || number === (exact | 0) || number === exact >>> 0;
}

function compare(operator: string, value: number, limit: number): boolean {
  if (operator === ">=") return value >= limit;
  if (operator === "<=") return value <= limit;
  return operator === ">" ? value > limit : value < limit;
}

/** Whether `*` in a pattern can stand for what is between the rest; takes time like their lengths. */
function fits(pattern: string, value: string): boolean {
  const [first, ...rest] = pattern.split("*");
  if (rest.length === 0) return value === pattern;
  const last = rest.pop()!;
  if (!value.startsWith(first) || !value.endsWith(last)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = value.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at + last.length <= value.length;
}
