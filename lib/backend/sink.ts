// Where sound goes: the one interface of every back end. A sink makes a stream for each OSS stream
// that begins to play, and that stream owns the time: it says how many frames it takes by now.

import type { SampleFormat } from "../pcm/format.ts";

/** What a stream's bytes are. */
export interface PcmParameters {
  readonly format: SampleFormat;
  readonly rateHz: number;
  readonly channels: number;
  /** Bytes of one of the program's fragments and of all, where there are fragments. */
  readonly fragmentBytes?: number;
  readonly bufferBytes?: number;
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
   * @param level where the destination keeps a volume for the stream, what that begins with; undefined
   *   for the destination's own choice
   * @throws {SystemError} if the destination cannot take it
   */
  open(parameters: PcmParameters, client: Client, level?: number): SinkStream;
  /** Completes what was written. No stream is used after this. */
  close(): void;
}

/** A stream's volume that its destination keeps, and that may be moved there too. Levels are lib/pcm's. */
export interface StreamVolume {
  /** Moves it. */
  set(level: number): void;
  /** What it has been moved to there, if it has been since this was last asked. */
  take(): number | undefined;
}

/** One stream's way to the sink. Times are `performance.now()`'s, in milliseconds. */
export interface SinkStream {
  /** Whether the sink takes frames as fast as they come: it cannot run dry. */
  readonly free: boolean;
  /** Its volume, where the destination keeps it: then what is written has not been scaled by it. */
  readonly volume?: StreamVolume;
  /** Sets the clock going. */
  start(nowMs: number): void;
  /** Stands the clock still: the stream has run dry, or was reset. What was taken is heard all the same. */
  stop(nowMs: number): void;
  /** What was taken and is not heard yet is not to be heard. */
  discard(nowMs: number): void;
  /**
   * How many of the frames that were taken are not heard yet; less than 0 when the time of the last of
   * them is over.
   */
  delay(nowMs: number): number;
  /**
   * Frames that the sink wants to have before they are to be heard: a server, for what is on its way;
   * 0 for one that keeps what it takes.
   */
  readonly leadFrames: number;
  /**
   * How many frames the sink takes at this moment. Only a started stream takes any.
   *
   * @param aheadFrames it takes so many before its own time has come for them, if time is its only limit
   */
  room(nowMs: number, aheadFrames: number): number;
  /** When to ask again for a room of `frames`: it may still be less then. */
  timeOfRoom(frames: number, nowMs: number, aheadFrames: number): number;
  /**
   * Takes `frames` whole frames, no more than `room`, from `bytes`' start; valid during the call.
   *
   * @throws {SystemError} if they, or others before, could not be kept
   */
  write(bytes: Uint8Array<ArrayBuffer>, frames: number, nowMs: number): void;
  /**
   * How many of the frames that were taken are still on their way to where the sink keeps them: a disk
   * may be slow. Their time goes on all the same.
   *
   * @throws {SystemError} if they could not be kept
   */
  unkeptFrames(): number;
  /** Completes what was written and ends. */
  close(): void;
}
