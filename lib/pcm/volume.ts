// Volume: percent to gain, and gain laid on samples in whatever format they are.

import type { SampleFormat } from "./format.ts";

/** A level of 0 to 100 percent as a linear gain: its cube, as PulseAudio's software volume has it. */
export function gainOfPercent(percent: number): number {
  return (percent / 100) ** 3;
}

let scratch = new Float64Array(0);

/**
 * Multiplies interleaved samples in place. Gains of 1 leave every bit as it is.
 *
 * @param start the first byte of the first frame
 * @param length bytes of whole frames
 * @param left the gain of the even channels, and with `right` in the mean of a mono stream
 * @param right the gain of the odd channels
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
  const even = channels === 1 ? (left + right) / 2 : left;
  for (let frame = 0; frame < samples; frame += channels) {
    for (let channel = 0; channel < channels; channel++) {
      scratch[frame + channel] *= (channel & 1) === 0 ? even : right;
    }
  }
  format.encode(scratch, 0, bytes, start, samples);
}
