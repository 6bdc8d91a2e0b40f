// The event loop of the data plane: reads from descriptors, calls whoever is due, never awaits.
// Whatever runs in it must not wait for anything.

import type { FileCalls } from "../../ffi/file_calls.ts";
import type { Schedule } from "../device/schedule.ts";
import type { TurnClock } from "../device/turn_clock.ts";

/** A descriptor that the loop reads from. */
export interface Reader {
  readonly fd: number;
  /** Where the bytes go. */
  readonly buffer: Uint8Array<ArrayBuffer>;
  /** Takes what read(2) returned: a count of bytes, or -errno. */
  onRead(result: number): void;
}

/** Calls readers when something was read, and scheduled things when they are due. */
export interface Loop {
  readonly schedule: Schedule;
  readonly clock: TurnClock;
  /** Reads from a descriptor from now on; it is non-blocking. */
  add(reader: Reader): void;
  /** Reads no more from a descriptor that is still open. */
  remove(reader: Reader): void;
  /** write(2) of `buffer[0, length)`: now or at the end of this turn. Failures go to `onWriteError`. */
  write(fd: number, buffer: Uint8Array<ArrayBuffer>, length: number): void;
  /** Calls that may have to wait, made by other threads; undefined where there is no way. */
  readonly aside?: FileCalls;
  /** Runs until `stop`. */
  run(): void;
  /** Ends `run` at the end of this turn. */
  stop(): void;
  /** Writes what is still to be written, waits for calls aside, and lets go of all descriptors. */
  close(): void;
}

/** Takes the errno of a failed `Loop.write`. */
export type OnWriteError = (errno: number) => void;
