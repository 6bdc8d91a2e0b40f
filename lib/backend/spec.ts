// Where sound goes and where it comes from, as `--sink` and `--source` have it, e.g. "wav:take-%n.wav".

import type { ClockKind } from "../pcm/clock.ts";
import type { ResamplerQuality } from "../pcm/resample.ts";
import type { OnLoss } from "./server.ts";
import { SERVER_KINDS, type ServerKind, type ServerSpec } from "../server/orders.ts";

/** The kinds of sink, how each is written, and what each does, for the command line's help. */
export const SINK_KINDS = {
  ...SERVER_KINDS,
  wav: { form: "wav:PATH", about: "WAV files" },
  raw: { form: "raw:PATH", about: "bare samples" },
  null: { form: "null", about: "nobody hears it" },
} as const;

/** Where sound goes. */
export interface SinkSpec {
  readonly kind: keyof typeof SINK_KINDS;
  /** The path of wav and raw; with %n, %p or %c a file for each stream. */
  readonly path: string;
  /** The server, of a kind that is one. */
  readonly server?: ServerSpec;
  /** What programs see while that server is gone. */
  readonly onLoss: OnLoss;
  /** How null, wav and raw keep time. */
  readonly clock: ClockKind;
  /** How what is mixed is resampled. */
  readonly resample: ResamplerQuality;
  /** The `SampleFormat` name, rate and channels of a file that all streams share. */
  readonly format: string;
  readonly rateHz: number;
  readonly channels: number;
}

/**
 * The kind, path and server of a specification.
 *
 * @throws {Error} that says what is wrong with it
 */
export function parseSink(text: string): Pick<SinkSpec, "kind" | "path" | "server"> {
  const { kind, value } = split(text);
  const server = isServerKind(kind) ? serverOf(kind, value) : undefined;
  if (server) return { kind: server.kind, path: "", server };
  if (kind === "null" && value === undefined) return { kind, path: "" };
  if ((kind === "wav" || kind === "raw") && value) return { kind, path: value };
  throw new Error(`no sink "${text}": one of ${formsOf(SINK_KINDS)} is wanted`);
}

function split(text: string): { kind: string; value: string | undefined } {
  const colon = text.indexOf(":");
  if (colon < 0) return { kind: text, value: undefined };
  return { kind: text.slice(0, colon), value: text.slice(colon + 1) };
}

function isServerKind(kind: string): kind is ServerKind {
  return Object.hasOwn(SERVER_KINDS, kind);
}

/** The server that a value names; undefined where the value means nothing to the kind. */
function serverOf(kind: ServerKind, value: string | undefined): ServerSpec | undefined {
  if (kind === "auto" && value !== undefined) return undefined;
  return { kind, name: value ?? "" };
}

function formsOf(kinds: Readonly<Record<string, { readonly form: string }>>): string {
  return Object.values(kinds).map(({ form }) => form).join(", ");
}

/** The kinds of source, how each is written, and what each gives, for the command line's help. */
export const SOURCE_KINDS = {
  ...SERVER_KINDS,
  monitor: { form: "monitor", about: "what is played to the sink" },
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
  /** The server, of a kind that is one. */
  readonly server?: ServerSpec;
  /** What programs see while that server is gone. */
  readonly onLoss: OnLoss;
  /** Of a tone, else 0. */
  readonly frequencyHz: number;
  /** How it keeps time. */
  readonly clock: ClockKind;
  /** How a file is resampled. */
  readonly resample: ResamplerQuality;
}

/**
 * The kind, path and frequency of a specification. That a file is played once is a kind of its own:
 * an option would mean nothing to the other sources.
 *
 * @throws {Error} that says what is wrong with it
 */
export function parseSource(text: string): Omit<SourceSpec, "clock" | "resample" | "onLoss"> {
  const { kind, value } = split(text);
  const server = isServerKind(kind) ? serverOf(kind, value) : undefined;
  if (server) return { kind: server.kind, path: "", frequencyHz: 0, server };
  if ((kind === "silence" || kind === "none" || kind === "monitor") && value === undefined) {
    return { kind, path: "", frequencyHz: 0 };
  }
  if ((kind === "wav" || kind === "wav-once") && value) {
    return { kind, path: value, frequencyHz: 0 };
  }
  if (kind === "tone" && /^\d+(\.\d+)?$/.test(value ?? "")) {
    return { kind, path: "", frequencyHz: Number(value) };
  }
  throw new Error(`no source "${text}": one of ${formsOf(SOURCE_KINDS)} is wanted`);
}
