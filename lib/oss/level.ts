// A level of a mixer: percent of each side, and whether it is muted.

import { FULL_LEVEL, LEVEL_MUTED } from "../pcm/volume.ts";

/** Percent left, and right in the next byte, each kept to 100. */
function clamp(level: number): number {
  const left = Math.min(level & 0xff, 100);
  const right = Math.min(level >>> 8 & 0xff, 100);
  return left | right << 8;
}

/** One level, at its most until somebody moves it. */
export class Level {
  /** How often it has been moved. */
  changes = 0;
  #word = FULL_LEVEL;

  /** Whether it has ever been moved. */
  get isSet(): boolean {
    return this.changes > 0;
  }

  /** All of it, as lib/pcm/volume.ts has it. */
  get word(): number {
    return this.#word;
  }

  /** Percent left, and right in the next byte, muted or not. */
  get sides(): number {
    return this.#word & 0xffff;
  }

  get muted(): boolean {
    return (this.#word & LEVEL_MUTED) !== 0;
  }

  /** The sides as OSS 3 tells them: 0 when it is muted, as in snd-mixer-oss. */
  get shown(): number {
    return this.muted ? 0 : this.sides;
  }

  /** Moves all of it. */
  set(word: number): void {
    this.#word = clamp(word) | word & LEVEL_MUTED;
    this.changes++;
  }

  /** Moves the sides as OSS 3 does, which knows no other way to end a mute than to raise a level. */
  setShown(sides: number): void {
    this.set(clamp(sides) | (clamp(sides) === 0 ? this.#word & LEVEL_MUTED : 0));
  }

  /** Moves the sides. */
  setSides(sides: number): void {
    this.set(sides & 0xffff | this.#word & LEVEL_MUTED);
  }

  mute(muted: boolean): void {
    this.set(this.sides | (muted ? LEVEL_MUTED : 0));
  }

  /** Begins as another one is: it has been moved if that has. */
  copy(other: Level): void {
    this.#word = other.word;
    this.changes = other.isSet ? 1 : 0;
  }
}
