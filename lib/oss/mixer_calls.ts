// The calls of /dev/mixer, which every dsp answers too, a row each.

import { EINVAL } from "../../ffi/libc.ts";
import type { Cards } from "./cards.ts";
import { type Call, fill, int, LEVEL, type Notes } from "./call.ts";
import { type Mixer, MIXER_DEVMASK } from "./mixer.ts";
import * as oss from "./soundcard.ts";

const { IOR, IOWR } = oss;

/** What the mixer's calls work on: a mixer, or a dsp, which answers for its mixer. */
export interface HasMixer {
  readonly mixer: Mixer;
  readonly cards: Cards;
}

function mixerRead(
  name: string,
  channel: number,
  notes: Notes,
  read: (mixer: Mixer) => number,
): Call<HasMixer> {
  return int(name, IOR("M", channel), notes, (target) => read(target.mixer));
}

function writeInfo(mixer: Mixer, info: DataView): void {
  writeText(info, oss.MixerInfo.id, "ossp");
  writeText(info, oss.MixerInfo.name, "OSS proxy");
  info.setInt32(oss.MixerInfo.modify_counter, mixer.modifications, true);
}

function writeText(view: DataView, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) view.setUint8(at + i, text.charCodeAt(i));
}

/** The calls of /dev/mixer, which every dsp answers too. */
export const MIXER_ROWS: readonly Call<HasMixer>[] = [
  ...oss.MIXER_CHANNELS.flatMap((name, channel) => [
    mixerRead(
      `SOUND_MIXER_READ_${name.toUpperCase()}`,
      channel,
      { about: `the level of ${name}`, values: LEVEL },
      (mixer) => mixer.level(channel) ?? -EINVAL,
    ),
    int<HasMixer>(
      `SOUND_MIXER_WRITE_${name.toUpperCase()}`,
      IOWR("M", channel),
      { about: `sets the level of ${name}`, values: LEVEL },
      ({ mixer }, level) => mixer.setLevel(channel, level) ?? -EINVAL,
    ),
  ]),
  mixerRead("SOUND_MIXER_READ_OUTSRC", oss.SOUND_MIXER_OUTSRC, {
    about: "the outputs that are chosen",
    values: oss.CHANNEL_MASK,
  }, () => 0),
  mixerRead("SOUND_MIXER_READ_STEREODEVS", oss.SOUND_MIXER_STEREODEVS, {
    about: "the channels that have two sides",
    values: oss.CHANNEL_MASK,
  }, () => MIXER_DEVMASK),
  mixerRead(
    "SOUND_MIXER_READ_CAPS",
    oss.SOUND_MIXER_CAPS,
    { about: "what the mixer can do" },
    () => 0,
  ),
  mixerRead("SOUND_MIXER_READ_RECMASK", oss.SOUND_MIXER_RECMASK, {
    about: "the channels that can be recorded from",
    values: oss.CHANNEL_MASK,
  }, () => 0),
  mixerRead("SOUND_MIXER_READ_DEVMASK", oss.SOUND_MIXER_DEVMASK, {
    about: "the channels that there are",
    values: oss.CHANNEL_MASK,
  }, () => MIXER_DEVMASK),
  mixerRead("SOUND_MIXER_READ_RECSRC", oss.SOUND_MIXER_RECSRC, {
    about: "the channels that are recorded from",
    values: oss.CHANNEL_MASK,
  }, () => 0),
  int("SOUND_MIXER_WRITE_RECSRC", IOWR("M", oss.SOUND_MIXER_RECSRC), {
    about: "chooses the channels to record from",
    values: oss.CHANNEL_MASK,
  }, () => 0),
  fill(
    "SOUND_MIXER_INFO",
    IOR("M", 101, oss.MixerInfo.$size),
    oss.MixerInfo,
    { about: "the mixer's name, and how often a level has been changed" },
    ({ mixer }, info) => writeInfo(mixer, info),
  ),
  fill(
    "SOUND_OLD_MIXER_INFO",
    IOR("M", 101, oss.OldMixerInfo.$size),
    oss.OldMixerInfo,
    { about: "the mixer's name" },
    (_, info) => {
      writeText(info, oss.OldMixerInfo.id, "ossp");
      writeText(info, oss.OldMixerInfo.name, "OSS proxy");
    },
  ),
  int("OSS_GETVERSION", IOR("M", 118), { about: "the version of the API" }, () => oss.OSS_VERSION),
];
