// What an open dsp has agreed on: format, rate, channels, and how its buffer is cut into fragments.
// The rules are OSS's: any order of calls, values out of range moved into it, what is set returned.

import { type Placement, placement, type Speaker } from "../pcm/channels.ts";
import { AFMT_U8, formatByAfmt, FORMATS, type SampleFormat } from "../pcm/format.ts";
import { DSP_BIND_CENTER_LFE, DSP_BIND_FRONT, DSP_BIND_SURR } from "./soundcard.ts";

/** The limits that SPEED and CHANNELS keep to. */
export const MIN_RATE_HZ = 1;
export const MAX_RATE_HZ = 384_000;
export const MAX_CHANNELS = 8;

/** The most bytes that all fragments have together. */
export const MAX_BUFFER_BYTES = 4 << 20;

const MIN_FRAGMENT_SHIFT = 4;
const MAX_FRAGMENT_SHIFT = 20;

// Fragments when the program does not say: a power of two of at most this time, and this many. The
// buffer is then 170 to 340 ms, as sound cards' drivers made it.
const DEFAULT_FRAGMENT_SECONDS = 0.0214;
const DEFAULT_FRAGMENTS = 16;

// A fragment is a wake-up of the program and of the server: shorter ones than this are made longer.
const MIN_FRAGMENT_SECONDS = 0.001;

// BIND_CHANNEL's pairs of loudspeakers.
const PAIRS: readonly (readonly [flag: number, speakers: readonly Speaker[]])[] = [
  [DSP_BIND_FRONT, ["L", "R"]],
  [DSP_BIND_SURR, ["LS", "RS"]],
  [DSP_BIND_CENTER_LFE, ["C", "LFE"]],
];

/** Those that there are. */
export const PAIR_MASK = PAIRS.reduce((mask, [flag]) => mask | flag, 0);

/** The mask of all formats that there are. */
export const SUPPORTED_FORMATS = FORMATS.reduce((mask, format) => mask | format.afmt, 0);

/** The parameters of an open dsp, from 8 kHz mono on, as OSS opens it. */
export class Parameters {
  format: SampleFormat;
  rateHz = 8000;
  channels = 1;
  /** The pairs of loudspeakers that BIND_CHANNEL asked for, 0 when it did not. */
  #pairs = 0;
  /** log2 of the fragment size that SETFRAGMENT asked for, 0 when it did not. */
  #fragmentShift = 0;
  /** The most fragments that SETFRAGMENT asked for. */
  #fragmentLimit = 0;
  /** The divisor that SUBDIVIDE asked for. */
  #subdivision = 1;
  /** Seconds of a fragment when the program does not say. */
  #defaultSeconds = DEFAULT_FRAGMENT_SECONDS;
  /** The bytes of room, or of sound, that poll(2) waits for; 0 where LOW_WATER has not been called. */
  #lowWater = 0;

  /** @param format what it begins with: /dev/dsp has unsigned 8 bit */
  constructor(format = formatByAfmt(AFMT_U8)!) {
    this.format = format;
  }

  /** The mask of formats that GETFMTS returns. */
  get formats(): number {
    return SUPPORTED_FORMATS;
  }

  /** Bytes of one sample of every channel. */
  get frameBytes(): number {
    return this.format.bytes * this.channels;
  }

  get bytesPerSecond(): number {
    return this.frameBytes * this.rateHz;
  }

