// One ioctl of the OSS API as a row of a table, and the usual shapes of rows.

import { EINVAL } from "../../ffi/libc.ts";
import type { StructDescription } from "../struct.ts";

/** A call's way to say: make me again when the playback has drained. No errno is this large. */
export const WAIT = -0x10000;

/** One ioctl. */
export interface Call<Target> {
  /** Its name in soundcard.h. */
  readonly name: string;
  /** The ioctl number, which holds the argument's size and direction. */
  readonly command: number;
  /** What the argument points to. */
  readonly argument: "none" | "int" | StructDescription;
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
  run: (target: T) => number | void,
): Call<T> {
  return {
    name,
    command,
    argument: "none",
    run: (target) => run(target) ?? 0,
  };
}

/** A call with an int both ways or one way: `run` returns the int to give back, or -errno, or WAIT. */
export function int<T>(
  name: string,
  command: number,
  run: (target: T, value: number) => number,
): Call<T> {
  return {
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

/** A call that fills a struct; it comes zeroed. */
export function fill<T>(
  name: string,
  command: number,
  argument: StructDescription,
  run: (target: T, argument: DataView) => void,
): Call<T> {
  return {
    name,
    command,
    argument,
    run(target, view) {
      run(target, view);
      return 0;
    },
  };
}

/** A call that cannot mean anything here. */
export function refused<T>(name: string, command: number, argument: StructDescription): Call<T> {
  return { name, command, argument, run: () => -EINVAL };
}
