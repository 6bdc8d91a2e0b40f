// The calls of /dev/mixer as OSS 3 has them, which every dsp answers too, a row each.

import { EINVAL, EIO } from "../../ffi/libc.ts";
import { type Call, fill, int, LEVEL, type Notes, refused } from "./call.ts";
import type { Cards } from "./cards.ts";
import type { Dsp } from "./dsp.ts";
import type { Level } from "./level.ts";
import { type Mixer, MIXER_DEVMASK, type MixerGroup, type StreamChannel } from "./mixer.ts";
import * as oss from "./soundcard.ts";

const { IOR, IOWR } = oss;

/** What the mixer's calls work on: a mixer's file, or a dsp, which answers for its mixer. */
export interface HasMixer {
  readonly mixer: Mixer;
  /** Whose levels it moves. */
  readonly mixerGroup: MixerGroup;
  readonly cards: Cards;
}

// OSS 4 has "rec" for what snd-mixer-oss and osspd call "igain": here it is another name of that.
const STREAM_CHANNELS: Readonly<Record<number, StreamChannel>> = {
  [oss.SOUND_MIXER_PCM]: "pcm",
  [oss.SOUND_MIXER_RECLEV]: "igain",
  [oss.SOUND_MIXER_IGAIN]: "igain",
};

function readChannel({ mixer, mixerGroup }: HasMixer, channel: number): number {
  mixer.refresh();
  if (channel === oss.SOUND_MIXER_VOLUME) return mixer.volume.shown;
  const ofStreams = STREAM_CHANNELS[channel];
  return ofStreams ? mixerGroup.shown(ofStreams) : mixer.absent.get(channel) ?? 0;
}

function writeChannel(target: HasMixer, channel: number, sides: number): number {
  const { mixer, mixerGroup } = target;
  mixer.refresh();
  const move = (level: Level) => level.setShown(sides);
  const ofStreams = STREAM_CHANNELS[channel];
  if (ofStreams) mixerGroup.move(ofStreams, move);
  else if (channel === oss.SOUND_MIXER_VOLUME) mixer.moveVolume(move);
  else {
    // As in snd-mixer-oss such a channel has one side.
    const left = Math.min(sides & 0xff, 100);
    mixer.absent.set(channel, left | left << 8);
  }
  return readChannel(target, channel);
}

/** The muted channels, as a mask. */
function readMutes({ mixer, mixerGroup }: HasMixer): number {
  mixer.refresh();
  return (mixer.volume.muted ? 1 << oss.SOUND_MIXER_VOLUME : 0) |
    (mixerGroup.muted("pcm") ? 1 << oss.SOUND_MIXER_PCM : 0) |
    (mixerGroup.muted("igain") ? 1 << oss.SOUND_MIXER_IGAIN : 0);
}

function writeMutes(target: HasMixer, mask: number): number {
  const { mixer, mixerGroup } = target;
  const wanted = mask & MIXER_DEVMASK;
  const changed = readMutes(target) ^ wanted;
  const move = (channel: number) => (level: Level) => level.mute((wanted & 1 << channel) !== 0);
  const { SOUND_MIXER_VOLUME, SOUND_MIXER_PCM, SOUND_MIXER_IGAIN } = oss;
  if (changed & 1 << SOUND_MIXER_VOLUME) mixer.moveVolume(move(SOUND_MIXER_VOLUME));
  if (changed & 1 << SOUND_MIXER_PCM) mixerGroup.move("pcm", move(SOUND_MIXER_PCM));
  if (changed & 1 << SOUND_MIXER_IGAIN) mixerGroup.move("igain", move(SOUND_MIXER_IGAIN));
  return readMutes(target);
}

function constant(name: string, channel: number, value: number, notes: Notes): Call<HasMixer> {
  return int(name, IOR("M", channel), notes, () => value);
}

/** Writes a C string. */
export function writeText(view: DataView, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) view.setUint8(at + i, text.charCodeAt(i));
}

/** What a mixer calls itself, which is all that may be its driver's or its card's name. */
export const MIXER_ID = "ossp";
export const MIXER_NAME = "OSS proxy";

