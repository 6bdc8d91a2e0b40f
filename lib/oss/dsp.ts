// An open dsp as a program sees it: its parameters and its two halves, whatever carries its calls.

import type { Mixer } from "./mixer.ts";
import { Parameters } from "./parameters.ts";
import { Playback, type PlaybackHost } from "./playback.ts";

/** One open of /dev/dsp; descriptors that dup(2) and fork(2) make of it share it. */
export class Dsp {
  readonly parameters = new Parameters();
  readonly playback: Playback;

  /** Whether SNDCTL_DSP_NONBLOCK was called: as O_NONBLOCK, whatever the descriptor says. */
  nonblocking = false;

  constructor(host: PlaybackHost, readonly mixer: Mixer) {
    this.playback = new Playback(this.parameters, host);
  }

  /**
   * Whether format, rate and channels can change now: what was written under the old ones has been
   * played. If not, it is made to be, and the caller has to wait until `playback.drained`.
   */
  settle(): boolean {
    this.playback.drain();
    return this.playback.drained;
  }
}
