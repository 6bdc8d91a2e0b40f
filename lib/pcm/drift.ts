// Two clocks that run beside each other: how far one gets ahead of the other, and a queue from which
// one frame more or less is taken now and then, unheard, so that it does not.

import type { FrameQueue } from "./converter.ts";

// A level is looked at through a mean over so long: what comes in steps seems to jump.
const MEAN_MS = 2000;

// What the mean may be off before anything is done about it: clocks that agree lose nothing.
const DEAD_MS = 3;

// What is beyond that is made up for in so long. The level is off by as much as the clocks drift in it:
// 2 ms at 200 ppm.
const RECOVERY_MS = 10_000;

/** Says when a queue between two clocks must give a frame more or less. */
export class DriftControl {
  readonly #framesPerMs: number;
  readonly #jumpFrames: number;
  #startMs = NaN;
  #lastMs = 0;
  /** The mean, and what it was when the queue had filled. */
  #mean = 0;
  #wanted = NaN;
  /** Frames that are to be made up for; a whole one is a slip. */
  #owed = 0;

  /** @param jumpMs what is off by more than that is no drift: it begins anew */
  constructor(rateHz: number, jumpMs = Infinity) {
    this.#framesPerMs = rateHz / 1000;
    this.#jumpFrames = jumpMs * this.#framesPerMs;
  }

  /** The queue begins anew. */
  reset(): void {
    this.#startMs = this.#wanted = NaN;
    this.#owed = 0;
  }

  /**
   * Notes how many frames wait at a time; those that will come at once, had they come steadily, counted.
   *
   * @returns 1 when a frame too many waits, -1 when one too few, else 0
   */
  note(level: number, nowMs: number): -1 | 0 | 1 {
    if (Number.isNaN(this.#startMs)) {
      this.#startMs = this.#lastMs = nowMs;
      this.#mean = level;
      return 0;
    }
    const passedMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    this.#mean += (level - this.#mean) * Math.min(1, passedMs / MEAN_MS);
    if (nowMs - this.#startMs < 2 * MEAN_MS) return 0;
    if (Number.isNaN(this.#wanted)) this.#wanted = this.#mean;
    const off = this.#mean - this.#wanted;
    if (Math.abs(off) > this.#jumpFrames) {
      this.reset();
      return 0;
    }
    const excess = Math.sign(off) * Math.max(0, Math.abs(off) - DEAD_MS * this.#framesPerMs);
    if (excess === 0) this.#owed = 0;
    this.#owed += excess * passedMs / RECOVERY_MS;
    if (Math.abs(this.#owed) < 1) return 0;
    const slip = this.#owed > 0 ? 1 : -1;
    this.#owed -= slip;
    return slip;
  }
}

// Over how many frames one more or less is spread: the sound is fast or slow by 0.1 % meanwhile.
const SLIP_FRAMES = 1024;

// Frames on each side that a frame between two others is made of.
const REACH = 24;

// Of the window: its noise is below that of 16 bits up to 0.8 of what the rate can hold.
const KAISER_BETA = 9;

let rows: Float64Array[] = [];

/**
 * Makes the filters for slips, for each place between two frames what those around it count for there:
 * some 20 ms of work, to be done before there are clients.
 */
export function prepareSlips(): void {
  if (rows.length > 0) return;
  const bessel = (x: number) => {
    let [sum, term] = [1, 1];
    for (let k = 1; term > 1e-12 * sum; k++) sum += term *= (x / 2 / k) ** 2;
    return sum;
  };
  const atCentre = bessel(KAISER_BETA);
  const weight = (distance: number) => {
    if (distance === 0) return 1;
    const angle = Math.PI * distance;
    const edge = Math.sqrt(Math.max(0, 1 - (distance / REACH) ** 2));
    return Math.sin(angle) / angle * bessel(KAISER_BETA * edge) / atCentre;
  };
  rows = Array.from(
    { length: SLIP_FRAMES },
    (_, k) =>
      Float64Array.from(
        { length: 2 * REACH },
        (_, tap) => weight(tap - REACH + 1 - k / SLIP_FRAMES),
      ),
  );
}

/** Takes frames from a queue as they are, but for slips, which must have been prepared. */
export class SlipReader {
  readonly #queue: FrameQueue;
  /** Frames at the queue's start that have been given, and are kept for what lies between frames. */
  #past = 0;
  /** Which way it slips, and how many frames it has since given; none when it does not. */
  #slip = 0;
  #step = 0;

  constructor(queue: FrameQueue) {
    this.#queue = queue;
  }

  /** Frames that can be read. */
  get length(): number {
    return this.lengthWith(0);
  }

  /** Frames that can be read when so many more are in the queue. */
  lengthWith(frames: number): number {
    return Math.max(0, frames - this.missing(0));
  }

  /** How many frames must come for so many to be read. */
  missing(frames: number): number {
    return frames - (this.#queue.length - this.#past) + (this.#slip === 0 ? 0 : REACH + 1);
  }

  /** Takes one frame more (1) than it gives, or less (-1), from here on; false if it slips already. */
  slip(by: 1 | -1): boolean {
    if (this.#slip !== 0 || this.#past <= REACH) return false;
    this.#slip = by;
    this.#step = 0;
    return true;
  }

  /** Puts up to `frames` frames at `target`'s start; returns how many. */
  read(target: Float64Array<ArrayBuffer>, frames: number): number {
    const { channels } = this.#queue;
    let given = 0;
    while (given < frames && this.length > 0) {
      if (this.#slip === 0) {
        const count = Math.min(frames - given, this.length);
        const whole = this.#queue.first(this.#past + count);
        target.set(whole.subarray(this.#past * channels), given * channels);
        this.#past += count;
        given += count;
      } else this.#between(target, given++ * channels);
    }
    this.#forget();
    return given;
  }

  /** Makes one frame of those around the place that it has slipped to. */
  #between(target: Float64Array<ArrayBuffer>, at: number): void {
    const { channels } = this.#queue;
    const back = this.#slip < 0 && this.#step > 0;
    const row = rows[back ? SLIP_FRAMES - this.#step : this.#step];
    const first = this.#past - (back ? 1 : 0) - REACH + 1;
    const samples = this.#queue.first(first + 2 * REACH);
    for (let channel = 0; channel < channels; channel++) {
      let sum = 0;
      for (let tap = 0, i = first * channels + channel; tap < row.length; tap++, i += channels) {
        sum += row[tap] * samples[i];
      }
      target[at + channel] = sum;
    }
    this.#past++;
    if (++this.#step < SLIP_FRAMES) return;
    this.#past += this.#slip;
    this.#slip = 0;
  }

  #forget(): void {
    const kept = REACH + 1;
    if (this.#past <= kept) return;
    this.#queue.drop(this.#past - kept);
    this.#past = kept;
  }

  /** Passes over up to `frames` frames. */
  skip(frames: number): void {
    this.#past += Math.min(frames, this.length);
    this.#forget();
  }

  /** Forgets what it has given: the queue is another sound's. */
  clear(): void {
    this.#past = this.#slip = 0;
  }
}
