// The tree of controls that OSS 4's mixer extension shows: the card's own channels, and after a marker
// whose levels its pcm and igain are, and a group for each stream, named after its program.

import type { Level } from "./level.ts";
import {
  type Mixer,
  MIXER_SCOPES,
  type MixerGroup,
  type StreamChannel,
  type StreamLevels,
} from "./mixer.ts";
import { SOUND_MIXER_IGAIN, SOUND_MIXER_PCM, SOUND_MIXER_VOLUME } from "./soundcard.ts";

/** What a control is: MIXT_*, from OSS 4's soundcard.h. */
export const ControlType = {
  DEVROOT: 0,
  GROUP: 1,
  ENUM: 3,
  STEREOSLIDER: 5,
  MARKER: 12,
  MUTE: 21,
} as const;

/** MIXF_*, likewise. */
export const ControlFlag = {
  READABLE: 0x1,
  WRITEABLE: 0x2,
  POLL: 0x4,
  LEGACY: 0x80,
  MAINVOL: 0x400,
  PCMVOL: 0x800,
  RECVOL: 0x1000,
  DESCR: 0x8000,
} as const;

const { POLL, LEGACY, MAINVOL, PCMVOL, RECVOL } = ControlFlag;

// Controls that are always there have this timestamp, those of a stream a later one of their own.
const FIRST_TIMESTAMP = 1;

/** The value of a control. */
export interface ControlValue {
  /** How often it has been moved. */
  readonly changes: number;
  get(): number;
  /** Undefined where it cannot be moved. */
  set?(value: number): void;
}

/** A node of the tree. */
export interface Control {
  readonly type: number;
  /** The number of the group that it is in. */
  readonly parent: number;
  /** Its name in that; a group's slider has none. */
  readonly id: string;
  /** Its name in the tree: a group's slider is called as that. */
  readonly path: string;
  /** `ControlFlag`s, without those that follow from the rest. */
  readonly flags: number;
  readonly maxvalue: number;
  /** The SOUND_MIXER_ number, -1 for none. */
  readonly channel: number;
  /** Tells it from another control that has, or had, the same number. */
  readonly timestamp: number;
  /** For people. */
  readonly description?: string;
  /** The names of an ENUM's values. */
  readonly names?: readonly string[];
  /** Undefined where it has none. */
  readonly value?: ControlValue;
}

/** Something with two sides and a mute switch. */
interface Movable {
  readonly changes: number;
  readonly sides: number;
  readonly muted: boolean;
  move(move: (level: Level) => void): void;
}

class CardVolume implements Movable {
  constructor(readonly mixer: Mixer) {}
  get changes(): number {
    return this.mixer.volume.changes;
  }
  get sides(): number {
    return this.mixer.volume.sides;
  }
  get muted(): boolean {
    return this.mixer.volume.muted;
  }
  move(move: (level: Level) => void): void {
    this.mixer.moveVolume(move);
  }
}

class GroupVolume implements Movable {
  constructor(readonly group: MixerGroup, readonly channel: StreamChannel) {}
  get changes(): number {
    return this.group[this.channel].changes;
  }
  get sides(): number {
    return this.group.sides(this.channel);
  }
  get muted(): boolean {
    return this.group.muted(this.channel);
  }
  move(move: (level: Level) => void): void {
    this.group.move(this.channel, move);
  }
}

class StreamVolume implements Movable {
  constructor(
    readonly stream: StreamLevels,
    readonly channel: StreamChannel,
    readonly level: Level,
  ) {}
  get changes(): number {
    return this.level.changes;
  }
  get sides(): number {
    return this.level.sides;
  }
  get muted(): boolean {
    return this.level.muted;
  }
  move(move: (level: Level) => void): void {
    this.stream.move(this.channel, move);
  }
}

/** Builds a tree from its root on. */
class Tree {
  readonly controls: Control[] = [];
  /** Of the controls that are added from now on. */
  timestamp = FIRST_TIMESTAMP;

  add(control: Partial<Control> & Pick<Control, "type">): number {
    const defaults = { parent: 0, id: "", path: "", flags: 0, maxvalue: 0, channel: -1 };
    return this.controls.push({ ...defaults, timestamp: this.timestamp, ...control }) - 1;
  }