  /** Bytes of one fragment, a power of two. */
  get fragmentBytes(): number {
    const least = powerOfTwoAbove(this.bytesPerSecond * MIN_FRAGMENT_SECONDS);
    if (this.#fragmentShift > 0) return Math.max(1 << this.#fragmentShift, least);
    return Math.max(1 << MIN_FRAGMENT_SHIFT, least, this.#defaultFragmentBytes / this.#subdivision);
  }

  /** How many fragments the buffer has: two or more. */
  get fragments(): number {
    const size = this.fragmentBytes;
    const wanted = this.#fragmentShift > 0 && this.#fragmentLimit < NO_FRAGMENT_LIMIT
      ? this.#fragmentLimit
      : DEFAULT_FRAGMENTS * Math.max(1, this.#defaultFragmentBytes / size);
    return Math.max(2, Math.min(Math.floor(wanted), Math.floor(MAX_BUFFER_BYTES / size)));
  }

  /** Bytes of all fragments. */
  get bufferBytes(): number {
    return this.fragmentBytes * this.fragments;
  }

  get #defaultFragmentBytes(): number {
    return powerOfTwoBelow(this.bytesPerSecond * this.#defaultSeconds);
  }

  /** The bytes of room, or of sound, that poll(2) waits for. */
  get wakeBytes(): number {
    // A buffer of which more is free than all but a fragment may never be seen.
    return Math.min(this.#lowWater || this.fragmentBytes, this.bufferBytes - this.fragmentBytes);
  }

  /** SETFMT: a format that there is not becomes U8, as the kernel's OSS has it. */
  setFormat(afmt: number): void {
    this.format = formatByAfmt(afmt) ?? formatByAfmt(AFMT_U8)!;
  }

  /** SPEED. */
  setRate(rateHz: number): void {
    this.rateHz = Math.max(MIN_RATE_HZ, Math.min(MAX_RATE_HZ, rateHz));
  }

  /** CHANNELS. */
  setChannels(channels: number): void {
    this.channels = Math.max(1, Math.min(MAX_CHANNELS, channels));
  }

  /**
   * BIND_CHANNEL: the channels are these pairs of loudspeakers', of `PAIR_MASK`. Where there are more
   * channels than those, or fewer, they are as without.
   */
  setPairs(pairs: number): void {
    this.#pairs = pairs;
  }

  /** The pairs of loudspeakers in force. */
  get pairs(): number {
    if (this.#pairs !== 0) return this.#pairs;
    return this.channels < 4
      ? DSP_BIND_FRONT
      : this.channels < 6
      ? DSP_BIND_FRONT | DSP_BIND_SURR
      : PAIR_MASK;
  }

  /** Where the channels are heard, if not at the usual loudspeakers of as many. */
  get placement(): Placement | undefined {
    if (this.#pairs === 0) return undefined;
    const speakers = PAIRS.flatMap(([flag, pair]) => this.#pairs & flag ? pair : []);
    return placement(this.channels, speakers);
  }

  /**
   * SETFRAGMENT's argument: the most fragments in the upper half, log2 of their size in the lower.
   *
   * @returns false when the size makes no sense
   */
  setFragment(argument: number): boolean {
    const shift = argument & 0xffff;
    if (shift > 24) return false; // snd-pcm-oss's limit
    this.#fragmentShift = Math.max(MIN_FRAGMENT_SHIFT, Math.min(MAX_FRAGMENT_SHIFT, shift));
    this.#fragmentLimit = Math.max(2, argument >>> 16);
    return true;
  }

  /** SUBDIVIDE: fragments of a half, a quarter and so on of the default size. */
  setSubdivision(divisor: number): boolean {
    if (![1, 2, 4, 8, 16].includes(divisor)) return false;
    this.#subdivision = divisor;
    return true;
  }

  /**
   * POLICY: fragments for the least delay (0) to the fewest wake-ups (10); SETFRAGMENT overrules it.
   * The manual gives no times: two steps are twice the time, and 5 is what there is without it.
   *
   * @returns false when there is no such policy
   */
  setPolicy(policy: number): boolean {
    if (policy < 0 || policy > 10) return false;
    this.#defaultSeconds = DEFAULT_FRAGMENT_SECONDS * 2 ** ((policy - 5) / 2);
    return true;
  }

  /** LOW_WATER: the bytes that poll(2) waits for, instead of a fragment. */
  setLowWater(bytes: number): void {
    this.#lowWater = Math.max(0, bytes);
  }

  /** The divisor in force. */
  get subdivision(): number {
    return this.#subdivision;
  }
}

// SETFRAGMENT with this many fragments means: as many as you have.
const NO_FRAGMENT_LIMIT = 0x7fff;

function powerOfTwoBelow(value: number): number {
  return 2 ** Math.floor(Math.log2(Math.max(1, value)));
}

function powerOfTwoAbove(value: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, value)));
}
