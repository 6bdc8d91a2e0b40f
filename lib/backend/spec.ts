// Where sound goes and where it comes from, as `--sink` and `--source` have it, e.g. "wav:take-%n.wav".

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

/** The kinds of source, how each is written, and what each gives, for the command line's help. */
export const SOURCE_KINDS = {
  silence: { form: "silence", about: "nothing is heard" },
  tone: { form: "tone:HZ", about: "a sine" },
  wav: { form: "wav:PATH", about: "a WAV file, over and over" },
  "wav-once": { form: "wav-once:PATH", about: "a WAV file, then silence" },
  none: { form: "none", about: "there is no recording" },
} as const;

/** Where recorded sound comes from. */
export interface SourceSpec {
  readonly kind: keyof typeof SOURCE_KINDS;
  /** The path of wav and wav-once, else empty. */
  readonly path: string;
  /** Of a tone, else 0. */
  readonly frequencyHz: number;
  /** How it keeps time. */
  readonly clock: ClockKind;
}

/**
 * The kind, path and frequency of a specification. That a file is played once is a kind of its own:
 * an option would mean nothing to the other sources.
 *
 * @throws {Error} that says what is wrong with it
 */
export function parseSource(text: string): Omit<SourceSpec, "clock"> {
  const colon = text.indexOf(":");
  const kind = colon < 0 ? text : text.slice(0, colon);
  const value = colon < 0 ? "" : text.slice(colon + 1);
  if ((kind === "silence" || kind === "none") && colon < 0) {
    return { kind, path: "", frequencyHz: 0 };
  }
  if ((kind === "wav" || kind === "wav-once") && value !== "") {
    return { kind, path: value, frequencyHz: 0 };
  }
  if (kind === "tone" && /^\d+(\.\d+)?$/.test(value)) {
    return { kind, path: "", frequencyHz: Number(value) };
  }
  const forms = Object.values(SOURCE_KINDS).map(({ form }) => form);
  throw new Error(`no source "${text}": one of ${forms.join(", ")} is wanted`);
}
