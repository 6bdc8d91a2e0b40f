// A recording that keeps step with what its program plays. Where the clocks of the two servers drift
// apart, it is given a frame more or less now and then, unheard: who plays what it records would else
// be late, or run dry, some time or other.

import { FrameQueue } from "../pcm/converter.ts";
import { DriftControl, SlipReader } from "../pcm/drift.ts";
import type { Client, PcmParameters } from "./sink.ts";
import type { Source, SourceStream } from "./source.ts";

// Clocks do not differ by so much of a sudden: frames were lost, or the program has done something else.
const JUMP_MS = 100;

/** How many frames have been heard at a time, counted from wherever; NaN while nothing plays in time. */
export type PlayedFrames = () => number;

class FollowingStream implements SourceStream {
  readonly free = false;
  readonly #stream: SourceStream;
  readonly #parameters: PcmParameters;
  readonly #played: PlayedFrames;
  readonly #queue: FrameQueue;
  readonly #reader: SlipReader;
  readonly #drift: DriftControl;
  #given = 0;
  #bytes = new Uint8Array(0);
  #samples = new Float64Array(0);

  constructor(stream: SourceStream, parameters: PcmParameters, played: PlayedFrames) {
    this.#stream = stream;
    this.#parameters = parameters;
    this.#played = played;
    this.#queue = new FrameQueue(parameters.channels);
    this.#reader = new SlipReader(this.#queue);
    this.#drift = new DriftControl(parameters.rateHz, JUMP_MS);
  }

  start(nowMs: number): void {
    this.#stream.start(nowMs);
  }

  stop(nowMs: number): void {
    this.#stream.stop(nowMs);
    this.#forget();
    this.#drift.reset();
  }

  available(nowMs: number): number {
    return this.#reader.lengthWith(this.#stream.available(nowMs));
  }

  timeOfAvailable(frames: number, nowMs: number): number {
    const missing = frames - this.#reader.lengthWith(0);
    return missing > 0 ? this.#stream.timeOfAvailable(missing, nowMs) : nowMs;
  }

  read(target: Uint8Array<ArrayBuffer>, frames: number, nowMs: number): void {
    this.#fetch(this.#reader.missing(frames), nowMs);
    const { format, channels } = this.#parameters;
    this.#roomFor(frames);
    this.#reader.read(this.#samples, frames);
    format.encode(this.#samples, 0, target, 0, frames * channels);
    this.#given += frames;
    this.#follow(nowMs);
  }

  /** What comes next does not join what was there. */
  skip(frames: number, nowMs: number): void {
    const atSource = frames - this.#reader.lengthWith(0);
    if (atSource > 0) {
      this.#stream.skip(atSource, nowMs);
      this.#forget();
    } else this.#reader.skip(frames);
    this.#given += frames;
  }

  #forget(): void {
    this.#queue.clear();
    this.#reader.clear();
  }

  #fetch(frames: number, nowMs: number): void {
    if (frames <= 0) return;
    const { format, channels } = this.#parameters;
    this.#roomFor(frames);
    this.#stream.read(this.#bytes, frames, nowMs);
    format.decode(this.#bytes, 0, this.#samples, 0, frames * channels);
    this.#queue.append(this.#samples, frames);
  }

  #roomFor(frames: number): void {
    const samples = frames * this.#parameters.channels;
    if (this.#samples.length >= samples) return;
    this.#samples = new Float64Array(samples);
    this.#bytes = new Uint8Array(samples * this.#parameters.format.bytes);
  }

  #follow(nowMs: number): void {
    const played = this.#played();
    if (Number.isNaN(played)) return this.#drift.reset();
    const slip = this.#drift.note(this.#given + this.available(nowMs) - played, nowMs);
    if (slip !== 0) this.#reader.slip(slip);
  }

  close(): void {
    this.#stream.close();
  }
}

/**
 * Opens a stream that keeps step with what is played. Slips must have been prepared (lib/pcm/drift.ts).
 *
 * @throws {Error} that says what is wrong if the sound cannot be had
 */
export function openFollowing(
  source: Source,
  parameters: PcmParameters,
  client: Client,
  played: PlayedFrames,
): SourceStream {
  const stream = source.open(parameters, client);
  return stream.free ? stream : new FollowingStream(stream, parameters, played);
}
