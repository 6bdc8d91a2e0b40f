// The null sink: sound is played to nobody, in its own time or in none.

import { type ClockKind, FrameClock } from "../pcm/clock.ts";
import type { PcmParameters, Sink, SinkStream } from "./sink.ts";

/** A stream whose time is a clock of our own; what becomes of the frames is up to the subclass. */
export class ClockedStream implements SinkStream {
  readonly free: boolean;
  readonly leadFrames = 0;
  protected readonly clock: FrameClock;

  constructor(clock: ClockKind, rateHz: number) {
    this.free = clock === "free";
    this.clock = new FrameClock(clock, rateHz);
  }

  start(nowMs: number): void {
    this.clock.start(nowMs);
  }

  stop(_nowMs: number): void {
    this.clock.stop();
  }

  discard(_nowMs: number): void {}

  delay(nowMs: number): number {
    return -this.clock.lag(nowMs);
  }

  room(nowMs: number, aheadFrames: number): number {
    return this.clock.running ? Math.max(0, this.clock.lag(nowMs) + aheadFrames) : 0;
  }

  timeOfRoom(frames: number, nowMs: number, aheadFrames: number): number {
    return this.clock.timeOf(frames - aheadFrames, nowMs);
  }

  write(_bytes: Uint8Array<ArrayBuffer>, frames: number, _nowMs: number): void {
    this.clock.take(frames);
  }

  unkeptFrames(): number {
    return 0;
  }

  close(): void {}
}

/** Plays to nobody. */
export class NullSink implements Sink {
  constructor(readonly clock: ClockKind) {}

  open({ rateHz }: PcmParameters): SinkStream {
    return new ClockedStream(this.clock, rateHz);
  }

  close(): void {}
}
