// A loop: what is played to its sink is recorded from its source, and a sink that is listened to.

import { type ClockKind, FrameClock } from "../pcm/clock.ts";
import { Converter } from "../pcm/converter.ts";
import { DriftControl, prepareSlips, SlipReader } from "../pcm/drift.ts";
import { MixedSink, type MixTarget } from "./mixed.ts";
import type { ResamplerQuality } from "../pcm/resample.ts";
import type { Client, PcmParameters, Sink, SinkStream, StreamVolume } from "./sink.ts";
import type { Source, SourceStream } from "./source.ts";

// A player that has brought nothing for so long has ended, as far as its last sound is concerned: steps
// are shorter.
const OVER_MS = 250;

// How late a step may be.
const SPARE_SECONDS = 0.03;

// What nobody reads is kept no longer than this.
const LIMIT_SECONDS = 2;

/** All that is played to `sink`, mixed, can be recorded from `source`. */
export class Loopback implements MixTarget, Source {
  readonly ready = true;
  readonly sink: Sink;
  readonly #parameters: PcmParameters;
  readonly #clock: ClockKind;
  readonly #resample: ResamplerQuality;
  readonly #listeners = new Set<LoopStream>();
  #samples = new Float64Array(0);

  /**
   * @param parameters of the mix
   * @param resample how sound of another rate is resampled
   */
  constructor(clock: ClockKind, parameters: PcmParameters, resample: ResamplerQuality) {
    this.#clock = clock;
    this.#parameters = parameters;
    this.#resample = resample;
    this.sink = new MixedSink(() => this, clock, parameters, resample);
    prepareSlips();
  }

