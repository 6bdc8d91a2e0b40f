// Resampling of one stream: by libsamplerate where it is installed, else linearly.

import { sampleRate, SRC_SINC_MEDIUM_QUALITY } from "../../ffi/samplerate.ts";
import { struct } from "../struct.ts";

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

// libsamplerate refuses ratios beyond this.
const MAX_RATIO = 256;

/** Turns a stream of frames at one rate into the same sound at another. */
export class Resampler {
  /** The frames that `process` and `flush` have made; valid until the next call. */
  output: Float64Array<ArrayBuffer> = new Float64Array(0);

  readonly #ratio: number;
  readonly #engine: Engine;

  constructor(fromHz: number, toHz: number, readonly channels: number) {
    this.#ratio = toHz / fromHz;
    const inRange = this.#ratio <= MAX_RATIO && this.#ratio >= 1 / MAX_RATIO;
    this.#engine = (inRange && SincEngine.create(this.#ratio, channels)) ||
      new LinearEngine(this.#ratio, channels);
  }

  /** Which converter is at work: "libsamplerate" or "linear". */
  get converter(): string {
    return this.#engine.name;
  }

  /** Converts `frames` frames into `output`; returns how many came out. */
  process(samples: Float64Array<ArrayBuffer>, frames: number): number {
    const most = Math.ceil(frames * this.#ratio) + TAIL_FRAMES;
    if (this.output.length < most * this.channels) {
      this.output = new Float64Array(most * this.channels);
    }
    return this.#engine.process(samples, frames, this.output, most, false);
  }

  /** The end of the sound: puts what the converter still holds into `output`. */
  flush(): number {
    const most = TAIL_FRAMES + Math.ceil(TAIL_FRAMES * this.#ratio);
    if (this.output.length < most * this.channels) {
      this.output = new Float64Array(most * this.channels);
    }
    return this.#engine.process(NOTHING, 0, this.output, most, true);
  }

  close(): void {
    this.#engine.close();
  }
}

const NOTHING = new Float64Array(0);

// More than any converter here holds back: its filter's length.
const TAIL_FRAMES = 4096;

interface Engine {
  readonly name: string;
  process(
    input: Float64Array<ArrayBuffer>,
    frames: number,
    output: Float64Array<ArrayBuffer>,
    outputFrames: number,
    end: boolean,
  ): number;
  close(): void;
}

class SincEngine implements Engine {
  readonly name = "libsamplerate";
  readonly #library: NonNullable<ReturnType<typeof sampleRate>>;
  readonly #state: Deno.PointerObject;
  readonly #data = new Uint8Array(SrcData.$size);
  readonly #view = new DataView(this.#data.buffer);
  readonly #channels: number;
  #input = new Float32Array(0);
  #output = new Float32Array(0);

  static create(ratio: number, channels: number): SincEngine | undefined {
    const library = sampleRate();
    const state = library?.src_new(SRC_SINC_MEDIUM_QUALITY, channels, new Uint8Array(4));
    return library && state ? new SincEngine(library, state, ratio, channels) : undefined;
  }

  private constructor(
    library: NonNullable<ReturnType<typeof sampleRate>>,
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
    this.#view.setBigInt64(SrcData.input_frames, BigInt(frames), true);
    this.#view.setBigInt64(SrcData.output_frames, BigInt(outputFrames), true);
    this.#view.setInt32(SrcData.end_of_input, end ? 1 : 0, true);
    const error = this.#library.src_process(this.#state, this.#data);
    if (error !== 0) {
      const text = Deno.UnsafePointerView.getCString(this.#library.src_strerror(error)!);
      throw new Error(`libsamplerate: ${text}`);
    }
    const made = this.#view.getInt32(SrcData.output_frames_gen, true);
    for (let i = 0; i < made * channels; i++) output[i] = this.#output[i];
    return made;
  }

  #point(field: number, target: Float32Array<ArrayBuffer>): void {
    const address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(target));
    this.#view.setBigUint64(field, BigInt(address), true);
  }

  close(): void {
    this.#library.src_delete(this.#state);
  }
}

class LinearEngine implements Engine {
  readonly name = "linear";
  readonly #step: number;
  readonly #channels: number;
  /** The last frame of the input so far. */
  readonly #last: Float64Array;
  /** Where the next output frame lies, in input frames after `#last`. */
  #position = 1;

  constructor(ratio: number, channels: number) {
    this.#step = 1 / ratio;
    this.#channels = channels;
    this.#last = new Float64Array(channels);
  }

  process(
    input: Float64Array<ArrayBuffer>,
    frames: number,
    output: Float64Array<ArrayBuffer>,
    outputFrames: number,
  ): number {
    const channels = this.#channels;
    let made = 0;
    for (; this.#position <= frames && made < outputFrames; this.#position += this.#step) {
      const index = Math.floor(this.#position);
      const fraction = this.#position - index;
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
    this.#position -= frames;
    return made;
  }

  close(): void {}
}
