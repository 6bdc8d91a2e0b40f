// The source that plays a WAV file to whoever records: bit for bit to a program that records in the
// file's own format, rate and channels, converted to others.

import { type FileCalls, HERE } from "../../ffi/file_calls.ts";
import { mapChannels } from "../pcm/channels.ts";
import type { ClockKind } from "../pcm/clock.ts";
import { Resampler, type ResamplerQuality } from "../pcm/resample.ts";
import { InputFile } from "./input.ts";
import { ClockedSourceStream } from "./silence.ts";
import type { PcmParameters } from "./sink.ts";
import type { Source, SourceStream } from "./source.ts";
import { Tape } from "./tape.ts";

const MAX_FILE_CHANNELS = 8;

// The most frames of the file that are converted at once.
const CHUNK_FRAMES = 4096;

/** A WAV file, once or for ever. */
export class WavSource implements Source {
  readonly #file: InputFile;

  /**
   * @param loops whether the file is followed by itself; else silence follows, as from any
   *   microphone: an OSS device never ends
   * @param resample how it is resampled if its rate is not the one wanted
   * @param calls how the file is read by a clock; what has no time is read here and now
   * @throws {Error} that says what is wrong with the file
   */
  constructor(
    readonly path: string,
    readonly loops: boolean,
    readonly clock: ClockKind,
    readonly resample: ResamplerQuality,
    calls: FileCalls,
  ) {
    this.#file = new InputFile(path, clock === "free" ? HERE : calls);
    const { frames, info: { channels } } = this.#file;
    if (frames > 0 && channels <= MAX_FILE_CHANNELS) return;
    this.#file.close();
    throw new Error(
      `it has ${frames} frames of ${channels} channels; at least 1 of at most ` +
        `${MAX_FILE_CHANNELS} is wanted`,
    );
  }

  open(parameters: PcmParameters): SourceStream {
    const tape = new Tape(this.#file, this.loops);
    const { format, rateHz, channels } = this.#file.info;
    const same = format === parameters.format && rateHz === parameters.rateHz &&
      channels === parameters.channels;
    return same
      ? new ExactStream(this.clock, parameters, tape)
      : new ConvertedStream(this.clock, parameters, tape, this.resample);
  }

  close(): void {
    this.#file.close();
  }
}

/** A stream whose clock stands still while the file does: nothing is lost, it only comes later. */
abstract class TapedStream extends ClockedSourceStream {
  constructor(clock: ClockKind, parameters: PcmParameters, protected readonly tape: Tape) {
    super(clock, parameters);
  }

  /** How many frames are at hand. Has those read that are not. */
  protected abstract ready(): number;

  override start(nowMs: number): void {
    super.start(nowMs);
    this.ready();
  }

  override available(nowMs: number): number {
    const due = super.available(nowMs);
    if (this.free || due === 0) return due;
    const late = Math.max(0, due - this.ready());
    this.clock.take(late);
    return due - late;
  }
}

class ExactStream extends TapedStream {
  protected override ready(): number {
    return this.tape.ready(this.position);
  }

  protected override make(target: Uint8Array<ArrayBuffer>, position: number, frames: number) {
    this.tape.read(target, position, frames);
  }
}

class ConvertedStream extends TapedStream {
  readonly #resampler: Resampler | undefined;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #decoded: Float64Array<ArrayBuffer>;
  readonly #mapped: Float64Array<ArrayBuffer>;
  /** Frames that are converted and not given yet: from `#givenFrames` of `#readyFrames`. */
  #ready: Float64Array<ArrayBuffer>;
  #readyFrames = 0;
  #givenFrames = 0;
  /** The next frame to give, and the next frame of the tape that it is made from. */
  #position = 0;
  #tapePosition = 0;

  constructor(
    clock: ClockKind,
    parameters: PcmParameters,
    tape: Tape,
    resample: ResamplerQuality,
  ) {
    super(clock, parameters, tape);
    const { format, channels, rateHz } = tape.file.info;
    if (rateHz !== parameters.rateHz) {
      this.#resampler = new Resampler(
        rateHz,
        parameters.rateHz,
        parameters.channels,
        resample,
      );
    }
    this.#bytes = new Uint8Array(CHUNK_FRAMES * channels * format.bytes);
    this.#decoded = new Float64Array(CHUNK_FRAMES * channels);
    this.#mapped = new Float64Array(CHUNK_FRAMES * parameters.channels);
    this.#ready = this.#mapped;
  }

  // What is converted at once may be a chunk more than is wanted.
  protected override ready(): number {
    if (this.position !== this.#position) this.#seek(this.position);
    const frames = this.tape.ready(this.#tapePosition) - CHUNK_FRAMES;
    const ratio = this.parameters.rateHz / this.tape.file.info.rateHz;
    return this.#readyFrames - this.#givenFrames + Math.floor(Math.max(0, frames) * ratio);
  }

  protected override make(target: Uint8Array<ArrayBuffer>, position: number, frames: number) {
    if (position !== this.#position) this.#seek(position);
    this.#position += frames;
    const { format, channels } = this.parameters;
    for (let done = 0; done < frames;) {
      if (this.#givenFrames === this.#readyFrames) this.#convert(frames - done);
      const count = Math.min(frames - done, this.#readyFrames - this.#givenFrames);
      format.encode(
        this.#ready,
        this.#givenFrames * channels,
        target,
        done * channels * format.bytes,
        count * channels,
      );
      this.#givenFrames += count;
      done += count;
    }
  }

  // Frames were passed over, or it starts again: what the resampler remembers is another place.
  #seek(position: number): void {
    this.#resampler?.reset();
    this.#readyFrames = this.#givenFrames = 0;
    this.#position = position;
    this.#tapePosition = Math.floor(
      position * this.tape.file.info.rateHz / this.parameters.rateHz,
    );
  }

  /** Converts the next piece of the tape, about what `wanted` frames are made from. */
  #convert(wanted: number): void {
    const { format, channels, rateHz } = this.tape.file.info;
    const frames = Math.min(Math.ceil(wanted * rateHz / this.parameters.rateHz), CHUNK_FRAMES);
    this.tape.read(this.#bytes, this.#tapePosition, frames);
    this.#tapePosition += frames;
    format.decode(this.#bytes, 0, this.#decoded, 0, frames * channels);
    mapChannels(this.#decoded, channels, this.#mapped, this.parameters.channels, frames);
    this.#givenFrames = 0;
    this.#readyFrames = this.#resampler?.process(this.#mapped, frames) ?? frames;
    this.#ready = this.#resampler?.output ?? this.#mapped;
  }

  override close(): void {
    this.#resampler?.close();
  }
}
