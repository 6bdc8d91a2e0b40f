// Playback from a mapping: the ring of fragments lies in the program's memory, the program writes
// ahead of the pointer that GETOPTR tells it, and we fetch each fragment shortly before its time.

import { MappedRing, type PageCache } from "../buffer/mapped.ts";
import type { Parameters } from "./parameters.ts";
import type { Playback } from "./playback.ts";

// A fragment is fetched this long before it is to be heard, or half a fragment if that is shorter: as
// late as a loop that may be busy can afford, for games write just ahead of the pointer.
const LEAD_MS = 4;

/** A mapped ring that plays while it is triggered. Times are milliseconds. */
export class MappedPlayback {
  /** When `pump` has something to do next. */
  dueMs = Infinity;

  /** Whether somebody wants to be woken at the end of the next fragment. */
  wakesWanted = false;

  readonly #parameters: Parameters;
  readonly #playback: Playback;
  readonly #cache: PageCache;
  readonly #now: () => number;
  #ring: MappedRing | undefined;
  #touched = false;
  #running = false;
  /** When the first frame was given to the sink; Infinity before. */
  #startMs = Infinity;
  /** Bytes asked for, and given to the playback, since the start. */
  #fetchedBytes = 0;
  #fedBytes = 0;
  /** What the playback had played before the start. */
  #baseBytes = 0;
  #reportedBlocks = 0;
  #polledBlocks = 0;

  constructor(parameters: Parameters, playback: Playback, cache: PageCache, now: () => number) {
    this.#parameters = parameters;
    this.#playback = playback;
    this.#cache = cache;
    this.#now = now;
  }

  /** Whether a program has touched the mapping: there is one. */
  get touched(): boolean {
    return this.#touched;
  }

  get running(): boolean {
    return this.#running;
  }

  /** The ring; its size is that of all fragments. */
  get ring(): MappedRing {
    const { bufferBytes, format } = this.#parameters;
    if (this.#ring?.size !== bufferBytes) {
      this.#ring = new MappedRing(bufferBytes, this.#cache);
      this.#ring.clear((bytes, start, length) => format.silence(bytes, start, length));
    }
    return this.#ring;
  }

  /** Fills a page that the program touches. */
  fill(offset: number, target: Uint8Array<ArrayBuffer>, length: number): void {
    this.#touched = true;
    this.ring.fill(offset, target, length);
  }

  /** SETTRIGGER: plays from the ring's start. */
  start(): void {
    this.stop();
    this.#baseBytes = this.#playback.playedBytes();
    this.#running = true;
    this.pump();
  }

  /** SETTRIGGER without output, RESET, close: what is not heard yet is not heard any more. */
  stop(): void {
    if (this.#running) {
      this.#ring?.cancel();
      this.#playback.reset();
    }
    this.#running = false;
    this.#startMs = Infinity;
    this.#fetchedBytes = this.#fedBytes = 0;
    this.#reportedBlocks = this.#polledBlocks = 0;
    this.dueMs = Infinity;
  }

  /** Bytes heard since the start; no further than what has been fetched. */
  playedBytes(): number {
    if (this.#startMs === Infinity) return 0;
    // The sink knows, unless it takes everything at once: then a ring needs a clock of its own.
    if (!this.#playback.free) return this.#playback.playedBytes() - this.#baseBytes;
    const { rateHz, frameBytes } = this.#parameters;
    const frames = Math.floor((this.#now() - this.#startMs) * rateHz / 1000);
    return Math.max(0, Math.min(frames * frameBytes, this.#fedBytes));
  }

  get #blocks(): number {
    return Math.floor(this.playedBytes() / this.#parameters.fragmentBytes);
  }

  /** Fragments completed since this was last asked. */
  takeBlocks(): number {
    const blocks = this.#blocks;
    const since = blocks - this.#reportedBlocks;
    this.#reportedBlocks = blocks;
    return since;
  }

  /** Whether a fragment has ended since poll(2) last said so. */
  readyToPoll(): boolean {
    return this.#blocks > this.#polledBlocks;
  }

  /** Poll(2) has said so. */
  polled(): void {
    this.#polledBlocks = this.#blocks;
  }

  /** When so many bytes will have been heard. */
  #timeOf(bytes: number): number {
    const ahead = bytes - this.playedBytes();
    return this.#now() + ahead * 1000 / this.#parameters.bytesPerSecond;
  }

  /** Fetches the next fragment if it is time; to be called at `dueMs`, and harmless at any time. */
  pump(): void {
    if (!this.#running) return;
    const { fragmentBytes, bytesPerSecond } = this.#parameters;
    const lead = Math.min(LEAD_MS, fragmentBytes * 500 / bytesPerSecond);
    const { ring } = this;
    const isFirst = this.#fetchedBytes === 0;
    if (!ring.busy && (isFirst || this.#now() >= this.#timeOf(this.#fetchedBytes) - lead)) {
      ring.fetch(this.#fetchedBytes % ring.size, fragmentBytes, this.#feed);
      this.#fetchedBytes += fragmentBytes;
    }
    this.dueMs = ring.busy ? Infinity : this.#timeOf(this.#fetchedBytes) - lead;
    if (this.wakesWanted && this.#startMs !== Infinity) {
      const nextBlock = (this.#blocks + 1) * fragmentBytes;
      this.dueMs = Math.min(this.dueMs, this.#timeOf(nextBlock));
    }
  }

  readonly #feed = (bytes: Uint8Array<ArrayBuffer>, offset: number, length: number): void => {
    this.#playback.write(bytes, offset, length);
    this.#fedBytes += length;
    if (this.#startMs === Infinity) this.#startMs = this.#now();
    this.pump();
  };
}
