// What a script makes go wrong: a sink and a source in front of others, which fail as disks, servers
// and slow machines do when they are told to.

import { EIO, SystemError } from "../../ffi/libc.ts";
import type { Client, PcmParameters, Sink, SinkStream, StreamVolume } from "./sink.ts";
import type { Source, SourceStream } from "./source.ts";

/** What is to go wrong. Times are those of the sink's calls, in milliseconds. */
export class Faults {
  /** The errno of the next sound that is handed on, 0 for none; likewise of the next opening. */
  sinkError = 0;
  sinkOpenError = 0;
  sourceError = 0;
  /** The most frames that the sink takes at a time. */
  mostFrames = Infinity;
  /** Until when everything fails. */
  lostUntilMs = -Infinity;
  /** When the sink has begun to take nothing, and for how long; before that it stood so long. */
  #stallMs = Infinity;
  #stallLengthMs = 0;
  #stoodMs = 0;

  /** Nothing goes wrong any more. A sink that has stood still stays as late as it is. */
  clear(nowMs: number): void {
    this.sinkError = this.sinkOpenError = this.sourceError = 0;
    this.mostFrames = Infinity;
    this.lostUntilMs = -Infinity;
    this.#stoodMs = nowMs - this.sinkMs(nowMs);
    this.#stallMs = Infinity;
  }

  /** The sink stands still for a while. */
  stall(nowMs: number, lengthMs: number): void {
    this.#stoodMs = nowMs - this.sinkMs(nowMs);
    this.#stallMs = nowMs;
    this.#stallLengthMs = lengthMs;
  }

  /** What time it is for the sink. */
  sinkMs(nowMs: number): number {
    const stood = Math.min(Math.max(0, nowMs - this.#stallMs), this.#stallLengthMs);
    return nowMs - this.#stoodMs - stood;
  }

  /** When it will be that time for the sink. */
  timeOf(sinkMs: number): number {
    const ms = sinkMs + this.#stoodMs;
    return ms <= this.#stallMs ? ms : ms + this.#stallLengthMs;
  }

  /** @throws {SystemError} with an errno that is set, or while everything fails */
  fail(errno: number, nowMs: number, call: string): void {
    const code = nowMs < this.lostUntilMs ? EIO : errno;
    if (code !== 0) throw new SystemError(code, call, "a script's fault");
  }
}

/** A sink that can be made to fail. */
export class FaultySink implements Sink {
  constructor(
    readonly inner: Sink,
    readonly faults: Faults,
    readonly now: () => number,
  ) {}

  open(parameters: PcmParameters, client: Client, level?: number): SinkStream {
    const errno = this.faults.sinkOpenError;
    this.faults.sinkOpenError = 0;
    this.faults.fail(errno, this.now(), "open");
    return new FaultyStream(this.inner.open(parameters, client, level), this.faults);
  }

  close(): void {
    this.inner.close();
  }
}

class FaultyStream implements SinkStream {
  constructor(readonly inner: SinkStream, readonly faults: Faults) {}

  get free(): boolean {
    return this.inner.free;
  }

  get volume(): StreamVolume | undefined {
    return this.inner.volume;
  }

  get leadFrames(): number {
    return this.inner.leadFrames;
  }

  start(nowMs: number): void {
    this.inner.start(this.faults.sinkMs(nowMs));
  }

  stop(nowMs: number): void {
    this.inner.stop(this.faults.sinkMs(nowMs));
  }

  discard(nowMs: number): void {
    this.inner.discard(this.faults.sinkMs(nowMs));
  }

  delay(nowMs: number): number {
    return this.inner.delay(this.faults.sinkMs(nowMs));
  }

  room(nowMs: number, aheadFrames: number): number {
    const { faults } = this;
    return Math.min(this.inner.room(faults.sinkMs(nowMs), aheadFrames), faults.mostFrames);
  }

  timeOfRoom(frames: number, nowMs: number, aheadFrames: number): number {
    const { faults } = this;
    const most = Math.min(frames, faults.mostFrames);
    return faults.timeOf(this.inner.timeOfRoom(most, faults.sinkMs(nowMs), aheadFrames));
  }

  write(bytes: Uint8Array<ArrayBuffer>, frames: number, nowMs: number): void {
    const errno = this.faults.sinkError;
    this.faults.sinkError = 0;
    this.faults.fail(errno, nowMs, "write");
    this.inner.write(bytes, frames, this.faults.sinkMs(nowMs));
  }

  unkeptFrames(): number {
    return this.inner.unkeptFrames();
  }

  close(): void {
    this.inner.close();
  }
}

/** A source that can be made to fail. */
export class FaultySource implements Source {
  constructor(
    readonly inner: Source,
    readonly faults: Faults,
    readonly now: () => number,
  ) {}

  open(parameters: PcmParameters, client: Client): SourceStream {
    this.faults.fail(0, this.now(), "open");
    const stream = this.inner.open(parameters, client);
    const { faults } = this;
    const read = stream.read.bind(stream);
    stream.read = (target, frames, nowMs) => {
      const errno = faults.sourceError;
      faults.sourceError = 0;
      faults.fail(errno, nowMs, "read");
      read(target, frames, nowMs);
    };
    return stream;
  }

  close(): void {
    this.inner.close();
  }
}
