// Resampling of one stream: by libsamplerate where it is installed, else linearly.

import {
  type SampleRate,
  sampleRate,
  SRC_SINC_BEST_QUALITY,
  SRC_SINC_FASTEST,
  SRC_SINC_MEDIUM_QUALITY,
} from "../../ffi/samplerate.ts";
import { setU64, struct } from "../struct.ts";

/** Which converter is wanted: three of libsamplerate's, the better the slower, or the one here. */
export type ResamplerQuality = "best" | "medium" | "fast" | "linear";

/** The qualities, the best first. */
export const QUALITIES: readonly ResamplerQuality[] = ["best", "medium", "fast", "linear"];

/** Its noise is 116 dB down or more, below what 16 bits can hold, at a third of what the best costs. */
export const DEFAULT_QUALITY: ResamplerQuality = "medium";

/** Why a quality cannot be had here: one line with its mend; undefined if it can. */
export function qualityRefusal(quality: ResamplerQuality): string | undefined {
  if (quality === "linear" || sampleRate()) return undefined;
  return "libsamplerate cannot be loaded: resampling is linear (apt-get install libsamplerate0)";
}

const CONVERTER_TYPES = {
  best: SRC_SINC_BEST_QUALITY,
  medium: SRC_SINC_MEDIUM_QUALITY,
  fast: SRC_SINC_FASTEST,
};

// libsamplerate refuses ratios beyond this (SRC_MAX_RATIO in its common.h).
const MAX_RATIO = 256;

// Room beyond what is due: libsamplerate leaves input unread once its output is full.
const SPARE_FRAMES = 1;

const NOTHING = new Float64Array(0);

/** Whether we resample so better than servers do that do it badly. */
export function resamplesWell(quality: ResamplerQuality): boolean {
  return quality !== "linear" && qualityRefusal(quality) === undefined;
}

/**
 * Turns a stream of interleaved frames at one rate into the same sound at another. From n frames it
 * makes floor(n × toHz / fromHz) in all.
 *
 * Without libsamplerate, and for ratios beyond 256 either way, which it refuses, the frames between
 * two others are on the straight line between them: right in time and pitch, but not free of aliases.
 */
export class Resampler {
  /** The frames that `process` and `flush` have made; valid until the next call. */
  output: Float64Array<ArrayBuffer> = new Float64Array(0);

  readonly #engine: Engine;
  /** What the frames taken would make and have not yet, in units of 1/fromHz frames. */
  #owed = 0;

