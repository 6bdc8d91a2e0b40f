// The numbers and argument layouts of the Open Sound System's ioctls, from linux/soundcard.h.

import { struct } from "../struct.ts";
import { flags, oneOf } from "./call.ts";

const IOC_WRITE = 1;
const IOC_READ = 2;

// asm-generic/ioctl.h: direction, argument size, group letter, number within the group.
function ioc(direction: number, group: string, number: number, size: number): number {
  return ((direction << 30) | (size << 16) | (group.charCodeAt(0) << 8) | number) >>> 0;
}

/** An ioctl without an argument. */
export function IO(group: string, number: number): number {
  return ioc(0, group, number, 0);
}

/** An ioctl whose argument of `size` bytes goes to the caller. */
export function IOR(group: string, number: number, size = 4): number {
  return ioc(IOC_READ, group, number, size);
}

/** An ioctl whose argument of `size` bytes comes from the caller. */
export function IOW(group: string, number: number, size = 4): number {
  return ioc(IOC_WRITE, group, number, size);
}

/** An ioctl whose argument of `size` bytes goes both ways. */
export function IOWR(group: string, number: number, size = 4): number {
  return ioc(IOC_READ | IOC_WRITE, group, number, size);
}

/** The group letter of an ioctl, e.g. "P" for the dsp's own. */
export function ioctlGroup(command: number): string {
  return String.fromCharCode((command >>> 8) & 0xff);
}

/** GETOSPACE, GETISPACE. */
export const AudioBufInfo = struct("audio_buf_info", {
  fragments: "i32",
  fragstotal: "i32",
  fragsize: "i32",
  bytes: "i32",
});

/** GETOPTR, GETIPTR. */
export const CountInfo = struct("count_info", { bytes: "i32", blocks: "i32", ptr: "i32" });

const BUFFMEM_DESC = { buffer: "pointer", size: "i32" } as const;

/** MAPINBUF, MAPOUTBUF. */
export const BuffmemDesc = struct("buffmem_desc", BUFFMEM_DESC);
export const BuffmemDesc32 = struct("buffmem_desc", BUFFMEM_DESC, "32");

/** SOUND_MIXER_INFO. */
export const MixerInfo = struct("mixer_info", {
  id: 16,
  name: 32,
  modify_counter: "i32",
  fillers: 40,
});

/** SOUND_OLD_MIXER_INFO. */
export const OldMixerInfo = struct("_old_mixer_info", { id: 16, name: 32 });

/** SOUND_MIXER_ACCESS: a typedef of an array of bytes. */
export const MixerRecord = struct("mixer_record", { bytes: 128 });

/** SOUND_MIXER_GETLEVELS, SOUND_MIXER_SETLEVELS. */
export const MixerVolTable = struct("mixer_vol_table", {
  num: "i32",
  name: 32,
  levels: ["i32", 32],
});

/** SNDCTL_MIX_EXTINFO, from OSS 4's soundcard.h. */
export const MixExt = struct("oss_mixext", {
  dev: "i32",
  ctrl: "i32",
  type: "i32",
  maxvalue: "i32",
  minvalue: "i32",
  flags: "i32",
  id: 16,
  parent: "i32",
  dummy: "i32",
  timestamp: "i32",
  data: 64,
  enum_present: 32,
  control_no: "i32",
  desc: "u32",
  extname: 32,
  update_counter: "i32",
  rgbcolor: "i32",
  filler: ["i32", 6],
});

/** What `data` of a mixer's root holds, from OSS 4's soundcard.h. */
export const MixExtRoot = struct("oss_mixext_root", { id: 16, name: 48 });

/** SNDCTL_MIX_READ, SNDCTL_MIX_WRITE, from OSS 4's soundcard.h. */
export const MixerValue = struct("oss_mixer_value", {
  dev: "i32",
  ctrl: "i32",
  value: "i32",
  flags: "i32",
  timestamp: "i32",
  filler: ["i32", 8],
});

/** SNDCTL_MIX_ENUMINFO, SNDCTL_MIX_DESCRIPTION, from OSS 4's soundcard.h. */
export const MixerEnumInfo = struct("oss_mixer_enuminfo", {
  dev: "i32",
  ctrl: "i32",
  nvalues: "i32",
  version: "i32",
  strindex: ["i16", 255],
  strings: 3000,
});

/** SNDCTL_MIXERINFO, from OSS 4's soundcard.h. */
export const OssMixerInfo = struct("oss_mixerinfo", {
  dev: "i32",
  id: 16,
  name: 32,
  modify_counter: "i32",
  card_number: "i32",
  port_number: "i32",
  handle: 32,
  magic: "i32",
  enabled: "i32",
  caps: "i32",
  flags: "i32",
  nrext: "i32",
  priority: "i32",
  devnode: 32,
  legacy_device: "i32",
  filler: ["i32", 245],
});

/**
 * OSS_GETVERSION: OSS 4.1. The kernel's OSS and osspd say 3.8.1, but who asks at run time asks whether
 * there is OSS 4 (see docs/api.md).
 */
export const OSS_VERSION = 0x040100;
export const OSS_VERSION_NAME = "4.1";

/** GETCAPS. */
export const DSP_CAP_DUPLEX = 0x0100;
export const DSP_CAP_REALTIME = 0x0200;
export const DSP_CAP_TRIGGER = 0x1000;
export const DSP_CAP_MMAP = 0x2000;
export const DSP_CAP_MULTI = 0x4000;
export const DSP_CAP_BIND = 0x8000;
export const PCM_CAP_INPUT = 0x10000;
export const PCM_CAP_OUTPUT = 0x20000;
export const PCM_CAP_VIRTUAL = 0x40000;
export const PCM_CAP_FREERATE = 0x10000000;