  open(parameters: PcmParameters): SourceStream {
    const { rateHz, channels } = this.#parameters;
    const converter = new Converter(
      rateHz,
      channels,
      parameters.rateHz,
      parameters.channels,
      this.#resample,
    );
    const stream = new LoopStream(this.#clock, converter, parameters, () => {
      this.#listeners.delete(stream);
    });
    this.#listeners.add(stream);
    return stream;
  }

  write(bytes: Uint8Array<ArrayBuffer>, frames: number): void {
    if (this.#listeners.size === 0) return;
    const { format, channels } = this.#parameters;
    const samples = frames * channels;
    if (this.#samples.length < samples) this.#samples = new Float64Array(samples);
    format.decode(bytes, 0, this.#samples, 0, samples);
    for (const listener of this.#listeners) listener.hear(this.#samples, frames);
  }

  unkeptFrames(): number {
    return 0;
  }

  close(): void {}
}

/** One recording of a loop. */
class LoopStream implements SourceStream {
  // Though all of it is there at once, it is not there before it was played.
  readonly free = false;
  readonly #parameters: PcmParameters;
  readonly #clock: FrameClock;
  readonly #converter: Converter;
  /** What is heard comes by the clock of a sink, which may be a sound card's, and is read by ours. */
  readonly #reader: SlipReader;
  readonly #drift: DriftControl;
  readonly #onClosed: () => void;
  readonly #spareFrames: number;
  #running = false;
  /** Whether what was heard is being given out. */
  #flows = false;
  #heardMs = 0;
  /** The longest step in which sound has come, in frames of ours. */
  #stepFrames = 0;
  #samples = new Float64Array(0);

  constructor(
    clock: ClockKind,
    converter: Converter,
    parameters: PcmParameters,
    onClosed: () => void,
  ) {
    const { rateHz } = parameters;
    this.#parameters = parameters;
    this.#clock = new FrameClock(clock, rateHz);
    this.#converter = converter;
    this.#reader = new SlipReader(converter.queue);
    this.#drift = new DriftControl(rateHz);
    this.#spareFrames = Math.ceil(rateHz * SPARE_SECONDS);
    this.#onClosed = onClosed;
  }

  hear(samples: Float64Array<ArrayBuffer>, frames: number): void {
    if (!this.#running) return;
    const before = this.#reader.length;
    this.#converter.put(samples, frames);
    this.#stepFrames = Math.max(this.#stepFrames, this.#reader.length - before);
    this.#heardMs = performance.now();
    const excess = this.#reader.length - LIMIT_SECONDS * this.#parameters.rateHz;
    if (excess > 0) this.#reader.skip(excess);
  }

  #clear(): void {
    this.#converter.clear();
    this.#reader.clear();
    this.#drift.reset();
  }

  // Once sound flows: between two sounds nothing has to be kept up.
  #follow(nowMs: number): void {
    const since = (nowMs - this.#heardMs) * this.#parameters.rateHz / 1000;
    const level = this.#reader.length + Math.min(since, this.#stepFrames);
    const slip = this.#drift.note(level, nowMs);
    if (slip !== 0) this.#reader.slip(slip);
  }

  start(nowMs: number): void {
    this.#clock.start(nowMs);
    this.#clear();
    this.#running = true;
    this.#flows = false;
    this.#stepFrames = 0;
  }

  stop(_nowMs: number): void {
    this.#clock.stop();
    this.#clear();
    this.#running = false;
  }

  available(nowMs: number): number {
    const due = this.#clock.due(nowMs);
    return due === Infinity ? this.#reader.length : due;
  }

  timeOfAvailable(frames: number, nowMs: number): number {
    return this.#clock.timeOf(frames, nowMs);
  }

  read(target: Uint8Array<ArrayBuffer>, frames: number, nowMs: number): void {
    const { format, channels } = this.#parameters;
    const reader = this.#reader;
    if (!this.#flows) {
      // Players bring their sound in steps: it must not run dry between them.
      const isEnough = reader.length >= frames + this.#stepFrames + this.#spareFrames;
      const isOver = nowMs - this.#heardMs > OVER_MS;
      this.#flows = this.#clock.kind === "free" || isEnough || isOver;
      this.#drift.reset();
    } else if (this.#clock.kind === "real") this.#follow(nowMs);
    if (this.#samples.length < frames * channels) {
      this.#samples = new Float64Array(frames * channels);
    }
    const given = this.#flows ? reader.read(this.#samples, frames) : 0;
    format.encode(this.#samples, 0, target, 0, given * channels);
    const rest = (frames - given) * channels * format.bytes;
    if (rest > 0) {
      format.silence(target, given * channels * format.bytes, rest);
      this.#flows = false;
    }
    this.#clock.take(frames);
  }

  skip(frames: number): void {
    this.#reader.skip(frames);
    this.#clock.take(frames);
  }

  close(): void {
    this.#converter.close();
    this.#onClosed();
  }
}

/** A sink whose mix can be recorded, whatever becomes of its streams. */
export class MonitoredSink implements Sink {
  /** @param monitor hears what `sink` is given */
  constructor(readonly sink: Sink, readonly monitor: Sink) {}

  open(parameters: PcmParameters, client: Client, level?: number): SinkStream {
    const heard = this.monitor.open(parameters, client);
    return new MonitoredStream(this.sink.open(parameters, client, level), heard);
  }

  close(): void {
    this.sink.close();
    this.monitor.close();
  }
}

/** Its time is the sink's. */
class MonitoredStream implements SinkStream {
  readonly #stream: SinkStream;
  readonly #monitor: SinkStream;

  constructor(stream: SinkStream, monitor: SinkStream) {
    this.#stream = stream;
    this.#monitor = monitor;
  }

  get free(): boolean {
    return this.#stream.free;
  }

  /** The sink's: the monitor hears what it would be without that. */
  get volume(): StreamVolume | undefined {
    return this.#stream.volume;
  }

  start(nowMs: number): void {
    this.#stream.start(nowMs);
    this.#monitor.start(nowMs);
  }

  stop(nowMs: number): void {
    this.#stream.stop(nowMs);
    this.#monitor.stop(nowMs);
  }

  discard(nowMs: number): void {
    this.#stream.discard(nowMs);
  }

  delay(nowMs: number): number {
    return this.#stream.delay(nowMs);
  }

  get leadFrames(): number {
    return this.#stream.leadFrames;
  }

  room(nowMs: number, aheadFrames: number): number {
    return this.#stream.room(nowMs, aheadFrames);
  }

  timeOfRoom(frames: number, nowMs: number, aheadFrames: number): number {
    return this.#stream.timeOfRoom(frames, nowMs, aheadFrames);
  }

  write(bytes: Uint8Array<ArrayBuffer>, frames: number, nowMs: number): void {
    this.#stream.write(bytes, frames, nowMs);
    this.#monitor.write(bytes, frames, nowMs);
  }

  unkeptFrames(): number {
    return this.#stream.unkeptFrames();
  }

  close(): void {
    this.#stream.close();
    this.#monitor.close();
  }
}
