// An open dsp as a program sees it: its parameters and its two halves, whatever carries its calls.

import type { Source } from "../backend/source.ts";
import type { PageCache } from "../buffer/mapped.ts";
import type { SampleFormat } from "../pcm/format.ts";
import type { Blocks } from "./blocks.ts";
import { Capture } from "./capture.ts";
import type { Cards } from "./cards.ts";
import type { MappedOptions } from "./mapped_playback.ts";
import { Mapping } from "./mapping.ts";
import type { Mixer, MixerGroup, StreamLevels } from "./mixer.ts";
import { Parameters } from "./parameters.ts";
import { PCM_ENABLE_INPUT, PCM_ENABLE_OUTPUT } from "./soundcard.ts";
import { Playback, type PlaybackHost } from "./playback.ts";
import type { SyncPart } from "./sync_group.ts";

/** What an open can do. */
export interface Abilities {
  /** Whether it was opened for playing. */
  readonly plays: boolean;
  /** The format that it is opened in; unsigned 8 bit if none is said. */
  readonly format?: SampleFormat;
  /** Where it records from; undefined where it does not. */
  readonly source?: Source;
  /** Whether the clocks of what it plays to and records from may drift apart. */
  readonly drifts?: boolean;
  /** The file's page cache; undefined where it cannot be mapped. */
  readonly pages?: PageCache;
}

/** What an open dsp needs of its surroundings. */
export interface DspHost extends Omit<PlaybackHost, "levels"> {
  /** Whose levels the mixer moves together with this one's: see `MixerGroup`. */
  readonly owner: number;
  readonly mappedOptions: MappedOptions;
  /** All cards, and the place of this device among their audio devices. */
  readonly cards: Cards;
  readonly audio: number;
  /** Called when a mapping shows what was last put into it. */
  onShown(): void;
  /** Called when another stream's call has started it. */
  onStarted(): void;
}

/** What GETOPTR or GETIPTR tells of. */
export interface Pointer {
  /** Bytes since the open or the last RESET. */
  pointerBytes(): number;
  readonly blocks: Blocks;
}

/** One open of /dev/dsp; descriptors that dup(2) and fork(2) make of it share it. */
export class Dsp {
  readonly parameters: Parameters;
  /** What it plays and records at. */
  readonly levels: StreamLevels;
  readonly playback: Playback;
  /** Undefined where nothing can be recorded: by the way it was opened, or for want of a source. */
  readonly capture: Capture | undefined;
  /** Undefined where the device cannot be mapped. */
  readonly mapping: Mapping | undefined;

  /** Whether SNDCTL_DSP_NONBLOCK was called: as O_NONBLOCK, whatever the descriptor says. */
  nonblocking = false;

  /**
   * Whether GETIPTR has been called since the recording was triggered or read: then the program looks
   * at a mapping, it seems, and wants to be woken once a fragment.
   */
  followsInput = false;

  readonly cards: Cards;

  /** Whether it was opened for playing. */
  readonly plays: boolean;

  /** What GETERROR has told of already. */
  readonly told = { underruns: 0, overruns: 0 };

  /** The number of its device in `cards.audios`. */
  readonly audio: number;

  /** Its part in a group of SYNCGROUP's. */
  sync: SyncPart | undefined;

  readonly #onStarted: () => void;

  /** The song that is played, by SETSONG. */
  song = "";

  /** What the stream is called, by SETLABEL. */
  label = "";

  /** Whether SETTRIGGER has output enabled. */
  #outputEnabled: boolean;

  constructor(host: DspHost, readonly mixer: Mixer, abilities: Abilities) {
    const { plays, format, source, drifts, pages } = abilities;
    this.parameters = new Parameters(format);
    this.cards = host.cards;
    this.audio = host.audio;
    const halves = { plays, records: source !== undefined };
    this.levels = mixer.add(host.client, host.owner, halves);
    this.playback = new Playback(this.parameters, { ...host, levels: this.levels });
    const gain = this.levels.recordGain;
    const played = drifts && plays ? () => this.playback.heardFrames() : undefined;
    this.capture = source && new Capture(this.parameters, { ...host, source, gain, played });
    this.mapping = pages &&
      new Mapping(this.parameters, plays ? this.playback : undefined, this.capture, {
        pages,
        options: host.mappedOptions,
        now: host.now,
        onShown: host.onShown,
      });
    this.plays = plays;
    this.#outputEnabled = plays;
    this.#onStarted = host.onStarted;
  }

  /** What a program moves that moves the mixer by this file. */
  get mixerGroup(): MixerGroup {
    return this.levels.group;
  }

  /**
   * Whether format, rate and channels can change now: what was written under the old ones has been
   * played. If not, it is made to be, and the caller has to wait until `playback.drained`. A mapping
   * has no end to wait for: it stops.
   */
  settle(): boolean {
    this.mapping?.playback?.stop();
    this.playback.drain();
    return this.playback.drained;
  }

