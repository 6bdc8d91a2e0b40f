// Playback from a mapping: the ring of fragments lies in the program's memory, the program writes
// ahead of the pointer that GETOPTR tells it, and we fetch each fragment shortly before its time.

import type { MappedRing } from "../buffer/mapped.ts";
import { Blocks } from "./blocks.ts";
import type { Parameters } from "./parameters.ts";
import type { Playback } from "./playback.ts";

/**
 * How long before it is to be heard a fragment is fetched, or half a fragment if that is shorter: as
 * late as a loop that may be busy can afford, for games write just ahead of the pointer.
 */
export const DEFAULT_LEAD_MS = 4;

// What it grows to on a machine that is too busy for that.
const MOST_LEAD_MS = 64;

/** How a mapped ring is played. */
export interface MappedOptions {
  /** How long before its time a fragment is fetched, in milliseconds; undefined for the default. */
  readonly leadMs: number | undefined;
  /** Whether what has been fetched becomes silence: what is not fed again is not heard again. */
  readonly silence: boolean;
}

/** A mapped ring that plays while it is triggered. Times are milliseconds. */
export class MappedPlayback {
  /** When `pump` has something to do next. */
  dueMs = Infinity;

  /** Whether somebody wants to be woken at the end of the next fragment. */
  wakesWanted = false;

  /** Whether GETOPTR tells of the mapping: it was triggered, and write(2) not called since. */
  inUse = false;

  /** The fragments that have been heard since the start. */
  readonly blocks: Blocks;

  readonly #parameters: Parameters;
  readonly #playback: Playback;
  readonly #ringOf: () => MappedRing;
  readonly #options: MappedOptions;
  readonly #now: () => number;
  #ring: MappedRing | undefined;
  /** The lead when none is asked for: it grows when a fragment came too late. */
  #ownLeadMs = DEFAULT_LEAD_MS;
  /** When the first frame was given to the sink; Infinity before. */
  #startMs = Infinity;
  /** Bytes asked for, and given to the playback, since the start. */
  #fetchedBytes = 0;
  #fedBytes = 0;
  /** What the playback had played before the start. */
  #baseBytes = 0;
  /** The most that was told of what has been played since the start. */
  #toldBytes = 0;

  /** @param ringOf makes the ring that fits the parameters, or gives the one that is there */
  constructor(
    parameters: Parameters,
    playback: Playback,
    ringOf: () => MappedRing,
    now: () => number,
    options: MappedOptions,
  ) {
    this.#parameters = parameters;
    this.#playback = playback;
    this.#ringOf = ringOf;
    this.#now = now;
    this.#options = options;
    this.blocks = new Blocks(parameters, () => this.pointerBytes());
  }

  get running(): boolean {
    return this.#ring !== undefined;
  }

  /** SETTRIGGER: plays from the ring's start. */
  start(): void {
    this.stop();
    this.#baseBytes = this.#playback.wantedBytes();
    this.#ring = this.#ringOf();
    this.#ring.restart();
    const { fragmentBytes, frameBytes, rateHz } = this.#parameters;
    const leadFrames = Math.ceil(MOST_LEAD_MS * rateHz / 1000);
    this.#playback.aheadFrames = Math.ceil(fragmentBytes / frameBytes) + leadFrames;
    this.pump();
  }

  /** SETTRIGGER without output, close: what the pointer has passed is heard, and no more. */
  stop(): void {
    this.#playback.aheadFrames = 0;
    if (this.#ring) {
      this.#ring.cancel();
      this.#playback.halt();
    }
    this.#ring = undefined;
    this.#startMs = Infinity;
    this.#fetchedBytes = this.#fedBytes = this.#toldBytes = 0;
    this.blocks.reset();
    this.dueMs = Infinity;
  }

  /** Write(2) was called, a sign that it has been unmapped, which nobody tells us. */
  leave(): void {
    this.stop();
    this.inUse = false;
  }

  // A fragment that comes late may still be in time, for nobody is told that it is over before it has
  // come; one that comes when all of its time is over is missed.
  #noteLateness(): void {
    const { fragmentBytes, frameBytes } = this.#parameters;
    const overdue = this.#playback.free ? 0 : this.#playback.overdueFrames();
    if (overdue <= 0) return;
    this.#ownLeadMs = Math.min(2 * this.#ownLeadMs, MOST_LEAD_MS);
    if (overdue * frameBytes > fragmentBytes) this.#playback.underruns++;
  }

  /** Where the pointer is: bytes heard since the start, or at the server; all of them fetched. */
  pointerBytes(): number {
    if (this.#startMs === Infinity) return 0;
    // The sink knows, unless it takes everything at once: then a ring needs a clock of its own.
    if (!this.#playback.free) {
      // It may come to want less on its way than it did, but a pointer does not go back.
      const bytes = this.#playback.wantedBytes() - this.#baseBytes;
      return this.#toldBytes = Math.max(this.#toldBytes, bytes);
    }
    const { rateHz, frameBytes } = this.#parameters;
    const frames = Math.floor((this.#now() - this.#startMs) * rateHz / 1000);
    return Math.max(0, Math.min(frames * frameBytes, this.#fedBytes));
  }

  /** When so many bytes will have been heard. */
  #timeOf(bytes: number): number {
    const ahead = bytes - this.pointerBytes();
    return this.#now() + ahead * 1000 / this.#parameters.bytesPerSecond;
  }

  get #leadMs(): number {
    const { fragmentBytes, bufferBytes, bytesPerSecond } = this.#parameters;
    const { leadMs } = this.#options;
    const most = (leadMs === undefined ? fragmentBytes : bufferBytes) / 2;
    return Math.min(leadMs ?? this.#ownLeadMs, most * 1000 / bytesPerSecond);
  }

  /** Fetches the next fragment if it is time; to be called at `dueMs`, and harmless at any time. */
  pump(): void {
    const ring = this.#ring;
    if (!ring) return;
    const { fragmentBytes } = this.#parameters;
    const lead = this.#leadMs;
    const isFirst = this.#fetchedBytes === 0;
    if (!ring.busy && (isFirst || this.#now() >= this.#timeOf(this.#fetchedBytes) - lead)) {
      ring.fetch(this.#fetchedBytes % ring.size, fragmentBytes, this.#feed);
      this.#fetchedBytes += fragmentBytes;
    }
    this.dueMs = ring.busy ? Infinity : this.#timeOf(this.#fetchedBytes) - lead;
    if (this.wakesWanted && this.#startMs !== Infinity) {
      const nextBlock = (this.blocks.completed + 1) * fragmentBytes;
      this.dueMs = Math.min(this.dueMs, this.#timeOf(nextBlock));
    }
  }

  readonly #feed = (bytes: Uint8Array<ArrayBuffer>, start: number, length: number): void => {
    this.#noteLateness();
    this.#playback.write(bytes, start, length);
    this.#fedBytes += length;
    if (this.#startMs === Infinity) this.#startMs = this.#now();
    const ring = this.#ring!;
    if (this.#options.silence && ring.canShow) {
      this.#parameters.format.silence(ring.bytes, (this.#fedBytes - length) % ring.size, length);
      ring.show(this.#fedBytes);
    }
    this.pump();
  };
}