  /**
   * @param fromHz the rate of what `process` is given, a whole number from 1 on
   * @param toHz the rate of `output`, a whole number from 1 on
   * @throws {RangeError} if a rate is none
   */
  constructor(
    readonly fromHz: number,
    readonly toHz: number,
    readonly channels: number,
    quality: ResamplerQuality = DEFAULT_QUALITY,
  ) {
    for (const rateHz of [fromHz, toHz]) {
      if (!Number.isSafeInteger(rateHz) || rateHz < 1) {
        throw new RangeError(`a rate of ${rateHz} Hz: a whole number from 1 on is wanted`);
      }
    }
    const inRange = Math.max(fromHz / toHz, toHz / fromHz) <= MAX_RATIO;
    this.#engine = (quality !== "linear" && inRange &&
      SincEngine.create(toHz / fromHz, channels, CONVERTER_TYPES[quality])) ||
      new LinearEngine(fromHz, toHz, channels);
  }

  /** Frames of `output` that what was taken will make and has not yet: what the converter holds. */
  get heldFrames(): number {
    return this.#owed / this.fromHz;
  }

  /** Which converter is at work: "libsamplerate" or "linear". */
  get converter(): string {
    return this.#engine.name;
  }

  /** Converts `frames` frames into `output`; returns how many came out. */
  process(samples: Float64Array<ArrayBuffer>, frames: number): number {
    this.#owed += frames * this.toHz;
    const most = Math.floor(this.#owed / this.fromHz) + SPARE_FRAMES;
    this.#reserve(most);
    const made = this.#engine.process(samples, frames, this.output, most, false);
    this.#owed -= made * this.fromHz;
    return made;
  }

  /**
   * The end of the sound: puts what the converter still holds into `output`, and makes it ready for
   * another sound; returns how many frames came out.
   */
  flush(): number {
    const frames = Math.max(0, Math.floor(this.#owed / this.fromHz));
    this.#reserve(frames);
    let made = 0;
    if (frames > 0) made = this.#engine.process(NOTHING, 0, this.output, frames, true);
    // Rounding in libsamplerate could cost the last frame of a long sound; the count is kept.
    this.output.fill(0, made * this.channels, frames * this.channels);
    this.reset();
    return frames;
  }

  /** Forgets what the converter holds: what comes next is another sound. */
  reset(): void {
    this.#engine.reset();
    this.#owed = 0;
  }

  /** Frees the converter; nothing but another `close` may follow. */
  close(): void {
    this.#engine.close();
  }

  #reserve(frames: number): void {
    const count = frames * this.channels;
    if (this.output.length < count) this.output = new Float64Array(count);
  }
}

interface Engine {
  readonly name: string;
  /** Takes all `frames` of `input` and makes up to `outputFrames`; returns how many. */
  process(
    input: Float64Array<ArrayBuffer>,
    frames: number,
    output: Float64Array<ArrayBuffer>,
    outputFrames: number,
    end: boolean,
  ): number;
  reset(): void;
  close(): void;
}

// SRC_DATA (samplerate.h): pointers and longs are 8 bytes on 64-bit Linux.
const SrcData = struct("SRC_DATA", {
  data_in: "u64",
  data_out: "u64",
  input_frames: "i64",
  output_frames: "i64",
  input_frames_used: "i64",
  output_frames_gen: "i64",
  end_of_input: "i32",
  padding: "i32",
  src_ratio: 8,
});

class SincEngine implements Engine {
  readonly name = "libsamplerate";
  readonly #library: SampleRate;
  #state: Deno.PointerObject | undefined;
  readonly #data = new Uint8Array(SrcData.$size);
  readonly #view = new DataView(this.#data.buffer);
  readonly #channels: number;
  #input = new Float32Array(0);
  #output = new Float32Array(0);

  /** Undefined without the library, or if it has no memory for a converter. */
  static create(ratio: number, channels: number, type: number): SincEngine | undefined {
    const library = sampleRate();
    const state = library?.src_new(type, channels, new Uint8Array(4));
    return library && state ? new SincEngine(library, state, ratio, channels) : undefined;
  }

  private constructor(
    library: SampleRate,
    state: Deno.PointerObject,
    ratio: number,
    channels: number,
  ) {
    this.#library = library;
    this.#state = state;
    this.#channels = channels;
    this.#view.setFloat64(SrcData.src_ratio, ratio, true);
  }

  process(
    input: Float64Array<ArrayBuffer>,
    frames: number,
    output: Float64Array<ArrayBuffer>,
    outputFrames: number,
    end: boolean,
  ): number {
    const channels = this.#channels;
    if (this.#input.length < Math.max(1, frames) * channels) {
      this.#input = new Float32Array(Math.max(1, frames) * channels);
      this.#point(SrcData.data_in, this.#input);
    }
    if (this.#output.length < outputFrames * channels) {
      this.#output = new Float32Array(outputFrames * channels);
      this.#point(SrcData.data_out, this.#output);
    }
    for (let i = 0; i < frames * channels; i++) this.#input[i] = input[i];
    setU64(this.#view, SrcData.input_frames, frames);
    setU64(this.#view, SrcData.output_frames, outputFrames);
    this.#view.setInt32(SrcData.end_of_input, end ? 1 : 0, true);
    this.#check(this.#library.src_process(this.#open(), this.#data));
    const made = this.#view.getInt32(SrcData.output_frames_gen, true);
    for (let i = 0; i < made * channels; i++) output[i] = this.#output[i];
    return made;
  }

  reset(): void {
    this.#check(this.#library.src_reset(this.#open()));
  }

  close(): void {
    if (this.#state) this.#library.src_delete(this.#state);
    this.#state = undefined;
  }

  #open(): Deno.PointerObject {
    if (!this.#state) throw new Error("the resampler is closed");
    return this.#state;
  }

  #check(error: number): void {
    if (error === 0) return;
    const text = this.#library.src_strerror(error);
    throw new Error(`libsamplerate: ${text ? Deno.UnsafePointerView.getCString(text) : error}`);
  }

  #point(field: number, target: Float32Array<ArrayBuffer>): void {
    const address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(target));
    this.#view.setBigUint64(field, address, true);
  }
}

/** Frames lie at the ends of their periods, so that all that are due can be made at once. */
class LinearEngine implements Engine {
  readonly name = "linear";
  readonly #fromHz: number;
  readonly #toHz: number;
  readonly #channels: number;
  /** The last frame of the input so far; silence is before the first. */
  readonly #last: Float64Array;
  /** Where the next output frame lies after `#last`, in units of 1/toHz input frames. */
  #position: number;

  constructor(fromHz: number, toHz: number, channels: number) {
    this.#fromHz = fromHz;
    this.#toHz = toHz;
    this.#channels = channels;
    this.#last = new Float64Array(channels);
    this.#position = fromHz;
  }

  process(
    input: Float64Array<ArrayBuffer>,
    frames: number,
    output: Float64Array<ArrayBuffer>,
  ): number {
    const channels = this.#channels;
    const end = frames * this.#toHz;
    let made = 0;
    for (; this.#position <= end; this.#position += this.#fromHz) {
      const index = Math.floor(this.#position / this.#toHz);
      const fraction = this.#position / this.#toHz - index;
      for (let channel = 0; channel < channels; channel++) {
        const before = index === 0 ? this.#last[channel] : input[(index - 1) * channels + channel];
        const after = fraction === 0 ? before : input[index * channels + channel];
        output[made * channels + channel] = before + fraction * (after - before);
      }
      made++;
    }
    for (let channel = 0; channel < channels && frames > 0; channel++) {
      this.#last[channel] = input[(frames - 1) * channels + channel];
    }
    this.#position -= end;
    return made;
  }

  reset(): void {
    this.#last.fill(0);
    this.#position = this.#fromHz;
  }

  close(): void {}
}