  get outputEnabled(): boolean {
    return this.#outputEnabled;
  }

  /**
   * SETTRIGGER. Output enabled: what was written begins to play, or else a mapping does. Input
   * enabled: what was not begins to record, as in snd-pcm-oss.
   */
  trigger(output: boolean, input: boolean): void {
    this.#triggerOutput(output && this.plays);
    if (this.capture) this.#triggerInput(this.capture, input);
  }

  /** SYNCGROUP: what does not run yet waits for `startInSync`, or a trigger. */
  holdBack(output: boolean, input: boolean): void {
    if (output) this.playback.held = true;
    if (input && this.capture) this.capture.held = true;
  }

  /** SYNCSTART: what was held back runs; its group is one no more. */
  startInSync(): void {
    const { mode = 0 } = this.sync ?? {};
    this.sync = undefined;
    if (mode & PCM_ENABLE_OUTPUT) this.#triggerOutput(true);
    if (mode & PCM_ENABLE_INPUT && this.capture) this.#triggerInput(this.capture, true);
    this.#onStarted();
  }

  #triggerOutput(enabled: boolean): void {
    const { playback } = this;
    const mapped = this.mapping?.touched ? this.mapping.playback : undefined;
    this.#outputEnabled = enabled;
    playback.held = !enabled;
    if (mapped && playback.heard) mapped.inUse = true;
    if (!enabled) {
      if (mapped?.running) mapped.stop();
      else playback.reset();
    } else if (!playback.heard) playback.post();
    else if (!mapped?.running) mapped?.start();
  }

  #triggerInput(capture: Capture, enabled: boolean): void {
    const { mapping } = this;
    // What a mapping plays, another cannot record into: there is one ring.
    const mapped = this.#outputEnabled ? undefined : mapping?.capture;
    const starts = enabled && (capture.held || mapped?.started === false);
    capture.held = !enabled;
    if (!mapped) mapping?.capture?.leave();
    if (!enabled) this.followsInput = false;
    if (!enabled) {
      mapped?.stop();
      return capture.reset();
    }
    if (!starts) return;
    capture.start();
    mapped?.start();
    if (mapping?.touched) mapped?.show();
  }

  /** Fills a page that a program touches: there is a mapping. */
  fillPage(offset: number, target: Uint8Array<ArrayBuffer>, length: number): void {
    const { mapping } = this;
    if (!mapping) {
      target.fill(0, 0, length);
      return;
    }
    mapping.touched = true;
    mapping.capture?.show();
    mapping.ring.fill(offset, target, length);
  }

  /** Read(2) was called: whoever maps the recording does not do that. */
  leaveMappedCapture(): void {
    this.mapping?.capture?.leave();
    this.followsInput = false;
  }

  /** What plays: the mapping, if it is in use. */
  get player(): Pointer {
    const mapped = this.mapping?.playback;
    return mapped?.inUse ? mapped : this.playback;
  }

  /** What records: the mapping, if it is in use. */
  get recorder(): Pointer | undefined {
    const mapped = this.mapping?.capture;
    return mapped?.inUse ? mapped : this.capture;
  }

  /**
   * The recording's fragments as poll(2) sees them, if it is followed by GETIPTR. Where a source has
   * everything at once, none comes until the program has read, which it may wait to be told to.
   */
  get followedBlocks(): Blocks | undefined {
    const { recorder, capture } = this;
    const stands = recorder === capture && capture?.free;
    return this.followsInput && !stands ? recorder?.blocks : undefined;
  }

  /** Format, rate or channels have changed: both halves begin anew. */
  renew(): void {
    this.mapping?.stop();
    this.playback.close();
    this.capture?.close();
  }

  /** The file is closed, and nothing of it is to be heard any more. */
  close(): void {
    this.renew();
    this.levels.close();
  }

  /** RESET. */
  reset(): void {
    this.haltOutput();
    this.haltInput();
  }

  /** SILENCE: what is not on its way yet is silence, of a mapping all of it. */
  silence(): void {
    if (this.plays && this.mapping?.touched) this.mapping.silence();
    this.playback.silence();
  }

  /** HALT_OUTPUT: as RESET, of playing alone. */
  haltOutput(): void {
    this.mapping?.playback?.stop();
    this.playback.reset();
    this.playback.rewind();
  }

  /** HALT_INPUT: as RESET, of recording alone. */
  haltInput(): void {
    this.mapping?.capture?.stop();
    this.capture?.reset();
    this.capture?.rewind();
  }

  /** Whether the fragments can change now, in both halves: nothing is in them. */
  rebuffer(): boolean {
    return !this.mapping?.running && (this.capture?.rebuffer() ?? true) && this.playback.rebuffer();
  }
}
