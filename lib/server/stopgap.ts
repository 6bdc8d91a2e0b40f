// What serves a stream while its server is not there: a clock. What is played is heard by nobody, what
// is recorded is silence, and the program notices nothing.

import { LinkState } from "./link.ts";
import type { ServerStream } from "./server.ts";

const TURN_MS = 10;

/** Serves one stream by a clock. Times are milliseconds since the epoch. */
export class Stopgap {
  readonly #stream: ServerStream;
  #silence = new Uint8Array(0);
  #startMs = Infinity;
  #served = 0;

  constructor(stream: ServerStream) {
    this.#stream = stream;
  }

  /** The server is there again. */
  leave(): void {
    this.#startMs = Infinity;
  }

  /** Moves what is due; returns when to call again, in milliseconds from now. */
  turn(nowMs: number): number {
    const { link, rateHz, direction } = this.#stream;
    link.state = LinkState.LOST;
    if (!link.running) {
      link.skip(direction === "play" ? link.filled : 0);
      this.#startMs = Infinity;
      return Infinity;
    }
    if (this.#startMs === Infinity) {
      this.#startMs = nowMs;
      this.#served = 0;
    }
    const due = Math.floor((nowMs - this.#startMs) * rateHz / 1000) - this.#served;
    this.#served += due;
    if (direction === "play") {
      link.addLost(link.skip(due));
      link.report({ atMs: nowMs, frames: link.read, delayFrames: 0 });
    } else {
      this.#writeSilence(due);
      link.report({ atMs: nowMs, frames: link.written, delayFrames: 0 });
    }
    return TURN_MS;
  }

  #writeSilence(frames: number): void {
    const { link, format } = this.#stream;
    const bytes = frames * link.frameBytes;
    if (this.#silence.length < bytes) {
      this.#silence = new Uint8Array(bytes);
      format.silence(this.#silence, 0, bytes);
    }
    link.addLost(frames);
    if (link.write(this.#silence, 0, frames) < frames) link.addXrun();
  }
}
