// The sink that mixes all streams into one, of a format of its own, for a file or whatever takes it.
// Its time line advances only while something plays, so a file holds no silence between sounds.

import { mapChannels } from "../pcm/channels.ts";
import { type ClockKind, FrameClock } from "../pcm/clock.ts";
import { MixBus } from "../pcm/mix.ts";
import { Resampler, type ResamplerQuality } from "../pcm/resample.ts";
import { READY_RETRY_MS } from "./files.ts";
import type { Client, PcmParameters, Sink, SinkStream } from "./sink.ts";

// How far one stream of a free-running mix may be ahead of another.
const WINDOW_SECONDS = 1;

// A stream of a free-running mix that brings nothing for so long is waited for no more.
const STALL_MS = 100;

/** Where a mix goes. */
export interface MixTarget {
  /** Whether it takes more: a pipe's reader or a disk may be slow. */
  readonly ready: boolean;
  /**
   * How many frames have been taken and are not kept yet.
   *
   * @throws {Error} if they could not be kept
   */
  unkeptFrames(): number;
  /**
   * Takes whole frames from `bytes`' start; valid during the call.
   *
   * @throws {Error} if they, or others before, could not be kept
   */
  write(bytes: Uint8Array<ArrayBuffer>, frames: number): void;
  close(): void;
}

/** All streams in one. */
export class MixedSink implements Sink {
  readonly #inputs = new Set<MixInput>();
  readonly #openTarget: () => MixTarget;
  #target: MixTarget | undefined;
  readonly #bus: MixBus;
  #encoded = new Uint8Array(0);
  /** Why the last frames could not be written; undefined if they were. */
  failure: unknown;

  /**
   * @param openTarget makes what the mix goes to, when the first stream needs it
   * @param parameters of the mix
   * @param resample how streams of another rate are resampled
   */
  constructor(
    openTarget: () => MixTarget,
    readonly clock: ClockKind,
    readonly parameters: PcmParameters,
    readonly resample: ResamplerQuality,
  ) {
    this.#openTarget = openTarget;
    this.#bus = new MixBus(parameters.channels, Math.ceil(parameters.rateHz * WINDOW_SECONDS));
  }

  open(parameters: PcmParameters, _client: Client): SinkStream {
    this.#target ??= this.#openTarget();
    const input = new MixInput(this, parameters);
    this.#inputs.add(input);
    return input;
  }

