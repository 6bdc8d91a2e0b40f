// A card's mixer: its volume, and the levels of the streams, which programs move in groups.
//
// "vol" is the card's. "pcm" and "igain", the levels that streams play and record at, are each
// stream's own. A program that moves them on the mixer moves those of its group: of its process group,
// as osspd has it, of its user, or of all, as --mixer-scope says. A stream that is opened later begins
// with its group's levels.

import type { Client, StreamVolume } from "../backend/sink.ts";
import { type Gain, setGain } from "../pcm/volume.ts";
import { Level } from "./level.ts";
import { SOUND_MIXER_IGAIN, SOUND_MIXER_PCM, SOUND_MIXER_VOLUME } from "./soundcard.ts";

/** Whose streams move together: those of a process group, of a user, or all. */
export const MIXER_SCOPES = ["stream", "user", "all"] as const;

export type MixerScope = (typeof MIXER_SCOPES)[number];

/** The levels that a stream has of its own, by what the mixer calls them. */
export type StreamChannel = "pcm" | "igain";

/** The channels that there are, as a mask of 1 << SOUND_MIXER_ number. */
export const MIXER_DEVMASK = 1 << SOUND_MIXER_VOLUME | 1 << SOUND_MIXER_PCM |
  1 << SOUND_MIXER_IGAIN;

// What a group that is idle has set is kept so long, as osspd does: for the next program of a script.
const KEEP_MS = 600_000;

/** What a stream does. */
export interface Halves {
  readonly plays: boolean;
  readonly records: boolean;
}

/** The levels of one open dsp, and the gains that they come to. */
export class StreamLevels {
  /** Undefined what the stream does not do. */
  readonly pcm: Level | undefined;
  readonly igain: Level | undefined;
  /** What samples that are played are multiplied by; the object stays the same when levels move. */
  readonly gain: Gain = { left: 1, right: 1 };
  /** Likewise of samples that are recorded. */
  readonly recordGain: Gain = { left: 1, right: 1 };
  readonly #own: Gain = { left: 1, right: 1 };
  /** The level as its destination keeps it, where that does. */
  #kept: StreamVolume | undefined;

  /**
   * @param name the program's, or one made of it that no other stream has now
   * @param id tells it from all other streams of the mixer, earlier ones too
   */
  constructor(
    readonly mixer: Mixer,
    readonly group: MixerGroup,
    readonly client: Client,
    readonly name: string,
    readonly id: number,
    { plays, records }: Halves,
  ) {
    if (plays) this.pcm = new Level();
    if (records) this.igain = new Level();
    this.pcm?.copy(group.pcm);
    this.igain?.copy(group.igain);
    this.apply();
  }

  /** The level to begin with at a destination that keeps one: undefined for that's own. */
  get level(): number | undefined {
    return this.pcm?.isSet ? this.pcm.word : undefined;
  }

  /** The destination keeps the level, and no gain is laid on the samples for it; or it does no more. */
  keepAt(volume: StreamVolume | undefined): void {
    this.#kept = volume;
    this.apply();
  }

  /** Moves a level of the stream's; false where it has none. */
  move(channel: StreamChannel, move: (level: Level) => void): boolean {
    const level = this[channel];
    if (!level) return false;
    move(level);
    this.mixer.modifications++;
    if (channel === "pcm") this.#kept?.set(level.word);
    this.apply();
    return true;
  }

  /** Takes on what the level has been moved to where it is kept. */
  refresh(): void {
    const level = this.#kept?.take();
    if (level === undefined || !this.pcm) return;
    this.pcm.set(level);
    this.group.pcm.set(level);
    this.mixer.modifications++;
  }

  /** Computes the gains. */
  apply(): void {
    setGain(this.gain, this.mixer.volume.word);
    if (this.pcm && !this.#kept) {
      setGain(this.#own, this.pcm.word);
      this.gain.left *= this.#own.left;
      this.gain.right *= this.#own.right;
    }
    if (this.igain) setGain(this.recordGain, this.igain.word);
  }

  /** The stream ends. */
  close(): void {
    this.keepAt(undefined);
    this.mixer.remove(this);
  }
}

/** Whoever moves pcm and igain together. */
export class MixerGroup {
  /** What was last set: what a stream begins with. */
  readonly pcm = new Level();
  readonly igain = new Level();
  /** How many open files it has. */
  users = 0;
  /** Since when it has none. */
  idleMs = 0;

