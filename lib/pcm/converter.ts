// From one rate and number of channels to another, frame by frame, with a queue for what is made.

import { mapChannels } from "./channels.ts";
import { Resampler, type ResamplerQuality } from "./resample.ts";

/** Frames that wait, first come first served; room is made as needed. */
export class FrameQueue {
  #samples = new Float64Array(0);
  #start = 0;
  /** Frames that wait. */
  length = 0;

  constructor(readonly channels: number) {}

  append(samples: Float64Array<ArrayBuffer>, frames: number): void {
    const { channels } = this;
    const end = (this.#start + this.length) * channels;
    if (end + frames * channels > this.#samples.length) {
      const wanted = 2 * (this.length + frames) * channels;
      const to = wanted > this.#samples.length ? new Float64Array(wanted) : this.#samples;
      to.set(this.#samples.subarray(this.#start * channels, end));
      this.#samples = to;
      this.#start = 0;
    }
    this.#samples.set(
      samples.subarray(0, frames * channels),
      (this.#start + this.length) * channels,
    );
    this.length += frames;
  }

  /** The first frames, valid until the next `append`. */
  first(frames: number): Float64Array<ArrayBuffer> {
    const start = this.#start * this.channels;
    return this.#samples.subarray(start, start + frames * this.channels);
  }

  drop(frames: number): void {
    this.#start += frames;
    this.length -= frames;
  }

  clear(): void {
    this.#start = this.length = 0;
  }
}

/** Maps channels, and resamples if the rates differ. */
export class Converter {
  /** What was made and not taken yet. */
  readonly queue: FrameQueue;
  readonly #fromChannels: number;
  readonly #toChannels: number;
  readonly #resampler: Resampler | undefined;
  #mapped = new Float64Array(0);

  /** @param quality of the resampling, where there is any */
  constructor(
    fromHz: number,
    fromChannels: number,
    toHz: number,
    toChannels: number,
    quality: ResamplerQuality,
  ) {
    this.#fromChannels = fromChannels;
    this.#toChannels = toChannels;
    this.queue = new FrameQueue(toChannels);
    if (fromHz !== toHz) this.#resampler = new Resampler(fromHz, toHz, toChannels, quality);
  }

  /** Takes interleaved frames from `samples`' start. */
  put(samples: Float64Array<ArrayBuffer>, frames: number): void {
    if (this.#mapped.length < frames * this.#toChannels) {
      this.#mapped = new Float64Array(frames * this.#toChannels);
    }
    mapChannels(samples, this.#fromChannels, this.#mapped, this.#toChannels, frames);
    const made = this.#resampler ? this.#resampler.process(this.#mapped, frames) : frames;
    this.queue.append(this.#resampler?.output ?? this.#mapped, made);
  }

  /** Frames that were made and not taken, and those that the resampler still holds. */
  get heldFrames(): number {
    return this.queue.length + (this.#resampler?.heldFrames ?? 0);
  }

  /** The sound is over: what the resampler still holds is made too. What follows is another sound. */
  end(): void {
    if (!this.#resampler || this.#resampler.heldFrames === 0) return;
    const made = this.#resampler.flush();
    this.queue.append(this.#resampler.output, made);
  }

  /** Forgets everything: what follows is another sound. */
  clear(): void {
    this.queue.clear();
    this.#resampler?.reset();
  }

  close(): void {
    this.#resampler?.close();
  }
}
