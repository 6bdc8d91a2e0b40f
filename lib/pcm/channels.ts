// Channel maps: a stream of so many channels for a sink of so many others.

// What a channel that the sink lacks adds to the front: 3 dB less than it was.
const FOLD = Math.SQRT1_2;

/**
 * Maps interleaved frames from one number of channels to another. Mono goes to the two front
 * channels, and any number to mono as its mean; otherwise channels that both have are copied, those
 * that only the target has are silent, and those that only the source has are folded into the front:
 * even ones left, odd ones right.
 */
export function mapChannels(
  source: Float64Array,
  from: number,
  target: Float64Array,
  to: number,
  frames: number,
): void {
  if (from === to) {
    for (let i = 0; i < frames * to; i++) target[i] = source[i];
    return;
  }
  for (let frame = 0; frame < frames; frame++) {
    const input = frame * from;
    const output = frame * to;
    if (to === 1) {
      let sum = 0;
      for (let i = 0; i < from; i++) sum += source[input + i];
      target[output] = sum / from;
    } else if (from === 1) {
      for (let i = 0; i < to; i++) target[output + i] = i < 2 ? source[input] : 0;
    } else {
      for (let i = 0; i < to; i++) target[output + i] = i < from ? source[input + i] : 0;
      for (let i = to; i < from; i++) target[output + i % 2] += FOLD * source[input + i];
    }
  }
}