  /** A slider and its mute switch: in `parent`, called as that, or as `id` says. */
  addSlider(
    parent: number,
    id: string,
    what: Movable,
    rest: Pick<Control, "description" | "flags"> & { readonly channel?: number },
  ): void {
    const group = this.controls[parent].path;
    const { flags } = rest;
    this.add({
      ...{ type: ControlType.STEREOSLIDER, parent, id, maxvalue: 100, ...rest },
      path: id === "" ? group : `${group}.${id}`,
      value: {
        get changes() {
          return what.changes;
        },
        get: () => what.sides,
        set: (sides) => what.move((level) => level.setSides(sides)),
      },
    });
    const mute = `${id}mute`;
    this.add({
      ...{ type: ControlType.MUTE, parent, id: mute, path: `${group}.${mute}`, maxvalue: 1, flags },
      value: {
        get changes() {
          return what.changes;
        },
        get: () => Number(what.muted),
        set: (muted) => what.move((level) => level.mute(muted !== 0)),
      },
    });
  }

  addGroup(id: string, flags = 0): number {
    return this.add({ type: ControlType.GROUP, id, path: id, flags });
  }
}

const WHOSE = {
  stream: "of the program's own streams, and of its process group's",
  user: "of the user's streams",
  all: "of all streams",
};

function build(mixer: Mixer, group: MixerGroup): readonly Control[] {
  const { scope } = mixer;
  const tree = new Tree();
  tree.add({ type: ControlType.DEVROOT });
  tree.addSlider(tree.addGroup("vol", LEGACY), "", new CardVolume(mixer), {
    flags: MAINVOL,
    channel: SOUND_MIXER_VOLUME,
    description: "the volume of all that is played",
  });
  tree.addSlider(tree.addGroup("pcm", LEGACY), "", new GroupVolume(group, "pcm"), {
    flags: PCMVOL | POLL,
    channel: SOUND_MIXER_PCM,
    description: `the level ${WHOSE[scope]}`,
  });
  tree.addSlider(tree.addGroup("igain", LEGACY), "", new GroupVolume(group, "igain"), {
    flags: RECVOL | POLL,
    channel: SOUND_MIXER_IGAIN,
    description: `the recording gain ${WHOSE[scope]}`,
  });
  tree.add({ type: ControlType.MARKER });
  tree.add({
    ...{ type: ControlType.ENUM, id: "scope", path: "scope", flags: POLL },
    maxvalue: MIXER_SCOPES.length,
    names: MIXER_SCOPES,
    description: "whose levels pcm and igain are (--mixer-scope)",
    value: { changes: 0, get: () => MIXER_SCOPES.indexOf(scope) },
  });
  for (const stream of mixer.streams) addStream(tree, stream);
  return tree.controls;
}

function addStream(tree: Tree, stream: StreamLevels): void {
  const { client: { command, pid }, pcm, igain } = stream;
  tree.timestamp = FIRST_TIMESTAMP + stream.id;
  const parent = tree.addGroup(stream.name);
  if (pcm) {
    tree.addSlider(parent, "", new StreamVolume(stream, "pcm", pcm), {
      flags: PCMVOL | POLL,
      description: `what ${command} plays (process ${pid})`,
    });
  }
  if (igain) {
    tree.addSlider(parent, "rec", new StreamVolume(stream, "igain", igain), {
      flags: RECVOL | POLL,
      description: `what ${command} records (process ${pid})`,
    });
  }
}

interface Built {
  readonly opened: number;
  readonly closed: number;
  readonly controls: readonly Control[];
}

const built = new WeakMap<MixerGroup, Built>();

/** The controls by number, as whoever belongs to `group` sees them; programs ask for one at a time. */
export function controlsOf(mixer: Mixer, group: MixerGroup): readonly Control[] {
  const { opened, closed } = mixer;
  const last = built.get(group);
  if (last && last.opened === opened && last.closed === closed) return last.controls;
  const controls = build(mixer, group);
  built.set(group, { opened, closed, controls });
  return controls;
}
