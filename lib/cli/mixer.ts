// ossp mixer: an OSS client. It lists, reads and moves the controls of a mixer, by the system calls that
// any program would make: OSS 4's where the mixer has them, else OSS 3's.

import { EIDRM, O_RDONLY, SystemError } from "../../ffi/libc.ts";
import { ControlType } from "../oss/mixer_controls.ts";
import {
  IOR,
  IOWR,
  MIXER_CHANNEL_CONSTANTS,
  MIXER_CHANNELS,
  MixerEnumInfo,
  MixerValue,
  MixExt,
  OssMixerInfo,
  SOUND_MIXER_DEVMASK,
} from "../oss/soundcard.ts";
import { EX_UNAVAILABLE, Failure, usage } from "./failure.ts";
import { helpText, parseOptions, type Subcommand } from "./options.ts";
import { DEVICE_OPTION, OssDevice } from "./oss_device.ts";

// How often what is asked for may vanish while it is asked for: streams come and go.
const MOST_TRIES = 5;

export const MIXER: Subcommand = {
  name: "mixer",
  operands: "[list | get CONTROL | set CONTROL VALUE]",
  about:
    "List, read or move the controls of a mixer: a card's, and those of the programs that play.",
  options: [{ ...DEVICE_OPTION, default: "/dev/mixer" }],
  notes:
    "A line of the list is a control's name, its level in percent of the left and the right side " +
    "or its value, on or muted, and what it is. VALUE is a level (75, 75%, 80:60), a change (+5, -5), " +
    "mute, unmute, toggle, or the name of a value. pcm and igain are the levels of the caller's own " +
    "programs unless ossp run was told another --mixer-scope; another program's has that one's name.",
  run: mixer,
};

function mixer(args: string[]): number {
  const parsed = parseOptions(MIXER, args);
  if (parsed.values.help) {
    console.log(helpText(MIXER));
    return 0;
  }
  const [verb = "list", ...operands] = parsed.operands;
  const wanted = { list: 0, get: 1, set: 2 }[verb];
  if (wanted === undefined) throw usage("mixer", `${verb}: list, get or set is wanted`);
  if (operands.length !== wanted) {
    throw usage(
      "mixer",
      `${verb} wants ${["nothing", "a CONTROL", "a CONTROL and a VALUE"][wanted]}`,
    );
  }
  try {
    using device = new OssDevice(parsed.values.device!, O_RDONLY);
    for (let tries = 1;; tries++) {
      try {
        return act(device, operands);
      } catch (error) {
        if (!isGone(error) || tries === MOST_TRIES) throw error;
      }
    }
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(EX_UNAVAILABLE, (error as Error).message);
  }
}

/** Whether a control was another one when it was asked for. */
function isGone(error: unknown): boolean {
  return error instanceof SystemError && error.errno === EIDRM;
}

function act(device: OssDevice, [name, value]: readonly string[]): number {
  const controls = controlsOf(device);
  if (name === undefined) {
    list(controls);
    return 0;
  }
  const control = controls.find((control) => control.name === name);
  if (!control) {
    throw new Failure(
      EX_UNAVAILABLE,
      `${name}: ${device.path} has no such control (see ossp mixer)`,
    );
  }
  if (value === undefined) console.log(control.show());
  else control.set(value);
  return 0;
}

function list(controls: readonly Control[]): void {
  const lines = controls.map((control) => ({ control, value: control.show() }));
  const names = Math.max(...lines.map(({ control: { name } }) => name.length));
  const values = Math.max(...lines.map(({ value }) => value.length));
  for (const { control: { name, about }, value } of lines) {
    console.log(`${name.padEnd(names)}  ${value.padEnd(values)}  ${about}`.trimEnd());
  }
}

/** A control as this command has it: a slider with its mute switch is one. */
interface Control {
  readonly name: string;
  /** What it is, for people; may be empty. */
  readonly about: string;
  /** Its value now. */
  show(): string;
  /** @throws {Failure} if it cannot be set to that */
  set(value: string): void;
}

/** @throws {SystemError} EIDRM if they have changed meanwhile */
function controlsOf(device: OssDevice): Control[] {
  let count: number;
  try {
    count = device.call("SNDCTL_MIX_NREXT", IOWR("X", 3), -1);
  } catch {
    return channelsOf(device);
  }
  const dev = device.call("SNDCTL_MIXERINFO", IOWR("X", 10, OssMixerInfo.$size), -1);
  const nodes = Array.from({ length: count }, (_, ctrl) => readNode(device, { dev, ctrl }));
  const controls: Control[] = [];
  for (const [i, node] of nodes.entries()) {
    const next = nodes[i + 1];
    if (node.type === ControlType.STEREOSLIDER) {
      const isMute = next?.type === ControlType.MUTE && next.parent === node.parent;
      controls.push(new Slider(device, node, isMute ? next : undefined));
    } else if (node.type === ControlType.ENUM) controls.push(new Enumeration(device, node));
  }
  return controls;
}

/** The numbers of a mixer and of one of its controls. */
interface Place {
  readonly dev: number;
  readonly ctrl: number;
}

/** A node of OSS 4's tree. */
interface Node extends Place {
  readonly type: number;
  readonly parent: number;
  readonly timestamp: number;
  readonly path: string;
  readonly about: string;
}

function textAt(view: DataView<ArrayBuffer>, at: number): string {
  const bytes = new Uint8Array(view.buffer, at);
  return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
}

