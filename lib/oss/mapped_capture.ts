// Recording into a mapping: the program looks at the ring of fragments in its own memory, up to the
// pointer that GETIPTR tells it, and we put there what the source has.

import type { MappedRing } from "../buffer/mapped.ts";
import { Blocks } from "./blocks.ts";
import type { Capture } from "./capture.ts";
import type { Parameters } from "./parameters.ts";

/** A mapped ring that records. Times are milliseconds. */
export class MappedCapture {
  /** Whether GETIPTR tells of the mapping: it was triggered, and read(2) not called since. */
  inUse = false;

  /** The fragments that have been recorded since the start. */
  readonly blocks: Blocks;

  readonly #parameters: Parameters;
  readonly #capture: Capture;
  readonly #ringOf: () => MappedRing;
  readonly #now: () => number;
  #ring: MappedRing | undefined;
  /** When the recording started; Infinity before. */
  #startMs = Infinity;
  /** Bytes put into the ring since the recording started, those that were lost included. */
  #position = 0;

  /** @param ringOf makes the ring that fits the parameters, or gives the one that is there */
  constructor(
    parameters: Parameters,
    capture: Capture,
    ringOf: () => MappedRing,
    now: () => number,
  ) {
    this.#parameters = parameters;
    this.#capture = capture;
    this.#ringOf = ringOf;
    this.#now = now;
    this.blocks = new Blocks(parameters, () => this.pointerBytes());
  }

  /** Whether what is recorded goes into the ring. */
  get running(): boolean {
    return this.#ring !== undefined;
  }

  /** When `pump` has something to do next. */
  get dueMs(): number {
    // A free source has no time of its own.
    if (!this.#ring || !this.#capture.free) return Infinity;
    const { fragmentBytes, bytesPerSecond } = this.#parameters;
    const toFragment = fragmentBytes - this.#position % fragmentBytes;
    return this.#startMs + (this.#position + toFragment) * 1000 / bytesPerSecond;
  }

  /** Whether it was started and not stopped. */
  get started(): boolean {
    return this.#startMs !== Infinity;
  }

  /** SETTRIGGER has started the recording. Nobody knows yet whether there is a mapping. */
  start(): void {
    this.stop();
    this.#startMs = this.#now();
    this.inUse = true;
  }

  /** There is a mapping: once started, what is recorded goes into it, from the start on. */
  show(): void {
    if (!this.started || this.#ring) return;
    this.#ring = this.#ringOf();
    this.#ring.restart();
    this.pump();
  }

  /** What is recorded from now on is not for the mapping, until it is started again. */
  stop(): void {
    this.#ring = undefined;
    this.#startMs = Infinity;
    this.#position = 0;
    this.blocks.reset();
  }

  /** Read(2) was called, a sign that it has been unmapped, which nobody tells us; or output triggered. */
  leave(): void {
    this.stop();
    this.inUse = false;
  }

  /** Bytes recorded since the start, by now: all of them in the ring. */
  pointerBytes(): number {
    if (!this.started) return 0;
    this.pump();
    if (this.#ring) return this.#position;
    return this.#capture.free ? this.#dueBytes() : this.#capture.recordedBytes();
  }

  /** Takes what the source has; to be called at the end of each fragment, and harmless at any time. */
  pump(): void {
    const ring = this.#ring;
    if (!ring) return;
    const capture = this.#capture;
    let bytes = capture.free ? this.#dueBytes() - this.#position : capture.readableBytes();
    if (bytes <= 0) return;
    if (bytes > ring.size) {
      // So late is only a clock of ours, and that can as well have stood still.
      this.#startMs += (bytes - ring.size) * 1000 / this.#parameters.bytesPerSecond;
      bytes = ring.size;
    }
    // Sound that was lost because we were late has a place in the ring all the same.
    if (!capture.free) this.#position = capture.nextBytes;
    while (bytes > 0) {
      const offset = this.#position % ring.size;
      const length = Math.min(bytes, ring.size - offset);
      const count = capture.read(ring.bytes, offset, length);
      if (count <= 0) break;
      this.#position += count;
      bytes -= count;
    }
    ring.show(this.#position);
  }

  // What should be recorded by now of a source that has everything at once.
  #dueBytes(): number {
    const { rateHz, frameBytes } = this.#parameters;
    // At `dueMs` the fragment is complete, though its end may be no exact number.
    return Math.floor((this.#now() - this.#startMs) * rateHz / 1000 + 1e-6) * frameBytes;
  }
}
