// The source of a test tone: a sine on all channels, in phase.

import type { ClockKind } from "../pcm/clock.ts";
import { ClockedSourceStream } from "./silence.ts";
import type { PcmParameters } from "./sink.ts";
import type { Source, SourceStream } from "./source.ts";

// Half of full scale, -6 dB: loud, and nothing clips when two such are mixed.
const AMPLITUDE = 0.5;

class ToneStream extends ClockedSourceStream {
  readonly #frequencyHz: number;
  #samples = new Float64Array(0);

  constructor(clock: ClockKind, parameters: PcmParameters, frequencyHz: number) {
    super(clock, parameters);
    this.#frequencyHz = frequencyHz;
  }

  protected override make(target: Uint8Array<ArrayBuffer>, position: number, frames: number) {
    const { format, channels, rateHz } = this.parameters;
    if (this.#samples.length < frames * channels) {
      this.#samples = new Float64Array(frames * channels);
    }
    for (let frame = 0, at = 0; frame < frames; frame++) {
      // Whole periods are taken away before the sine: the tone stays true for days.
      const periods = (position + frame) * this.#frequencyHz / rateHz % 1;
      const sample = AMPLITUDE * Math.sin(2 * Math.PI * periods);
      for (let channel = 0; channel < channels; channel++) this.#samples[at++] = sample;
    }
    format.encode(this.#samples, 0, target, 0, frames * channels);
  }
}

/** A tone. */
export class ToneSource implements Source {
  constructor(readonly clock: ClockKind, readonly frequencyHz: number) {}

  open(parameters: PcmParameters): SourceStream {
    return new ToneStream(this.clock, parameters, this.frequencyHz);
  }

  close(): void {}
}
