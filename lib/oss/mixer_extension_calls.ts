// The calls of OSS 4's mixer extension, a row each: mixers by number, and in each a tree of controls
// (mixer_controls.ts). Errors are those of OSS 4's oss_mixer_core.c: ENXIO for a mixer that there is
// not, EIDRM for a control that there is not, or no more.

import { EFAULT, EIDRM, EIO, ENXIO } from "../../ffi/libc.ts";
import type { StructDescription } from "../struct.ts";
import { type Call, fill, int, type Notes } from "./call.ts";
import type { MixerInfo } from "./cards.ts";
import type { MixerGroup } from "./mixer.ts";
import { type HasMixer, MIXER_ID, MIXER_NAME, writeText } from "./mixer_calls.ts";
import { type Control, ControlFlag, controlsOf, ControlType } from "./mixer_controls.ts";
import * as oss from "./soundcard.ts";

const { IOR, IOWR, MixExt, MixerEnumInfo, MixerValue, OssMixerInfo } = oss;

const NOT_BEFORE_OSS4 = { kernel: "EINVAL", osspd: "EINVAL" };

/** The number of the mixer that is meant by `dev`, which for -1 is the file's own. */
function numberOf({ cards, mixer }: HasMixer, dev: number): number {
  return dev === -1 ? cards.mixers.findIndex((info) => info.mixer === mixer) : dev;
}

/** Does something with a mixer, as one of the caller's group; ENXIO if there is none of that number. */
function withMixer(
  target: HasMixer,
  number: number,
  act: (info: MixerInfo, group: MixerGroup) => number,
): number {
  const info = target.cards.mixers[number];
  if (!info) return -ENXIO;
  const { mixer } = info;
  const group = mixer.enter(target.mixerGroup.owner);
  mixer.refresh();
  try {
    return act(info, group);
  } finally {
    mixer.leave(group);
  }
}

/** A call about the control that the struct's `dev` and `ctrl` say. */
function ofControl(
  name: string,
  command: number,
  argument: StructDescription & { readonly dev: number; readonly ctrl: number },
  notes: Notes,
  run: (control: Control, view: DataView, info: MixerInfo) => number,
): Call<HasMixer> {
  return fill(name, command, argument, { ...NOT_BEFORE_OSS4, ...notes }, (target, view) => {
    const dev = view.getInt32(argument.dev, true);
    const ctrl = view.getInt32(argument.ctrl, true);
    return withMixer(target, dev, (info, group) => {
      const control = controlsOf(info.mixer, group)[ctrl];
      return control ? run(control, view, info) : -EIDRM;
    });
  });
}

/** Zeroes a struct but for the ints at its begin that say what is asked. */
function clear(view: DataView, from: number, { $size }: StructDescription): void {
  for (let at = from; at < $size; at++) view.setUint8(at, 0);
}

function flagsOf({ flags, value, description }: Control): number {
  return flags | (value ? ControlFlag.READABLE : 0) | (value?.set ? ControlFlag.WRITEABLE : 0) |
    (description === undefined ? 0 : ControlFlag.DESCR);
}

function writeExt(control: Control, view: DataView): number {
  const put = (at: number, value: number) => view.setInt32(at, value, true);
  clear(view, MixExt.type, MixExt);
  put(MixExt.type, control.type);
  put(MixExt.maxvalue, control.maxvalue);
  put(MixExt.flags, flagsOf(control));
  put(MixExt.parent, control.parent);
  put(MixExt.timestamp, control.timestamp);
  put(MixExt.control_no, control.channel);
  put(MixExt.update_counter, control.value?.changes ?? 0);
  writeText(view, MixExt.id, control.id);
  writeText(view, MixExt.extname, control.path);
  control.names?.forEach((_, i) => {
    const at = MixExt.enum_present + (i >> 3);
    view.setUint8(at, view.getUint8(at) | 1 << (i & 7));
  });
  if (control.type === ControlType.DEVROOT) {
    writeText(view, MixExt.data + oss.MixExtRoot.id, MIXER_ID);
    writeText(view, MixExt.data + oss.MixExtRoot.name, MIXER_NAME);
  }
  return 0;
}

function writeNames({ names }: Control, view: DataView): number {
  if (!names) return -EIO;
  clear(view, MixerEnumInfo.nvalues, MixerEnumInfo);
  view.setInt32(MixerEnumInfo.nvalues, names.length, true);
  let at = 0;
  names.forEach((name, i) => {
    view.setInt16(MixerEnumInfo.strindex + 2 * i, at, true);
    writeText(view, MixerEnumInfo.strings + at, name);
    at += name.length + 1;
  });
  return 0;
}