/** A call about a control, whose argument begins with its place. */
function ask(device: OssDevice, name: string, request: number, { dev, ctrl }: Place): void {
  device.argument.setInt32(4, ctrl, true);
  device.call(name, request, dev);
}

function readNode(device: OssDevice, place: Place): Node {
  const { argument } = device;
  ask(device, "SNDCTL_MIX_EXTINFO", IOWR("X", 4, MixExt.$size), place);
  const int = (at: number) => argument.getInt32(at, true);
  const node = {
    ...place,
    type: int(MixExt.type),
    parent: int(MixExt.parent),
    timestamp: int(MixExt.timestamp),
    path: textAt(argument, MixExt.extname),
    about: "",
  };
  const DESCR = 0x8000; // MIXF_DESCR
  if ((int(MixExt.flags) & DESCR) === 0) return node;
  ask(device, "SNDCTL_MIX_DESCRIPTION", IOWR("X", 14, MixerEnumInfo.$size), place);
  return { ...node, about: textAt(argument, MixerEnumInfo.strings) };
}

/** Reads or, given a value, writes a node's. */
function valueOf(device: OssDevice, node: Node, value?: number): number {
  const { argument } = device;
  argument.setInt32(MixerValue.timestamp, node.timestamp, true);
  argument.setInt32(MixerValue.value, value ?? 0, true);
  argument.setInt32(MixerValue.flags, 0, true);
  if (value === undefined) ask(device, "SNDCTL_MIX_READ", IOWR("X", 5, MixerValue.$size), node);
  else ask(device, "SNDCTL_MIX_WRITE", IOWR("X", 6, MixerValue.$size), node);
  return argument.getInt32(MixerValue.value, true);
}

function sidesText(sides: number): string {
  return `${sides & 0xff}:${sides >>> 8 & 0xff}`;
}

/**
 * The sides that a VALUE makes of others.
 *
 * @throws {Failure} if it is none
 */
function sidesOf(text: string, sides: number): number {
  const words = text.split(":");
  const [left, right] = [words[0], words[1] ?? words[0]].map((word, i) => {
    const [, sign, digits] = word.match(/^([+-]?)(\d+)%?$/) ?? [];
    if (digits === undefined || words.length > 2) {
      throw usage("mixer", `${text}: a level such as 75, 75%, 80:60, +5 or -5 is wanted`);
    }
    const from = sign ? sides >>> 8 * i & 0xff : 0;
    return Math.min(100, Math.max(0, from + Number(sign + digits)));
  });
  return left | right << 8;
}

/** A stereo slider, and the switch that mutes it. */
class Slider implements Control {
  readonly name: string;
  readonly about: string;

  constructor(readonly device: OssDevice, readonly node: Node, readonly mute: Node | undefined) {
    this.name = node.path;
    this.about = node.about;
  }

  get #isMuted(): boolean {
    return this.mute !== undefined && valueOf(this.device, this.mute) !== 0;
  }

  show(): string {
    return `${sidesText(valueOf(this.device, this.node))} ${this.#isMuted ? "muted" : "on"}`;
  }

  set(value: string): void {
    const { device, node, mute } = this;
    const isSwitch = ["mute", "unmute", "toggle"].includes(value);
    if (!isSwitch) valueOf(device, node, sidesOf(value, valueOf(device, node)));
    else if (!mute) throw new Failure(EX_UNAVAILABLE, `${node.path}: cannot be muted`);
    else valueOf(device, mute, Number(value === "toggle" ? !this.#isMuted : value === "mute"));
  }
}

/** A choice of named values. */
class Enumeration implements Control {
  readonly name: string;
  readonly about: string;

  constructor(readonly device: OssDevice, readonly node: Node) {
    this.name = node.path;
    this.about = node.about;
  }

  get #names(): string[] {
    const { argument } = this.device;
    ask(this.device, "SNDCTL_MIX_ENUMINFO", IOWR("X", 8, MixerEnumInfo.$size), this.node);
    return Array.from({ length: argument.getInt32(MixerEnumInfo.nvalues, true) }, (_, i) => {
      const at = argument.getInt16(MixerEnumInfo.strindex + 2 * i, true);
      return textAt(argument, MixerEnumInfo.strings + at);
    });
  }

  show(): string {
    return this.#names[valueOf(this.device, this.node)];
  }

  set(value: string): void {
    const names = this.#names;
    const index = names.indexOf(value);
    if (index < 0) throw usage("mixer", `${value}: one of ${names.join(", ")} is wanted`);
    valueOf(this.device, this.node, index);
  }
}

/** The channels of a mixer that knows OSS 3 only. */
function channelsOf(device: OssDevice): Control[] {
  const mask = device.call("SOUND_MIXER_READ_DEVMASK", IOR("M", SOUND_MIXER_DEVMASK));
  return MIXER_CHANNELS.flatMap((name, channel) => {
    if ((mask & 1 << channel) === 0) return [];
    const constant = MIXER_CHANNEL_CONSTANTS[channel];
    const read = () => device.call(`SOUND_MIXER_READ_${constant}`, IOR("M", channel));
    return [{
      name,
      about: "",
      show: () => sidesText(read()),
      set(value: string) {
        device.call(`SOUND_MIXER_WRITE_${constant}`, IOWR("M", channel), sidesOf(value, read()));
      },
    }];
  });
}
