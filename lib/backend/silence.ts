// The silent source, and what it has in common with every source that is made up here: a time line
// of frames from the start on, and a clock of our own.

import { type ClockKind, FrameClock } from "../pcm/clock.ts";
import type { PcmParameters } from "./sink.ts";
import type { Source, SourceStream } from "./source.ts";

/** A stream whose time is a clock of our own; what its frames are is up to the subclass. */
export abstract class ClockedSourceStream implements SourceStream {
  readonly free: boolean;
  protected readonly clock: FrameClock;
  /** The next frame, counted from the start. */
  #position = 0;

  constructor(clock: ClockKind, protected readonly parameters: PcmParameters) {
    this.free = clock === "free";
    this.clock = new FrameClock(clock, parameters.rateHz);
  }

  /** The next frame that is read or passed over. */
  protected get position(): number {
    return this.#position;
  }

  /** Makes the frames from `position` on; positions never go back but to 0, at a new start. */
  protected abstract make(target: Uint8Array<ArrayBuffer>, position: number, frames: number): void;

  start(nowMs: number): void {
    this.#position = 0;
    this.clock.start(nowMs);
  }

  stop(_nowMs: number): void {
    this.clock.stop();
  }

  available(nowMs: number): number {
    return this.clock.due(nowMs);
  }

  timeOfAvailable(frames: number, nowMs: number): number {
    return this.clock.timeOf(frames, nowMs);
  }

  read(target: Uint8Array<ArrayBuffer>, frames: number, _nowMs: number): void {
    this.make(target, this.#position, frames);
    this.skip(frames);
  }

  skip(frames: number): void {
    this.clock.take(frames);
    this.#position += frames;
  }

  close(): void {}
}

class SilentStream extends ClockedSourceStream {
  protected override make(target: Uint8Array<ArrayBuffer>, _position: number, frames: number) {
    const { format, channels } = this.parameters;
    format.silence(target, 0, frames * channels * format.bytes);
  }
}

/** A microphone in an empty room. */
export class SilentSource implements Source {
  constructor(readonly clock: ClockKind) {}

  open(parameters: PcmParameters): SourceStream {
    return new SilentStream(this.clock, parameters);
  }

  close(): void {}
}
