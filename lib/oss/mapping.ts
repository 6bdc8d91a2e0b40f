// A mapping of an open dsp: one ring in the program's memory, which plays where output is triggered
// and records where only input is.

import { MappedRing, type PageCache } from "../buffer/mapped.ts";
import type { Capture } from "./capture.ts";
import { MappedCapture } from "./mapped_capture.ts";
import { type MappedOptions, MappedPlayback } from "./mapped_playback.ts";
import type { Parameters } from "./parameters.ts";
import type { Playback } from "./playback.ts";

/** What a mapping needs of its surroundings. */
export interface MappingHost {
  readonly pages: PageCache;
  readonly options: MappedOptions;
  /** The time in milliseconds. */
  now(): number;
  /** Called when the program sees what was last put into its memory. */
  onShown(): void;
}

/** The ring and its two uses, of which one at a time runs. */
export class Mapping {
  /** Whether a program has touched it: it exists. */
  touched = false;

  /** Undefined where the file was not opened for playing. */
  readonly playback: MappedPlayback | undefined;

  /** Undefined where nothing can be recorded, or not be shown to the program. */
  readonly capture: MappedCapture | undefined;

  readonly #parameters: Parameters;
  readonly #ring: MappedRing;

  constructor(
    parameters: Parameters,
    playback: Playback | undefined,
    capture: Capture | undefined,
    host: MappingHost,
  ) {
    this.#parameters = parameters;
    const { now, options, pages } = host;
    this.#ring = new MappedRing(pages);
    this.#ring.onShown = host.onShown;
    const ringOf = () => this.ring;
    this.playback = playback && new MappedPlayback(parameters, playback, ringOf, now, options);
    this.capture = capture && pages.canStore
      ? new MappedCapture(parameters, capture, ringOf, now)
      : undefined;
  }

  /** The ring; its size is that of all fragments. */
  get ring(): MappedRing {
    const { bufferBytes, format } = this.#parameters;
    if (this.#ring.size !== bufferBytes) {
      this.#ring.resize(bufferBytes);
      format.silence(this.#ring.bytes, 0, bufferBytes);
    }
    return this.#ring;
  }

  /** SILENCE: the program finds silence in all of it. */
  silence(): void {
    const { ring } = this;
    if (!ring.canShow) return;
    this.#parameters.format.silence(ring.bytes, 0, ring.size);
    ring.showAll();
  }

  /** Whether the program does not see yet what it will be told of. */
  get showing(): boolean {
    return this.#ring.showing;
  }

  get running(): boolean {
    return (this.playback?.running ?? false) || (this.capture?.running ?? false);
  }

  /** When `pump` has something to do next, in milliseconds. */
  get dueMs(): number {
    return Math.min(this.playback?.dueMs ?? Infinity, this.capture?.dueMs ?? Infinity);
  }

  pump(): void {
    this.playback?.pump();
    this.capture?.pump();
  }

  stop(): void {
    this.playback?.stop();
    this.capture?.stop();
  }
}
