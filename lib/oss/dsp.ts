// An open dsp as a program sees it: its parameters and its two halves, whatever carries its calls.

import type { Source } from "../backend/source.ts";
import type { PageCache } from "../buffer/mapped.ts";
import { Capture } from "./capture.ts";
import { MappedPlayback } from "./mapped.ts";
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

  /** Undefined where the device cannot be mapped. */
  readonly mapped: MappedPlayback | undefined;

  /** Whether SETTRIGGER has output enabled. */
  #outputEnabled = true;

  /** @param pages the file's page cache, where it can be mapped */
  constructor(host: PlaybackHost, readonly mixer: Mixer, source?: Source, pages?: PageCache) {
    this.playback = new Playback(this.parameters, host);
    this.mapped = pages && new MappedPlayback(this.parameters, this.playback, pages, host.now);
    this.capture = source && new Capture(this.parameters, { ...host, source });
  }

  /**
   * Whether format, rate and channels can change now: what was written under the old ones has been
   * played. If not, it is made to be, and the caller has to wait until `playback.drained`. A mapping
   * has no end to wait for: it stops.
   */
  settle(): boolean {
    if (this.mapped?.running) this.mapped.stop();
    this.playback.drain();
    return this.playback.drained;
  }

  get outputEnabled(): boolean {
    return this.#outputEnabled;
  }

  /** SETTRIGGER's output bit: what was written begins to play, or else the mapping does. */
  enableOutput(enabled: boolean): void {
    const { mapped, playback } = this;
    this.#outputEnabled = enabled;
    playback.held = !enabled;
    if (!enabled) {
      mapped?.stop();
      playback.reset();
    } else if (!playback.drained) playback.post();
    else if (mapped?.touched && !mapped.running) mapped.start();
  }

  /** SETTRIGGER's input bit: enabling what was not begins to record, as in snd-pcm-oss. */
  enableInput(enabled: boolean): void {
    const { capture } = this;
    if (!capture || enabled === !capture.held) return;
    capture.held = !enabled;
    if (enabled) capture.start();
    else capture.reset();
  }

  /** Format, rate or channels have changed: both halves begin anew. */
  renew(): void {
    this.mapped?.stop();
    this.playback.close();
    this.capture?.close();
  }

  /** RESET. */
  reset(): void {
    this.mapped?.stop();
    this.playback.reset();
    this.capture?.reset();
  }

  /** Whether the fragments can change now, in both halves: nothing is in them. */
  rebuffer(): boolean {
    return !this.mapped?.running && (this.capture?.rebuffer() ?? true) && this.playback.rebuffer();
  }
}
