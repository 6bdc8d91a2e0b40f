// Where sound goes: the one interface of every back end. A sink makes a stream for each OSS stream
// that begins to play, and that stream owns the time: it says how many frames it takes by now.

import type { SampleFormat } from "../pcm/format.ts";

/** What a stream's bytes are. */
export interface PcmParameters {
  readonly format: SampleFormat;
  readonly rateHz: number;
  readonly channels: number;
}

/** The program a stream belongs to. */
export interface Client {
  readonly pid: number;
  /** The program's name. */
  readonly command: string;
}

/** A destination of sound. */
export interface Sink {
  /**
   * A new stream; its clock stands until `start`.
   *
   * @throws {SystemError} if the destination cannot take it
   */
  open(parameters: PcmParameters, client: Client): SinkStream;
  /** Completes what was written. No stream is used after this. */
  close(): void;
}

/** One stream's way to the sink. Times are `performance.now()`'s, in milliseconds. */
export interface SinkStream {
  /** Whether the sink takes frames as fast as they come: it cannot run dry. */
  readonly free: boolean;
  /** Sets the clock going. */
  start(nowMs: number): void;
  /** Stands the clock still: the stream has run dry, or was reset. */
  stop(nowMs: number): void;
  /** How many frames the sink takes at this moment. Only a started stream takes any. */
  room(nowMs: number): number;
  /** When `room` will be `frames` at least: a time to ask again, not a promise. */
  timeOfRoom(frames: number, nowMs: number): number;
  /**
   * Takes `frames` whole frames, no more than `room`, from `bytes`' start; valid during the call.
   *
   * @throws {SystemError} if they could not be kept
   */
  write(bytes: Uint8Array<ArrayBuffer>, frames: number, nowMs: number): void;
  /** Completes what was written and ends. */
  close(): void;
}
