// An open dsp as a program sees it: its parameters and its two halves, whatever carries its calls.

import type { Source } from "../backend/source.ts";
import { Capture } from "./capture.ts";
import type { Mixer } from "./mixer.ts";
import { Parameters } from "./parameters.ts";
import { Playback, type PlaybackHost } from "./playback.ts";

/** One open of /dev/dsp; descriptors that dup(2) and fork(2) make of it share it. */
export class Dsp {
  readonly parameters = new Parameters();
  readonly playback: Playback;
  /** Undefined where nothing can be recorded: by the way it was opened, or for want of a source. */
  readonly capture: Capture | undefined;

  /** Whether SNDCTL_DSP_NONBLOCK was called: as O_NONBLOCK, whatever the descriptor says. */
  nonblocking = false;

  constructor(host: PlaybackHost, readonly mixer: Mixer, source?: Source) {
    this.playback = new Playback(this.parameters, host);
    this.capture = source && new Capture(this.parameters, { ...host, source });
  }

  /**
   * Whether format, rate and channels can change now: what was written under the old ones has been
   * played. If not, it is made to be, and the caller has to wait until `playback.drained`.
   */
  settle(): boolean {
    this.playback.drain();
    return this.playback.drained;
  }

  /** Format, rate or channels have changed: both halves begin anew. */
  renew(): void {
    this.playback.close();
    this.capture?.close();
  }

  /** RESET. */
  reset(): void {
    this.playback.reset();
    this.capture?.reset();
  }

  /** Whether the fragments can change now, in both halves: nothing is in them. */
  rebuffer(): boolean {
    return (this.capture?.rebuffer() ?? true) && this.playback.rebuffer();
  }
}
