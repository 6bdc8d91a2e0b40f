// The mixer: a master level, and the level of the PCM streams, which together are the gain that
// every stream's samples are multiplied by.

import { gainOfPercent } from "../pcm/volume.ts";
import { SOUND_MIXER_PCM, SOUND_MIXER_VOLUME } from "./soundcard.ts";

/** The channels that there are, as a mask of 1 << SOUND_MIXER_ number. */
export const MIXER_DEVMASK = 1 << SOUND_MIXER_VOLUME | 1 << SOUND_MIXER_PCM;

/** The levels of one mixer, in OSS's form: percent left, percent right in the next byte. */
export class Mixer {
  /** How often a level has been changed. */
  modifications = 0;

  /** The linear gain of all channels together; the object stays the same when levels move. */
  readonly gain = { left: 1, right: 1 };

  readonly #levels = new Map([[SOUND_MIXER_VOLUME, 100 | 100 << 8], [
    SOUND_MIXER_PCM,
    100 | 100 << 8,
  ]]);

  /** A channel's level, undefined when there is no such channel. */
  level(channel: number): number | undefined {
    return this.#levels.get(channel);
  }

  /** Sets a channel's level, each side kept to 100; returns what it became. */
  setLevel(channel: number, level: number): number | undefined {
    if (!this.#levels.has(channel)) return undefined;
    const left = Math.min(level & 0xff, 100);
    const right = Math.min(level >>> 8 & 0xff, 100);
    const kept = left | right << 8;
    this.#levels.set(channel, kept);
    this.modifications++;
    this.gain.left = this.gain.right = 1;
    for (const value of this.#levels.values()) {
      this.gain.left *= gainOfPercent(value & 0xff);
      this.gain.right *= gainOfPercent(value >>> 8);
    }
    return kept;
  }
}