function writeDescription({ description }: Control, view: DataView): number {
  if (description === undefined) return -EIO;
  clear(view, MixerEnumInfo.nvalues, MixerEnumInfo);
  writeText(view, MixerEnumInfo.strings, description);
  return 0;
}

function isStale({ timestamp }: Control, view: DataView): boolean {
  return view.getInt32(MixerValue.timestamp, true) !== timestamp;
}

function writeInfo(
  view: DataView,
  dev: number,
  { mixer, card, path }: MixerInfo,
  group: MixerGroup,
): void {
  const put = (at: number, value: number) => view.setInt32(at, value, true);
  const text = (at: number, value: string, room: number) =>
    writeText(view, at, value.slice(0, room - 1));
  const MIXER_CAP_VIRTUAL = 0x1;
  clear(view, OssMixerInfo.dev, OssMixerInfo);
  put(OssMixerInfo.dev, dev);
  text(OssMixerInfo.id, MIXER_ID, 16);
  text(OssMixerInfo.name, MIXER_NAME, 32);
  put(OssMixerInfo.modify_counter, mixer.modifications);
  put(OssMixerInfo.card_number, card);
  text(OssMixerInfo.handle, `${MIXER_ID}-${dev}`, 32);
  put(OssMixerInfo.enabled, 1);
  put(OssMixerInfo.caps, MIXER_CAP_VIRTUAL);
  put(OssMixerInfo.nrext, controlsOf(mixer, group).length);
  text(OssMixerInfo.devnode, path, 32);
  put(OssMixerInfo.legacy_device, dev);
}

/** The calls of OSS 4's mixer extension, which every mixer and every dsp answers. */
export const MIXER_EXTENSION_ROWS: readonly Call<HasMixer>[] = [
  int("SNDCTL_MIX_NRMIX", IOR("X", 2), {
    ...NOT_BEFORE_OSS4,
    about: "how many mixers there are",
  }, ({ cards }) => cards.mixers.length),
  int("SNDCTL_MIX_NREXT", IOWR("X", 3), {
    ...NOT_BEFORE_OSS4,
    about: "how many controls a mixer has; -1 is the mixer that is asked",
  }, (target, dev) =>
    withMixer(
      target,
      numberOf(target, dev),
      ({ mixer }, group) => controlsOf(mixer, group).length,
    )),
  ofControl(
    "SNDCTL_MIX_EXTINFO",
    IOWR("X", 4, MixExt.$size),
    MixExt,
    { about: "what a control is" },
    (control, view) => writeExt(control, view),
  ),
  ofControl(
    "SNDCTL_MIX_READ",
    IOWR("X", 5, MixerValue.$size),
    MixerValue,
    { about: "the value of a control" },
    (control, view) => {
      if (isStale(control, view)) return -EIDRM;
      if (!control.value) return -EFAULT;
      view.setInt32(MixerValue.value, control.value.get(), true);
      return 0;
    },
  ),
  ofControl(
    "SNDCTL_MIX_WRITE",
    IOWR("X", 6, MixerValue.$size),
    MixerValue,
    { about: "moves a control" },
    (control, view) => {
      if (!control.value?.set) return -EFAULT;
      if (isStale(control, view)) return -EIDRM;
      control.value.set(view.getInt32(MixerValue.value, true));
      view.setInt32(MixerValue.value, control.value.get(), true);
      return 0;
    },
  ),
  ofControl(
    "SNDCTL_MIX_ENUMINFO",
    IOWR("X", 8, MixerEnumInfo.$size),
    MixerEnumInfo,
    { about: "what the values of a control are called" },
    writeNames,
  ),
  fill(
    "SNDCTL_MIXERINFO",
    IOWR("X", 10, OssMixerInfo.$size),
    OssMixerInfo,
    {
      ...NOT_BEFORE_OSS4,
      about: "what a mixer is; -1 is the mixer that is asked",
      oss4: "EINVAL for -1 on a dsp",
    },
    (target, view) => {
      const number = numberOf(target, view.getInt32(OssMixerInfo.dev, true));
      return withMixer(target, number, (info, group) => {
        writeInfo(view, number, info, group);
        return 0;
      });
    },
  ),
  ofControl(
    "SNDCTL_MIX_DESCRIPTION",
    IOWR("X", 14, MixerEnumInfo.$size),
    MixerEnumInfo,
    { about: "what a control does, for people" },
    writeDescription,
  ),
];
