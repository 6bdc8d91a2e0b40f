// A sink's specification as `--sink` has it, e.g. "wav:take-%n.wav".

import type { ClockKind } from "../pcm/clock.ts";

/** The kinds of sink, and what each does, for the command line's help. */
export const SINK_KINDS = {
  null: "play to nobody",
  wav: "write WAV files",
  raw: "write bare samples",
} as const;

/** Where sound goes. */
export interface SinkSpec {
  readonly kind: keyof typeof SINK_KINDS;
  /** The path of wav and raw; with %n, %p or %c a file for each stream. */
  readonly path: string;
  /** How null, wav and raw keep time. */
  readonly clock: ClockKind;
  /** The `SampleFormat` name, rate and channels of a file that all streams share. */
  readonly format: string;
  readonly rateHz: number;
  readonly channels: number;
}

/**
 * The kind and path of a specification: null, wav:PATH or raw:PATH.
 *
 * @throws {Error} that says what is wrong with it
 */
export function parseSink(text: string): Pick<SinkSpec, "kind" | "path"> {
  const colon = text.indexOf(":");
  const kind = colon < 0 ? text : text.slice(0, colon);
  const path = colon < 0 ? "" : text.slice(colon + 1);
  if (kind === "null" && colon < 0) return { kind, path };
  if ((kind === "wav" || kind === "raw") && path !== "") return { kind, path };
  throw new Error(`no sink "${text}": one of null, wav:PATH, raw:PATH is wanted`);
}
