// One ioctl of the OSS API as a row of a table, and the usual shapes of rows.

import { EINVAL } from "../../ffi/libc.ts";
import type { Struct, StructDescription } from "../struct.ts";

/** A call's way to say: make me again when the playback has drained. No errno is this large. */
export const WAIT = -0x10000;

/**
 * What the values of an int are called in soundcard.h: it is one of them ("one"), or the sum of some
 * ("flags"); or it is a mixer's level, percent left and in the next byte percent right ("level").
 */
export type Values =
  | { readonly kind: "one" | "flags"; readonly names: Readonly<Record<string, number>> }
  | { readonly kind: "level" };

/** An int that is one of these. */
export function oneOf(names: Record<string, number>): Values {
  return { kind: "one", names };
}

/** An int that is a sum of some of these. */
export function flags(names: Record<string, number>): Values {
  return { kind: "flags", names };
}

/** An int that is a mixer's level. */
export const LEVEL: Values = { kind: "level" };

/** What is to be told of a call, beside how it is made. */
export interface Notes {
  /** What it does, on one line, for docs/api.md. */
  readonly about: string;
  /** What the values of an int argument are called. */
  readonly values?: Values;
  /** What of its result depends on the time: "value", an int's, or fields of its struct. */
  readonly timed?: readonly string[];
  /**
   * Whose call it is, of those with the same name and another struct, and so another number: not the
   * one that a program gets which is compiled for 64 bits on Linux today.
   */
  readonly variant?: string;
  /** How the kernel's own OSS (snd-pcm-oss, snd-mixer-oss) answers, where it is not as we do. */
  readonly kernel?: string;
  /** How osspd answers, where it is not as we do. */
  readonly osspd?: string;
  /** How OSS 4 answers, where it is not as we do. */
  readonly oss4?: string;
}

/** One ioctl. */
export interface Call<Target> extends Notes {
  /** Its name in soundcard.h. */
  readonly name: string;
  /** The ioctl number, which holds the argument's size and direction. */
  readonly command: number;
  /** What the argument points to. */
  readonly argument: "none" | "int" | StructDescription;
  /** The errno that is all it ever answers. */
  readonly refusal?: number;
  /**
   * Makes the call.
   *
   * @param argument what the caller passed, and on success what the caller gets
   * @returns the ioctl's result (0 or more), -errno, or `WAIT`
   */
  run(target: Target, argument: DataView): number;
}

/** A call without an argument. */
export function none<T>(
  name: string,
  command: number,
  notes: Notes,
  run: (target: T) => number | void,
): Call<T> {
  return { ...notes, name, command, argument: "none", run: (target) => run(target) ?? 0 };
}

/** A call with an int both ways or one way: `run` returns the int to give back, or -errno, or WAIT. */
export function int<T>(
  name: string,
  command: number,
  notes: Notes,
  run: (target: T, value: number) => number,
): Call<T> {
  return {
    ...notes,
    name,
    command,
    argument: "int",
    run(target, argument) {
      const value = run(target, argument.getInt32(0, true));
      if (value < 0) return value;
      argument.setInt32(0, value, true);
      return 0;
    },
  };
}

/** A call that fills a struct, which comes zeroed; `run` may return -errno. */
export function fill<T>(
  name: string,
  command: number,
  argument: StructDescription,
  notes: Notes,
  run: (target: T, argument: DataView) => number | void,
): Call<T> {
  return { ...notes, name, command, argument, run: (target, view) => run(target, view) ?? 0 };
}

/** A call that cannot mean anything here. */
export function refused<T>(
  name: string,
  command: number,
  argument: Call<T>["argument"],
  notes: Notes,
  errno = EINVAL,
): Call<T> {
  return { ...notes, name, command, argument, refusal: errno, run: () => -errno };
}

/** A call's rows, one for each layout of its struct: of 64-bit programs, and of 32-bit ones. */
export function inLayouts<T, F extends string>(
  usual: Struct<F>,
  other: Struct<F>,
  rows: (layout: Struct<F>, variant?: string) => Call<T>[],
): Call<T>[] {
  return [...rows(usual), ...rows(other, "32-bit")];
}
