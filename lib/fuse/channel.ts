// A descriptor of /dev/fuse or /dev/cuse and the session behind it: one read is one request.

import {
  close,
  EAGAIN,
  EINTR,
  ENODEV,
  ENOENT,
  ENOTCONN,
  errnoName,
  lastErrno,
  read,
  SystemError,
  write,
} from "../../ffi/libc.ts";
import { REQUEST_BUFFER_BYTES, type Serving, Session } from "./session.ts";

/** What `serve` found: a request, none, or that the connection has ended. */
export type Served = "request" | "nothing" | "end";

// On a single processor, looking for a request keeps the program from making it.
const CAN_SPIN = navigator.hardwareConcurrency > 1;

// How long to look for the next request before going to sleep.
const SPIN_MS = 0.02;

// A request that comes so soon after an answer was made because of it.
const HOT_MS = 0.05;

// After so many requests in a row other descriptors get their turn.
const MAX_BURST = 64;

/** The server's end of a connection to the kernel. */
export class Channel {
  readonly session: Session;
  readonly #request = new Uint8Array(REQUEST_BUFFER_BYTES);
  readonly #view = new DataView(this.#request.buffer);
  #answeredMs = -Infinity;

  /**
   * @param fd a non-blocking descriptor, owned by the channel from here on
   * @param serving what the connection serves
   * @param warn takes one line about a request or an answer that went wrong
   */
  constructor(readonly fd: number, serving: Serving, warn: (message: string) => void) {
    this.session = new Session(serving, {
      warn,
      send(buffer, length) {
        if (write(fd, buffer, length) === length) return;
        const errno = lastErrno();
        // ENOENT: the request was interrupted and is gone. ENODEV, ENOTCONN: so is the connection,
        // which the next read will find.
        if (errno !== ENOENT && errno !== ENODEV && errno !== ENOTCONN) {
          warn(`answer of ${length} bytes: write: ${errnoName(errno)}`);
        }
      },
    });
  }

  /** Reads and serves one request, if there is one. */
  serve(): Served {
    const length = read(this.fd, this.#request, REQUEST_BUFFER_BYTES);
    if (length > 0) {
      this.session.receive(this.#request, this.#view, length);
      return "request";
    }
    if (length === 0) return "end";
    const errno = lastErrno();
    // ENOENT: the request was interrupted while it was being read.
    if (errno === EAGAIN || errno === EINTR || errno === ENOENT) return "nothing";
    if (errno === ENODEV || errno === ENOTCONN) return "end"; // unmounted, or aborted
    throw new SystemError(errno, "read", "FUSE connection");
  }

  /**
   * Serves a request, and those that follow on its heels. A program that makes one call after the
   * other makes the next within microseconds of the answer: looking for it a little longer, where
   * there is a processor to spare, costs less than going to sleep and being woken for it.
   *
   * @param untilMs when something else has to be done, in `performance.now()`'s milliseconds
   * @returns false when the connection has ended
   */
  serveBurst(untilMs: number): boolean {
    let served = this.serve();
    if (!CAN_SPIN) return served !== "end";
    const isHot = performance.now() - this.#answeredMs < HOT_MS;
    for (let i = 0; served === "request" && i < MAX_BURST; i++) {
      this.#answeredMs = performance.now();
      if (!isHot || !this.session.answered) break;
      const giveUpMs = Math.min(untilMs, this.#answeredMs + SPIN_MS);
      do served = this.serve(); while (served === "nothing" && performance.now() < giveUpMs);
    }
    return served !== "end";
  }

  /** Ends the connection: whoever waits in the kernel gets an error. */
  close(): void {
    close(this.fd);
  }
}
