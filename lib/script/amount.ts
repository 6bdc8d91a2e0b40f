// A number as a script writes it: 1024, 0x2000a, AFMT_U8+AFMT_S16_LE, 100,50 (a level), $delay (what
// was captured), or as a time, 2f or 20ms, which stands for so many bytes of the device in use.

import { valueNamed } from "./names.ts";

/** A time: `f` is the fragment of the device in use. */
export interface Duration {
  readonly count: number;
  readonly unit: "f" | "us" | "ms" | "s";
}

const DURATION = /^(\d+(?:\.\d+)?)(f|us|ms|s)$/;

/** Reads a time such as 3f or 20ms; undefined where it is none. */
export function parseDuration(text: string): Duration | undefined {
  const match = text.match(DURATION);
  return match ? { count: Number(match[1]), unit: match[2] as Duration["unit"] } : undefined;
}

/** A time in milliseconds, given what a fragment takes. */
export function durationMs({ count, unit }: Duration, fragmentMs: () => number): number {
  switch (unit) {
    case "f":
      return count * fragmentMs();
    case "us":
      return count / 1000;
    case "ms":
      return count;
    case "s":
      return count * 1000;
  }
}

/** What a number may depend on. */
export interface Scope {
  /** A captured value; undefined where nothing has that name. */
  captured(name: string): number | undefined;
  /** The bytes of a time. */
  bytesOf(duration: Duration): number;
}

/** For looking at a number before there is a device: every name is captured. */
export const NO_SCOPE: Scope = { captured: () => 0, bytesOf: () => 0 };

const TERM = /([+-]?)([^+-]+)/y;

/**
 * The value of a number.
 *
 * @throws {Error} that says what is wrong with it
 */
export function evaluate(text: string, scope: Scope): number {
  const level = text.match(/^([^,]+),([^,]+)$/);
  if (level) return evaluate(level[1], scope) & 0xff | (evaluate(level[2], scope) & 0xff) << 8;
  let sum = 0;
  let at = 0;
  while (at < text.length) {
    TERM.lastIndex = at;
    const match = TERM.exec(text);
    if (!match) throw new Error(`"${text}" is no number`);
    const [whole, sign, term] = match;
    sum += (sign === "-" ? -1 : 1) * valueOf(term, scope);
    at += whole.length;
  }
  if (at === 0) throw new Error("a number is wanted");
  return sum;
}

function valueOf(term: string, scope: Scope): number {
  if (/^(?:\d+|0x[\da-fA-F]+)$/.test(term)) return Number(term);
  const duration = parseDuration(term);
  if (duration) return scope.bytesOf(duration);
  if (term.startsWith("$")) {
    const value = scope.captured(term.slice(1));
    if (value === undefined) throw new Error(`nothing has been captured as ${term}`);
    return value;
  }
  const value = valueNamed(term);
  if (value === undefined) throw new Error(`"${term}" is no number and no name of one`);
  return value;
}
