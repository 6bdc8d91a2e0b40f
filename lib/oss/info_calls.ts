// The calls of OSS 4 that describe the machine, a row each; every device answers them. The kernel's
// OSS and osspd know none of them.

import { EINVAL, ENXIO } from "../../ffi/libc.ts";
import { setText } from "../struct.ts";
import { type Call, fill, refused } from "./call.ts";
import type { Cards, OpenStream } from "./cards.ts";
import { MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ, SUPPORTED_FORMATS } from "./parameters.ts";
import * as oss from "./soundcard.ts";
import { OssAudioinfo, OssCardInfo, OssMidiInfo, OssSysinfo } from "./soundcard4.ts";

/** What these calls work on: a mixer, or a dsp, which has the number of its audio device. */
export interface HasCards {
  readonly cards: Cards;
  readonly audio?: number;
}

// The kernel's mixer looks at the number alone, not at the group, and has levels of 0 to 30.
const UNKNOWN = { kernel: "EINVAL; a mixer takes it for a level", osspd: "EINVAL; a mixer 0" };

function describeSystem({ cards: { cards, audios, mixers, streams } }: HasCards, info: DataView) {
  const at = OssSysinfo;
  setText(info, at.product, 32, "ossp");
  setText(info, at.version, 32, oss.OSS_VERSION_NAME);
  info.setInt32(at.versionnum, oss.OSS_VERSION, true);
  info.setInt32(at.numaudios, audios.length, true);
  for (const { dsp } of streams) {
    // 32 devices a word, and 256 in all.
    const word = at.openedaudio + 4 * (dsp.audio >> 5);
    if (dsp.audio < 256) info.setInt32(word, info.getInt32(word, true) | 1 << dsp.audio, true);
  }
  info.setInt32(at.nummixers, mixers.length, true);
  info.setInt32(at.numcards, cards.length, true);
  info.setInt32(at.numaudioengines, audios.length, true);
  setText(info, at.license, 16, "MIT");
}

function describeCard({ cards: { cards } }: HasCards, info: DataView): number {
  const number = info.getInt32(OssCardInfo.card, true);
  const card = cards[number];
  if (!card) return -ENXIO;
  setText(info, OssCardInfo.shortname, 16, card.name);
  setText(info, OssCardInfo.longname, 128, card.about);
  setText(info, OssCardInfo.hw_info, 400, "");
  for (let at = OssCardInfo.intr_count; at < OssCardInfo.$size; at++) info.setUint8(at, 0);
  info.setInt32(OssCardInfo.flags, 0, true);
  return 0;
}

/** What a stream is open for, as OPEN_READ and OPEN_WRITE. */
function openFor({ dsp }: OpenStream): number {
  return (dsp.plays ? oss.PCM_ENABLE_OUTPUT : 0) | (dsp.capture ? oss.PCM_ENABLE_INPUT : 0);
}

/**
 * Describes an audio device.
 *
 * @param streams those that are open on it, the first one to be named
 */
function describeAudio(
  { cards: { audios } }: HasCards,
  info: DataView,
  number: number,
  streams: readonly OpenStream[],
): number {
  const audio = audios[number];
  if (!audio) return -EINVAL;
  const at = OssAudioinfo;
  for (let i = 0; i < at.$size; i++) info.setUint8(i, 0);
  const set = (offset: number, value: number) => info.setInt32(offset, value, true);
  set(at.dev, number);
  setText(info, at.name, 64, audio.name);
  set(at.busy, streams.reduce((modes, stream) => modes | openFor(stream), 0));
  set(
    at.caps,
    oss.PCM_CAP_OUTPUT | oss.PCM_CAP_FREERATE | oss.DSP_CAP_MULTI | oss.DSP_CAP_TRIGGER |
      oss.DSP_CAP_REALTIME | (audio.records ? oss.PCM_CAP_INPUT | oss.DSP_CAP_DUPLEX : 0),
  );
  set(at.oformats, SUPPORTED_FORMATS);
  if (audio.records) set(at.iformats, SUPPORTED_FORMATS);
  set(at.card_number, audio.card);
  set(at.mixer_dev, audio.mixer);
  set(at.legacy_device, number);
  set(at.enabled, 1);
  set(at.min_rate, MIN_RATE_HZ);
  set(at.max_rate, MAX_RATE_HZ);
  set(at.min_channels, 1);
  set(at.max_channels, MAX_CHANNELS);
  set(at.rate_source, number);
  setText(info, at.handle, 32, `ossp-audio${number}`);
  set(at.latency, -1);
  setText(info, at.devnode, 32, audio.path);
  set(at.next_play_engine, number);
  set(at.next_rec_engine, number);
  const [stream] = streams;
  if (!stream) return 0;
  set(at.pid, stream.client.pid);
  setText(info, at.cmd, 64, stream.client.command);
  setText(info, at.song_name, 64, stream.dsp.song);
  setText(info, at.label, 16, stream.dsp.label || stream.client.command);
  return 0;
}

function streamsOf({ cards: { streams } }: HasCards, audio: number): OpenStream[] {
  return [...streams].filter(({ dsp }) => dsp.audio === audio);
}

/** AUDIOINFO: the device of a number. */
function audioInfo(target: HasCards, info: DataView): number {
  const number = info.getInt32(OssAudioinfo.dev, true);
  return describeAudio(target, info, number, streamsOf(target, number));
}

/** ENGINEINFO: the same, and for -1 the stream that asks. */
function engineInfo(target: HasCards, info: DataView): number {
  const number = info.getInt32(OssAudioinfo.dev, true);
  if (number !== -1) return audioInfo(target, info);
  const own = [...target.cards.streams].filter(({ dsp }) => dsp === target);
  return target.audio === undefined ? -EINVAL : describeAudio(target, info, target.audio, own);
}

/** The calls that describe the machine. */
export const INFO_ROWS: readonly Call<HasCards>[] = [
  fill(
    "SNDCTL_SYSINFO",
    oss.IOR("X", 1, OssSysinfo.$size),
    OssSysinfo,
    { ...UNKNOWN, about: "how many cards and devices there are, and which are open" },
    describeSystem,
  ),
  fill(
    "SNDCTL_AUDIOINFO",
    oss.IOWR("X", 7, OssAudioinfo.$size),
    OssAudioinfo,
    {
      ...UNKNOWN,
      about:
        "the audio device of a number (dev): name, path, what it can do, who uses it; EINVAL " +
        "for none",
    },
    audioInfo,
  ),
  refused("SNDCTL_MIDIINFO", oss.IOWR("X", 9, OssMidiInfo.$size), OssMidiInfo, {
    ...UNKNOWN,
    about: "EINVAL: there are no MIDI devices",
  }),
  fill(
    "SNDCTL_CARDINFO",
    oss.IOWR("X", 11, OssCardInfo.$size),
    OssCardInfo,
    { ...UNKNOWN, about: "the card of a number (card): its name, and what it is; ENXIO for none" },
    describeCard,
  ),
  fill(
    "SNDCTL_ENGINEINFO",
    oss.IOWR("X", 12, OssAudioinfo.$size),
    OssAudioinfo,
    {
      ...UNKNOWN,
      about: "as AUDIOINFO, and for -1 the stream that asks, which a mixer is not (EINVAL)",
      oss4: "a device has an engine for each stream",
    },
    engineInfo,
  ),
  fill("SNDCTL_AUDIOINFO_EX", oss.IOWR("X", 13, OssAudioinfo.$size), OssAudioinfo, {
    ...UNKNOWN,
    about: "as AUDIOINFO",
  }, audioInfo),
];
