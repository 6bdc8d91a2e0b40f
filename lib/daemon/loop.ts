// The event loop of the data plane: reads from descriptors, calls whoever is due, never awaits.
// Whatever runs in it must not wait for anything.

import type { Schedule } from "../device/schedule.ts";
import type { TurnClock } from "../device/turn_clock.ts";
import { EpollLoop } from "./epoll_loop.ts";
import { UringLoop } from "./uring_loop.ts";

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
  /** Runs until `stop`. */
  run(): void;
  /** Ends `run` at the end of this turn. */
  stop(): void;
  /** Writes what is still to be written, and lets go of all descriptors. */
  close(): void;
}

/** Takes the errno of a failed `Loop.write`. */
export type OnWriteError = (errno: number) => void;

/** A loop on io_uring where the kernel has it, which takes one system call a turn; else on epoll. */
export function createLoop(onWriteError: OnWriteError): Loop {
  return UringLoop.create(onWriteError) ?? new EpollLoop(onWriteError);
}

// How long to look for the next request before going to sleep: a program that makes one call after
// the other makes the next within microseconds of the answer. On a single processor, looking for it
// keeps the program from making it.
const SPIN_MS = navigator.hardwareConcurrency > 1 ? 0.02 : 0;

// What is read so soon after something was written was caused by it.
const HOT_MS = 0.05;

/** Knows whether it pays to look for the next request before going to sleep. */
export class Spinner {
  #wroteMs = -Infinity;
  #wrote = false;
  #hot = false;

  /** Notes that something was written. */
  wrote(): void {
    this.#wrote = true;
  }

  /** Notes that something was read. */
  read(): void {
    if (SPIN_MS > 0) this.#hot = performance.now() - this.#wroteMs < HOT_MS;
  }

  /** Until when to look, in `performance.now()`'s milliseconds; 0 for not at all. */
  untilMs(): number {
    if (SPIN_MS === 0 || !this.#wrote) return 0;
    this.#wrote = false;
    this.#wroteMs = performance.now();
    return this.#hot ? this.#wroteMs + SPIN_MS : 0;
  }
}