  constructor(readonly mixer: Mixer, readonly owner: number) {}

  /** The levels of its streams that do what `channel` is of; its own if there are none. */
  #levels(channel: StreamChannel): Level[] {
    const levels: Level[] = [];
    for (const stream of this.mixer.streams) {
      const level = stream.group === this ? stream[channel] : undefined;
      if (level) levels.push(level);
    }
    return levels.length > 0 ? levels : [this[channel]];
  }

  /** The mean of the sides of its streams' levels, as osspd tells it. */
  sides(channel: StreamChannel): number {
    const levels = this.#levels(channel);
    const mean = (shift: number) =>
      Math.round(
        levels.reduce((sum, { sides }) => sum + (sides >>> shift & 0xff), 0) / levels.length,
      );
    return mean(0) | mean(8) << 8;
  }

  /** Whether all of its streams are muted. */
  muted(channel: StreamChannel): boolean {
    return this.#levels(channel).every(({ muted }) => muted);
  }

  /** The sides as OSS 3 tells them: see `Level`. */
  shown(channel: StreamChannel): number {
    return this.muted(channel) ? 0 : this.sides(channel);
  }

  /** Moves the level, and those of its streams. */
  move(channel: StreamChannel, move: (level: Level) => void): void {
    move(this[channel]);
    this.mixer.modifications++;
    for (const stream of this.mixer.streams) {
      if (stream.group === this) stream.move(channel, move);
    }
  }
}

// Names that belong to the mixer's own controls.
const OWN_NAMES = ["vol", "pcm", "igain", "scope"];

// What OSS 4 has room for, less a NUL.
const NAME_LENGTH = 15;

/** A card's mixer. */
export class Mixer {
  /** How often something of it has changed. */
  modifications = 0;

  /** The card's volume, of all that is played. */
  readonly volume = new Level();

  /** What was written to channels that there are not: snd-mixer-oss keeps it. */
  readonly absent = new Map<number, number>();

  readonly #streams = new Set<StreamLevels>();
  readonly #groups = new Map<number, MixerGroup>();
  /** How many streams have been opened, and closed, so far. */
  opened = 0;
  closed = 0;

  constructor(readonly scope: MixerScope = "stream") {}

  /** The streams, in the order in which they were opened. */
  get streams(): ReadonlySet<StreamLevels> {
    return this.#streams;
  }

  /** The group of whoever opens a file; to be left when that is closed. */
  enter(owner: number): MixerGroup {
    const nowMs = performance.now();
    for (const [key, { users, idleMs }] of this.#groups) {
      if (users === 0 && nowMs - idleMs > KEEP_MS) this.#groups.delete(key);
    }
    const group = this.#groups.get(owner) ?? new MixerGroup(this, owner);
    this.#groups.set(owner, group);
    group.users++;
    return group;
  }

  leave(group: MixerGroup): void {
    if (--group.users > 0) return;
    group.idleMs = performance.now();
    if (!group.pcm.isSet && !group.igain.isSet) this.#groups.delete(group.owner);
  }

  /** A stream is opened. */
  add(client: Client, owner: number, halves: Halves): StreamLevels {
    const name = this.#freeName(client.command);
    const id = ++this.opened;
    const stream = new StreamLevels(this, this.enter(owner), client, name, id, halves);
    this.#streams.add(stream);
    this.modifications++;
    return stream;
  }

  #freeName(command: string): string {
    const taken = new Set(OWN_NAMES);
    for (const { name } of this.#streams) taken.add(name);
    // One word of ASCII, whose dots are not a path's.
    const base = command.replace(/[^\w+-]/g, "_").slice(0, NAME_LENGTH);
    let name = base;
    for (let i = 2; taken.has(name); i++) name = `${base.slice(0, NAME_LENGTH - 4)}-${i}`;
    return name;
  }

  remove(stream: StreamLevels): void {
    if (!this.#streams.delete(stream)) return;
    this.leave(stream.group);
    this.modifications++;
    this.closed++;
  }

  /** Takes on what streams' levels have been moved to at their destinations. */
  refresh(): void {
    for (const stream of this.#streams) stream.refresh();
  }

  /** Moves the card's volume. */
  moveVolume(move: (level: Level) => void): void {
    move(this.volume);
    this.modifications++;
    for (const stream of this.#streams) stream.apply();
  }
}
