// The mix bus: the sum of many streams on one time line, saturated only when it leaves as samples.

import type { SampleFormat } from "./format.ts";

/**
 * Sums interleaved frames of one number of channels. Frames are numbered from 0, the bus's first, and
 * leave it in that order.
 */
export class MixBus {
  /** The sum from frame `#start` on; zeros from `#end` on. */
  #sum: Float64Array<ArrayBuffer>;
  #start = 0;
  #end = 0;

  /** @param frames how many it holds before it has to grow */
  constructor(readonly channels: number, frames: number) {
    this.#sum = new Float64Array(frames * channels);
  }

  /** The first frame that has not left. */
  get start(): number {
    return this.#start;
  }

  /** The frame after the last one that anybody has added to. */
  get end(): number {
    return this.#end;
  }

  /**
   * Adds `frames` frames from `samples`' start.
   *
   * @param position the frame that the first of them is added to
   * @throws {RangeError} if that frame has left already
   */
  add(position: number, samples: Float64Array, frames: number): void {
    if (position < this.#start) {
      throw new RangeError(`frame ${position} of the mix has left, which is at ${this.#start}`);
    }
    this.#reserve(position + frames);
    const at = (position - this.#start) * this.channels;
    const count = frames * this.channels;
    for (let i = 0; i < count; i++) this.#sum[at + i] += samples[i];
    this.#end = Math.max(this.#end, position + frames);
  }

  /** Encodes the next `frames` frames to `target`'s start; silence where nobody has added any. */
  take(frames: number, format: SampleFormat, target: Uint8Array): void {
    this.#end = Math.max(this.#end, this.#start + frames);
    this.#reserve(this.#end);
    const count = frames * this.channels;
    const held = (this.#end - this.#start) * this.channels;
    format.encode(this.#sum, 0, target, 0, count);
    this.#sum.copyWithin(0, count, held);
    this.#sum.fill(0, held - count, held);
    this.#start += frames;
  }

  /** Makes room up to the frame `end`. */
  #reserve(end: number): void {
    const count = (end - this.#start) * this.channels;
    if (count <= this.#sum.length) return;
    const grown = new Float64Array(2 * count);
    grown.set(this.#sum);
    this.#sum = grown;
  }
}
