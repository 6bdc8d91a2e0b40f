// The signals that scripts write and look for, in a device's own format: any part of each can be made
// without what comes before.

import type { SampleFormat } from "../pcm/format.ts";
import type { Signal } from "./statement.ts";

/** What the samples are. */
export interface SampleParameters {
  readonly format: SampleFormat;
  readonly rateHz: number;
  readonly channels: number;
}

/** As `--source tone:440` has it. */
export const TONE_HZ = 440;
const TONE_AMPLITUDE = 0.5;

/** @returns the bytes from `position` to `position + length` of an endless signal */
export function makeSamples(
  signal: Signal,
  parameters: SampleParameters,
  position: number,
  length: number,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  switch (signal) {
    case "zeros":
      parameters.format.silence(bytes, 0, length);
      return bytes;
    case "ramp":
      for (let i = 0; i < length; i++) bytes[i] = position + i;
      return bytes;
    case "noise":
      for (let i = 0; i < length; i++) bytes[i] = scattered(position + i);
      return bytes;
    case "tone":
      return tone(parameters, position, length);
  }
}

/** A byte that looks random: the last step of MurmurHash3 on its place. */
function scattered(place: number): number {
  let hash = Math.imul(place ^ place >>> 16, 0x85ebca6b);
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
  return hash >>> 24;
}

function tone(
  { format, rateHz, channels }: SampleParameters,
  position: number,
  length: number,
): Uint8Array<ArrayBuffer> {
  const frameBytes = format.bytes * channels;
  const first = Math.floor(position / frameBytes);
  const last = Math.ceil((position + length) / frameBytes);
  const samples = new Float64Array((last - first) * channels);
  for (let frame = first, at = 0; frame < last; frame++) {
    const sample = TONE_AMPLITUDE * Math.sin(2 * Math.PI * (frame * TONE_HZ / rateHz % 1));
    for (let channel = 0; channel < channels; channel++) samples[at++] = sample;
  }
  const bytes = new Uint8Array(samples.length * format.bytes);
  format.encode(samples, 0, bytes, 0, samples.length);
  const start = position - first * frameBytes;
  return bytes.subarray(start, start + length);
}

/**
 * Where in a signal some bytes are: at `position`, at its start, or anywhere in the second after it,
 * for a recording may have begun anew or lost some.
 *
 * @returns a position, -1 if nowhere
 */
export function findSamples(
  signal: Signal,
  parameters: SampleParameters,
  position: number,
  bytes: Uint8Array,
): number {
  const begins = (at: number, length: number) => {
    const part = makeSamples(signal, parameters, at, length);
    return part.every((byte, i) => byte === bytes[i]);
  };
  for (const at of [position, 0]) if (begins(at, bytes.length)) return at;
  if (signal === "zeros") return -1;
  const { format, rateHz, channels } = parameters;
  const frameBytes = format.bytes * channels;
  const probe = Math.min(bytes.length, 16 * frameBytes);
  const second = makeSamples(signal, parameters, 0, rateHz * frameBytes + probe);
  for (let at = 0; at < rateHz * frameBytes; at += frameBytes) {
    let same = 0;
    while (same < probe && second[at + same] === bytes[same]) same++;
    if (same === probe && begins(at, bytes.length)) return at;
  }
  return -1;
}
