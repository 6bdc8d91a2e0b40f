// Where recorded sound comes from: the one interface of every source, the mirror of sink.ts. A source
// makes a stream for each OSS stream that begins to record, and that stream owns the time: it says
// how many frames it has by now.

import type { Client, PcmParameters } from "./sink.ts";

/** An origin of sound. */
export interface Source {
  /**
   * A new stream in the parameters asked for; its clock stands until `start`.
   *
   * @throws {Error} that says what is wrong if the sound cannot be had
   */
  open(parameters: PcmParameters, client: Client): SourceStream;
  /** Lets go of everything. No stream is used after this. */
  close(): void;
}

/** One stream from the source. Times are `performance.now()`'s, in milliseconds. */
export interface SourceStream {
  /** Whether the source gives frames as fast as they are asked for: nobody waits for it. */
  readonly free: boolean;
  /** Sets the clock going: sound is heard from now on. */
  start(nowMs: number): void;
  /** Stands the clock still, and forgets what it had. */
  stop(nowMs: number): void;
  /** How many frames there are at this moment. Only a started stream has any. */
  available(nowMs: number): number;
  /** When `available` will be `frames` at least: a time to ask again, not a promise. */
  timeOfAvailable(frames: number, nowMs: number): number;
  /**
   * Puts the next `frames` frames, no more than `available`, at `target`'s start.
   *
   * @throws {Error} if they could not be had
   */
  read(target: Uint8Array<ArrayBuffer>, frames: number, nowMs: number): void;
  /** Passes over the next `frames` frames, no more than `available`: nobody was there to hear. */
  skip(frames: number, nowMs: number): void;
  /** Ends. */
  close(): void;
}
