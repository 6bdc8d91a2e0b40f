// How loud samples are: the peak of each channel.

import type { SampleFormat } from "./format.ts";

// Frames are decoded in pieces of so many samples, a number that 1 to 8 channels divide.
const PIECE_SAMPLES = 1680;
const piece = new Float64Array(PIECE_SAMPLES);

/** The greatest magnitude of each channel in the first `length` bytes, whole frames. Full scale is 1. */
export function peaksOf(
  format: SampleFormat,
  channels: number,
  bytes: Uint8Array,
  length: number,
): Float64Array {
  const peaks = new Float64Array(channels);
  const samples = length / format.bytes;
  for (let done = 0; done < samples; done += PIECE_SAMPLES) {
    const count = Math.min(PIECE_SAMPLES, samples - done);
    format.decode(bytes, done * format.bytes, piece, 0, count);
    for (let i = 0; i < count; i++) {
      const magnitude = Math.abs(piece[i]);
      if (magnitude > peaks[i % channels]) peaks[i % channels] = magnitude;
    }
  }
  return peaks;
}