  close(): void {
    for (const input of this.#inputs) input.close();
    this.#target?.close();
    this.#target = undefined;
  }

  /** Whether the mix's target takes more. */
  get ready(): boolean {
    return this.#target!.ready;
  }

  /** As the target's. */
  unkeptFrames(): number {
    return this.#target!.unkeptFrames();
  }

  /** The first frame that is not written yet. */
  get written(): number {
    return this.#bus.start;
  }

  /**
   * The frame at which an input that starts now joins: where the others are. On a real clock the
   * foremost of them is where the time is, less a step that has not been moved yet.
   */
  join(): number {
    return this.clock === "free" ? this.#bus.start : this.#bus.end;
  }

  /** Adds `frames` frames of the sink's channels to the sum, from frame `position` on. */
  add(position: number, samples: Float64Array<ArrayBuffer>, frames: number): void {
    this.#bus.add(position, samples, frames);
  }

  /** Forgets an input and writes what only waited for it. */
  remove(input: MixInput, nowMs: number): void {
    this.#inputs.delete(input);
    this.flush(nowMs);
  }

  /** Writes what all inputs have gone past; `failure` tells if that could not be done. */
  flush(nowMs: number): void {
    let { end } = this.#bus;
    for (const input of this.#inputs) {
      const waitedFor = input.active &&
        (this.clock === "real" || nowMs - input.lastWriteMs <= STALL_MS);
      if (waitedFor) end = Math.min(end, input.position);
    }
    const frames = end - this.#bus.start;
    if (frames <= 0) return;
    const { channels, format } = this.parameters;
    const bytes = frames * channels * format.bytes;
    if (this.#encoded.length < bytes) this.#encoded = new Uint8Array(bytes);
    this.#bus.take(frames, format, this.#encoded);
    try {
      this.#target!.write(this.#encoded, frames);
      this.failure = undefined;
    } catch (error) {
      this.failure = error;
    }
  }
}

/** One stream of the mix. */
class MixInput implements SinkStream {
  readonly free: boolean;
  readonly leadFrames = 0;
  /** Whether the mix waits for what this input brings. */
  active = false;
  /** The frame of the mix that its next one is added to. */
  position = 0;
  lastWriteMs = 0;
  readonly #sink: MixedSink;
  readonly #parameters: PcmParameters;
  readonly #clock: FrameClock;
  readonly #resampler: Resampler | undefined;
  #decoded = new Float64Array(0);
  #mapped = new Float64Array(0);

  constructor(sink: MixedSink, parameters: PcmParameters) {
    this.free = sink.clock === "free";
    this.#sink = sink;
    this.#parameters = parameters;
    this.#clock = new FrameClock(sink.clock, parameters.rateHz);
    const { rateHz, channels } = sink.parameters;
    if (parameters.rateHz !== rateHz) {
      this.#resampler = new Resampler(parameters.rateHz, rateHz, channels, sink.resample);
    }
  }

  start(nowMs: number): void {
    this.#clock.start(nowMs);
    this.position = Math.max(this.position, this.#sink.join());
    this.lastWriteMs = nowMs;
    this.active = true;
  }

  stop(nowMs: number): void {
    if (!this.active) return;
    this.#clock.stop();
    this.active = false;
    this.#sink.flush(nowMs);
  }

  discard(_nowMs: number): void {}

  delay(nowMs: number): number {
    return -this.#clock.lag(nowMs);
  }

  room(nowMs: number, aheadFrames: number): number {
    if (!this.#sink.ready || !this.#clock.running) return 0;
    if (!this.free) return Math.max(0, this.#clock.lag(nowMs) + aheadFrames);
    this.#sink.flush(nowMs);
    const ahead = (this.position - this.#sink.written) / this.#sink.parameters.rateHz;
    return Math.max(0, Math.floor((WINDOW_SECONDS - ahead) * this.#parameters.rateHz));
  }

  timeOfRoom(frames: number, nowMs: number, aheadFrames: number): number {
    const due = this.#clock.timeOf(frames - aheadFrames, nowMs);
    return this.#sink.ready ? due : Math.max(due, nowMs + READY_RETRY_MS);
  }

  write(bytes: Uint8Array<ArrayBuffer>, frames: number, nowMs: number): void {
    this.#clock.take(frames);
    this.lastWriteMs = nowMs;
    this.position = Math.max(this.position, this.#sink.written);
    const { format, channels } = this.#parameters;
    const into = this.#sink.parameters.channels;
    if (this.#decoded.length < frames * channels) {
      this.#decoded = new Float64Array(frames * channels);
      this.#mapped = new Float64Array(frames * into);
    }
    format.decode(bytes, 0, this.#decoded, 0, frames * channels);
    mapChannels(this.#decoded, channels, this.#mapped, into, frames);
    this.#add(this.#mapped, frames);
    this.#sink.flush(nowMs);
    if (this.#sink.failure !== undefined) throw this.#sink.failure;
  }

  unkeptFrames(): number {
    const frames = this.#sink.unkeptFrames();
    return Math.ceil(frames * this.#parameters.rateHz / this.#sink.parameters.rateHz);
  }

  #add(samples: Float64Array<ArrayBuffer>, frames: number): void {
    const made = this.#resampler ? this.#resampler.process(samples, frames) : frames;
    this.#sink.add(this.position, this.#resampler?.output ?? samples, made);
    this.position += made;
  }

  close(): void {
    const nowMs = performance.now();
    this.active = false;
    if (this.#resampler) {
      const made = this.#resampler.flush();
      this.position = Math.max(this.position, this.#sink.written);
      this.#sink.add(this.position, this.#resampler.output, made);
      this.#resampler.close();
    }
    this.#sink.remove(this, nowMs);
  }
}
