// What a thread drives: a sound server, or the way to one, with the streams that it plays and records.

import type { SampleFormat } from "../pcm/format.ts";
import type { ResamplerQuality } from "../pcm/resample.ts";
import type { StreamLink } from "./link.ts";
import type { AsideLine, Finding, FoundKind } from "./orders.ts";

/** An OSS stream that goes to a server or comes from it. */
export interface ServerStream {
  readonly id: number;
  readonly direction: "play" | "record";
  readonly link: StreamLink;
  /** What the link's frames are. */
  readonly format: SampleFormat;
  readonly rateHz: number;
  readonly channels: number;
  /** Bytes of one of the program's fragments and of all, as it knows them when the stream begins. */
  readonly fragmentBytes: number;
  readonly bufferBytes: number;
  /** How it is resampled where that is for us to do. */
  readonly resample: ResamplerQuality;
  /** The program. */
  readonly pid: number;
  readonly command: string;
}

/** What a server tells its user. */
export type ServerLog = (level: "warn" | "info" | "debug", message: string) => void;

/** What a server's thread has others do, since its own may not wait in a library. */
export interface ServerHost {
  /** Starts a thread that opens connections to sndio, or asks a JACK server: the way to it. */
  startAside(serves: AsideLine["serves"]): AsideLine;
  /** Has the default server of a kind looked for. The thread is woken when that is found out. */
  look(kind: FoundKind): void;
  /** What has been found, once; undefined if nothing has. */
  found(): Finding | undefined;
}

/**
 * A sound server as its thread sees it. It may be down, and come and go: whatever it does, a stream that
 * runs is served at its rate, by a clock if need be, and its link says LOST meanwhile.
 */
export interface Server {
  /** A stream begins. */
  add(stream: ServerStream): void;
  /**
   * Does what is due for every stream: moves sound, reports positions, notices that a stream has
   * started, stopped, been flushed or closed, reconnects. A closed stream is played to its end, then
   * forgotten.
   *
   * @param nowMs milliseconds since the epoch, as `Position.atMs` has them
   * @returns after how many milliseconds at most it is to be called again; Infinity for never
   */
  turn(nowMs: number): number;
  /**
   * Sleeps until the server wants something, `wakeFd` can be read, or the time is over; undefined where
   * sleeping on `wakeFd` alone will do.
   */
  wait?(wakeFd: number, ms: number): void;
  /** Lets go of the server. */
  close(): void;
}

/** Milliseconds since the epoch, the same in every thread. */
export function epochMs(): number {
  return performance.timeOrigin + performance.now();
}