/** SETTRIGGER, GETTRIGGER. */
export const PCM_ENABLE_INPUT = 0x1;
export const PCM_ENABLE_OUTPUT = 0x2;

const AFMT = {
  AFMT_MU_LAW: 0x01,
  AFMT_A_LAW: 0x02,
  AFMT_IMA_ADPCM: 0x04,
  AFMT_U8: 0x08,
  AFMT_S16_LE: 0x10,
  AFMT_S16_BE: 0x20,
  AFMT_S8: 0x40,
  AFMT_U16_LE: 0x80,
  AFMT_U16_BE: 0x100,
  AFMT_MPEG: 0x200,
  AFMT_AC3: 0x400,
  AFMT_VORBIS: 0x800,
  AFMT_S32_LE: 0x1000,
  AFMT_S32_BE: 0x2000,
  AFMT_FLOAT: 0x4000,
  AFMT_S24_LE: 0x8000,
  AFMT_S24_BE: 0x10000,
  AFMT_SPDIF_RAW: 0x20000,
  AFMT_S24_PACKED: 0x40000,
};

/** A sample format, or 0 to ask for it. */
export const FORMAT = oneOf({ AFMT_QUERY: 0, ...AFMT });

/** Sample formats. */
export const FORMAT_MASK = flags(AFMT);

/** GETCAPS. The names are linux/soundcard.h's, those that it has not OSS 4's. */
export const CAPS = flags({
  DSP_CAP_DUPLEX,
  DSP_CAP_REALTIME,
  DSP_CAP_BATCH: 0x0400,
  DSP_CAP_COPROC: 0x0800,
  DSP_CAP_TRIGGER,
  DSP_CAP_MMAP,
  DSP_CAP_MULTI,
  DSP_CAP_BIND,
  PCM_CAP_INPUT,
  PCM_CAP_OUTPUT,
  PCM_CAP_VIRTUAL,
  PCM_CAP_FREERATE,
  PCM_CAP_DEFAULT: 0x40000000,
});

/** SETTRIGGER, GETTRIGGER. */
export const TRIGGER = flags({ PCM_ENABLE_INPUT, PCM_ENABLE_OUTPUT });

/** PROFILE: where underruns probably come from. */
export const PROFILE = oneOf({ APF_NORMAL: 0, APF_NETWORK: 1, APF_CPUINTENS: 2 });

export const DSP_BIND_QUERY = 0;
export const DSP_BIND_FRONT = 0x01;
export const DSP_BIND_SURR = 0x02;
export const DSP_BIND_CENTER_LFE = 0x04;

/** GETCHANNELMASK, BIND_CHANNEL. */
export const BINDING = flags({
  DSP_BIND_FRONT,
  DSP_BIND_SURR,
  DSP_BIND_CENTER_LFE,
  DSP_BIND_HANDSET: 0x08,
  DSP_BIND_MIC: 0x10,
  DSP_BIND_MODEM1: 0x20,
  DSP_BIND_MODEM2: 0x40,
  DSP_BIND_I2S: 0x80,
  DSP_BIND_SPDIF: 0x100,
});

/** Mixer channels, by their SOUND_MIXER_ number; the names are SOUND_DEVICE_NAMES. */
export const MIXER_CHANNELS = [
  "vol",
  "bass",
  "treble",
  "synth",
  "pcm",
  "speaker",
  "line",
  "mic",
  "cd",
  "mix",
  "pcm2",
  "rec",
  "igain",
  "ogain",
  "line1",
  "line2",
  "line3",
  "dig1",
  "dig2",
  "dig3",
  "phin",
  "phout",
  "video",
  "radio",
  "monitor",
] as const;

/** The same channels, as the names of soundcard.h's constants and calls have them. */
export const MIXER_CHANNEL_CONSTANTS = [
  "VOLUME",
  "BASS",
  "TREBLE",
  "SYNTH",
  "PCM",
  "SPEAKER",
  "LINE",
  "MIC",
  "CD",
  "IMIX",
  "ALTPCM",
  "RECLEV",
  "IGAIN",
  "OGAIN",
  "LINE1",
  "LINE2",
  "LINE3",
  "DIGITAL1",
  "DIGITAL2",
  "DIGITAL3",
  "PHONEIN",
  "PHONEOUT",
  "VIDEO",
  "RADIO",
  "MONITOR",
] as const;

/** What READ_CAPS says. */
export const SOUND_CAP_EXCL_INPUT = 0x1;

/** READ_CAPS. */
export const MIXER_CAPS = flags({ SOUND_CAP_EXCL_INPUT });

/** A mask of mixer channels. */
export const CHANNEL_MASK = flags(
  Object.fromEntries(
    MIXER_CHANNEL_CONSTANTS.map((name, channel) => [`SOUND_MASK_${name}`, 1 << channel]),
  ),
);

export const SOUND_MIXER_VOLUME = 0;
export const SOUND_MIXER_PCM = 4;
export const SOUND_MIXER_RECLEV = 11;
export const SOUND_MIXER_IGAIN = 12;
export const SOUND_MIXER_MUTE = 31;
export const SOUND_MIXER_OUTSRC = 0xfa;
export const SOUND_MIXER_STEREODEVS = 0xfb;
export const SOUND_MIXER_CAPS = 0xfc;
export const SOUND_MIXER_RECMASK = 0xfd;
export const SOUND_MIXER_DEVMASK = 0xfe;
export const SOUND_MIXER_RECSRC = 0xff;
