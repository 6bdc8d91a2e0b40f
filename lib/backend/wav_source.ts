// The source that plays a WAV file to whoever records: bit for bit to a program that records in the
// file's own format, rate and channels, converted to others.

import { mapChannels } from "../pcm/channels.ts";
import type { ClockKind } from "../pcm/clock.ts";
import { Resampler, type ResamplerQuality } from "../pcm/resample.ts";
import { InputFile } from "./input.ts";
import { ClockedSourceStream } from "./silence.ts";
import type { PcmParameters } from "./sink.ts";
import type { Source, SourceStream } from "./source.ts";

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
   * @throws {Error} that says what is wrong with the file
   */
  constructor(
    readonly path: string,
    readonly loops: boolean,
    readonly clock: ClockKind,
    readonly resample: ResamplerQuality,
  ) {
    this.#file = new InputFile(path);
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

/** The file's frames as a time line without an end. */
class Tape {
  readonly #loops: boolean;

  constructor(readonly file: InputFile, loops: boolean) {
    this.#loops = loops;
  }

  /** Puts the `frames` frames from `position` on at `target`'s start. */
  read(target: Uint8Array<ArrayBuffer>, position: number, frames: number): void {
    const { file } = this;
    const { format, channels } = file.info;
    const frameBytes = format.bytes * channels;
    for (let done = 0; done < frames;) {
      const at = this.#loops ? (position + done) % file.frames : position + done;
      const start = done * frameBytes;
      const count = Math.min(frames - done, file.frames - at);
      if (count <= 0) return format.silence(target, start, (frames - done) * frameBytes);
      file.read(target, start, at, count);
      done += count;
    }
  }
}

class ExactStream extends ClockedSourceStream {
  readonly #tape: Tape;

  constructor(clock: ClockKind, parameters: PcmParameters, tape: Tape) {
    super(clock, parameters);
    this.#tape = tape;
  }

  protected override make(target: Uint8Array<ArrayBuffer>, position: number, frames: number) {
    this.#tape.read(target, position, frames);
  }
}

class ConvertedStream extends ClockedSourceStream {
  readonly #tape: Tape;
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
    super(clock, parameters);
    this.#tape = tape;
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
      position * this.#tape.file.info.rateHz / this.parameters.rateHz,
    );
  }

  /** Converts the next piece of the tape, about what `wanted` frames are made from. */
  #convert(wanted: number): void {
    const { format, channels, rateHz } = this.#tape.file.info;
    const frames = Math.min(Math.ceil(wanted * rateHz / this.parameters.rateHz), CHUNK_FRAMES);
    this.#tape.read(this.#bytes, this.#tapePosition, frames);
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