const ABSENT: Pick<Notes, "osspd" | "oss4"> = { osspd: "0", oss4: "EINVAL" };

const NOTES: Readonly<Record<number, Partial<Notes>>> = {
  [oss.SOUND_MIXER_VOLUME]: { osspd: "0" },
  [oss.SOUND_MIXER_PCM]: { kernel: "of the card", osspd: "EINVAL above 100", oss4: "of the card" },
  [oss.SOUND_MIXER_RECLEV]: { kernel: "kept, without effect", osspd: "0" },
  [oss.SOUND_MIXER_IGAIN]: { kernel: "of the card", osspd: "EINVAL above 100" },
};

const IGAIN_MASK = 1 << oss.SOUND_MIXER_IGAIN;

/** Calls that the kernel refuses too. */
function notThere(name: string, number: number, about: string): Call<HasMixer> {
  return refused(name, IOWR("M", number), "int", { about, oss4: "EINVAL" }, EIO);
}

/** The calls of /dev/mixer, which every dsp answers too. */
export const MIXER_ROWS: readonly Call<HasMixer>[] = [
  ...oss.MIXER_CHANNELS.flatMap((name, channel) => {
    const notes = NOTES[channel] ?? ABSENT;
    const whose = channel in NOTES ? "" : ", which there is not: what was last written";
    return [
      int<HasMixer>(
        `SOUND_MIXER_READ_${oss.MIXER_CHANNEL_CONSTANTS[channel]}`,
        IOR("M", channel),
        { ...notes, about: `the level of ${name}${whose}`, values: LEVEL },
        (target) => readChannel(target, channel),
      ),
      int<HasMixer>(
        `SOUND_MIXER_WRITE_${oss.MIXER_CHANNEL_CONSTANTS[channel]}`,
        IOWR("M", channel),
        {
          ...notes,
          about: `sets the level of ${name}${whose && ", which there is not"}`,
          values: LEVEL,
        },
        (target, level) => writeChannel(target, channel, level),
      ),
    ];
  }),
  int("SOUND_MIXER_READ_MUTE", IOR("M", oss.SOUND_MIXER_MUTE), {
    about: "the channels that are muted; the number is READ_LOUD's and READ_ENHANCE's too",
    values: oss.CHANNEL_MASK,
    kernel: "EIO",
    osspd: "0",
    oss4: "EINVAL",
  }, readMutes),
  int("SOUND_MIXER_WRITE_MUTE", IOWR("M", oss.SOUND_MIXER_MUTE), {
    about: "mutes these channels and no others; WRITE_LOUD and WRITE_ENHANCE likewise",
    values: oss.CHANNEL_MASK,
    kernel: "EIO",
    osspd: "0",
    oss4: "EINVAL",
  }, writeMutes),
  constant("SOUND_MIXER_READ_OUTSRC", oss.SOUND_MIXER_OUTSRC, 0, {
    about: "the outputs that are chosen",
    values: oss.CHANNEL_MASK,
    kernel: "EIO",
  }),
  constant("SOUND_MIXER_READ_STEREODEVS", oss.SOUND_MIXER_STEREODEVS, MIXER_DEVMASK, {
    about: "the channels that have two sides",
    values: oss.CHANNEL_MASK,
    kernel: "as the card has them",
    osspd: "pcm and igain",
  }),
  constant("SOUND_MIXER_READ_CAPS", oss.SOUND_MIXER_CAPS, oss.SOUND_CAP_EXCL_INPUT, {
    about: "what the mixer can do: record from one channel at a time",
    values: oss.MIXER_CAPS,
  }),
  constant("SOUND_MIXER_READ_RECMASK", oss.SOUND_MIXER_RECMASK, IGAIN_MASK, {
    about: "the channels that can be recorded from",
    values: oss.CHANNEL_MASK,
    kernel: "as the card has them",
  }),
  constant("SOUND_MIXER_READ_DEVMASK", oss.SOUND_MIXER_DEVMASK, MIXER_DEVMASK, {
    about: "the channels that there are",
    values: oss.CHANNEL_MASK,
    kernel: "as the card has them",
    osspd: "pcm and igain",
  }),
  constant("SOUND_MIXER_READ_RECSRC", oss.SOUND_MIXER_RECSRC, IGAIN_MASK, {
    about: "the channels that are recorded from",
    values: oss.CHANNEL_MASK,
    kernel: "as the card has them",
  }),
  int("SOUND_MIXER_WRITE_RECSRC", IOWR("M", oss.SOUND_MIXER_RECSRC), {
    about: "chooses the channels to record from: there is one",
    values: oss.CHANNEL_MASK,
    osspd: "the argument stays as it is",
  }, () => IGAIN_MASK),
  fill(
    "SOUND_MIXER_INFO",
    IOR("M", 101, oss.MixerInfo.$size),
    oss.MixerInfo,
    { about: "the mixer's name, and how often something of it has changed" },
    ({ mixer }, info) => {
      mixer.refresh();
      writeText(info, oss.MixerInfo.id, MIXER_ID);
      writeText(info, oss.MixerInfo.name, MIXER_NAME);
      info.setInt32(oss.MixerInfo.modify_counter, mixer.modifications, true);
    },
  ),
  fill(
    "SOUND_OLD_MIXER_INFO",
    IOR("M", 101, oss.OldMixerInfo.$size),
    oss.OldMixerInfo,
    { about: "the mixer's name" },
    (_, info) => {
      writeText(info, oss.OldMixerInfo.id, MIXER_ID);
      writeText(info, oss.OldMixerInfo.name, MIXER_NAME);
    },
  ),
  refused("SOUND_MIXER_ACCESS", IOWR("M", 102, oss.MixerRecord.$size), oss.MixerRecord, {
    about: "what only a certain driver knows",
    oss4: "EINVAL",
  }, EIO),
  notThere("SOUND_MIXER_AGC", 103, "automatic gain of the microphone"),
  notThere("SOUND_MIXER_3DSE", 104, "stereo enhancement"),
  ...[1, 2, 3, 4, 5].map((i) =>
    notThere(`SOUND_MIXER_PRIVATE${i}`, 110 + i, "what only a certain driver knows")
  ),
  refused("SOUND_MIXER_GETLEVELS", IOWR("M", 116, oss.MixerVolTable.$size), oss.MixerVolTable, {
    about: "for the driver's own programs: the levels that it begins with",
    oss4: "EINVAL",
  }, EIO),
  refused("SOUND_MIXER_SETLEVELS", IOWR("M", 117, oss.MixerVolTable.$size), oss.MixerVolTable, {
    about: "likewise: sets them",
    oss4: "EINVAL",
  }, EIO),
  int("OSS_GETVERSION", IOR("M", 118), { about: "the version of the API" }, () => oss.OSS_VERSION),
];

function streamRows(
  what: string,
  number: number,
  channel: StreamChannel,
  about: string,
): Call<Dsp>[] {
  const notes = { values: LEVEL, kernel: "EINVAL", osspd: "EINVAL" };
  return [
    int<Dsp>(`SNDCTL_DSP_GET${what}VOL`, IOR("P", number), { ...notes, about }, (dsp) => {
      dsp.mixer.refresh();
      return dsp.levels[channel]?.shown ?? -EINVAL;
    }),
    int<Dsp>(
      `SNDCTL_DSP_SET${what}VOL`,
      IOWR("P", number),
      { ...notes, about: `sets ${about}` },
      (dsp, sides) => {
        dsp.mixer.refresh();
        const isThere = dsp.levels.move(channel, (level) => level.setShown(sides));
        return isThere ? dsp.levels[channel]!.shown : -EINVAL;
      },
    ),
  ];
}

/** The calls of a dsp about its own levels, from OSS 4. */
export const DSP_VOLUME_ROWS: readonly Call<Dsp>[] = [
  ...streamRows("PLAY", 24, "pcm", "the level that this stream plays at"),
  ...streamRows("REC", 41, "igain", "the gain that this stream records with"),
];
