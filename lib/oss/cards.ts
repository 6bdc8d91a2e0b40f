// All sound cards of a run, as the calls that describe a machine (SYSINFO, CARDINFO, AUDIOINFO,
// MIXERINFO) and /dev/sndstat tell of them. Whoever has the cards fills it in; here it is only read.

import type { Client } from "../backend/sink.ts";
import type { Dsp } from "./dsp.ts";
import type { Mixer } from "./mixer.ts";

/** One sound card: a sink, a source and a mixer, with the devices in front of them. */
export interface CardInfo {
  /** Its name, e.g. "ossp" or "headset". */
  readonly name: string;
  /** Where its sound goes and comes from, e.g. "pulse, recorded from tone:440". */
  readonly about: string;
}

/**
 * An audio device. The files of a card that lead to the same sink and source (dsp, adsp, audio, dspW)
 * are one device; the two ends of a loopback are two.
 */
export interface AudioInfo {
  /** Its card's place in `cards`. */
  readonly card: number;
  /** Its mixer's place in `mixers`, -1 for none. */
  readonly mixer: number;
  /** For people, e.g. "ossp: pulse". */
  readonly name: string;
  /** Where programs find it, e.g. "/dev/dsp". */
  readonly path: string;
  /** Whether it can be recorded from; all can be played to. */
  readonly records: boolean;
}

/** A mixer device. */
export interface MixerInfo {
  /** Its card's place in `cards`. */
  readonly card: number;
  /** For people. */
  readonly name: string;
  /** Where programs find it, e.g. "/dev/mixer". */
  readonly path: string;
  readonly mixer: Mixer;
}

/** A stream that is open, or closed by its program but not played to its end. */
export interface OpenStream {
  /** The name of the file that it was opened by, e.g. "dspW". */
  readonly name: string;
  readonly client: Client;
  readonly dsp: Dsp;
  /** Whether its program has closed it. */
  readonly released: boolean;
}

/** Everything. The arrays' indices are the numbers that programs ask by. */
export interface Cards {
  readonly cards: readonly CardInfo[];
  readonly audios: readonly AudioInfo[];
  readonly mixers: readonly MixerInfo[];
  /** What is open at this moment, in the order of opening; `dsp.audio` is its device. */
  readonly streams: Iterable<OpenStream>;
}
