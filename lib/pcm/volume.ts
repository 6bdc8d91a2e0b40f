// Volume: levels in percent, the gain that they come to, and gain laid on samples in whatever format
// they are.
//
// A level is one number, so that two threads can share it: percent left, percent right in the next
// byte, as OSS has it, and one bit more if it is muted.

import type { SampleFormat } from "./format.ts";

/** A level of 0 to 100 percent as a linear gain: its cube, as PulseAudio's software volume has it. */
export function gainOfPercent(percent: number): number {
  return (percent / 100) ** 3;
}

/** The bit of a level that is muted. */
export const LEVEL_MUTED = 1 << 16;

/** The level of 100 percent on both sides. */
export const FULL_LEVEL = 100 | 100 << 8;

/** The linear gains of the two sides of a stream. */
export interface Gain {
  left: number;
  right: number;
}

/** Makes `gain` what a level comes to. */
export function setGain(gain: Gain, level: number): void {
  const isMuted = (level & LEVEL_MUTED) !== 0;
  gain.left = isMuted ? 0 : gainOfPercent(level & 0xff);
  gain.right = isMuted ? 0 : gainOfPercent(level >>> 8 & 0xff);
}

/**
 * Multiplies interleaved samples in place.
 *
 * @param count of the samples, from the start on
 * @param left the gain of the even channels, and with `right` in the mean of a mono stream
 * @param right the gain of the odd channels
 */
export function scale(
  samples: Float64Array,
  count: number,
  channels: number,
  left: number,
  right: number,
): void {
  if (left === 1 && right === 1) return;
  const even = channels === 1 ? (left + right) / 2 : left;
  for (let frame = 0; frame < count; frame += channels) {
    for (let channel = 0; channel < channels; channel++) {
      samples[frame + channel] *= (channel & 1) === 0 ? even : right;
    }
  }
}

let scratch = new Float64Array(0);

/**
 * Multiplies interleaved samples of a format in place, as `scale` does. Gains of 1 leave every bit as
 * it is.
 *
 * @param start the first byte of the first frame
 * @param length bytes of whole frames
 */
export function applyGain(
  format: SampleFormat,
  bytes: Uint8Array,
  start: number,
  length: number,
  channels: number,
  left: number,
  right: number,
): void {
  if (left === 1 && right === 1) return;
  const samples = length / format.bytes;
  if (scratch.length < samples) scratch = new Float64Array(samples);
  format.decode(bytes, start, scratch, 0, samples);
  scale(scratch, samples, channels, left, right);
  format.encode(scratch, 0, bytes, start, samples);
}
