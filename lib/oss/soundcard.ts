// The numbers and argument layouts of the Open Sound System's ioctls, from linux/soundcard.h.

import { struct } from "../struct.ts";

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

/** MAPINBUF, MAPOUTBUF of a 64-bit program: a pointer, and an int with its padding. */
export const BuffmemDesc = struct("buffmem_desc", { buffer: "u64", size: 8 });

/** SOUND_MIXER_INFO. */
export const MixerInfo = struct("mixer_info", {
  id: 16,
  name: 32,
  modify_counter: "i32",
  fillers: 40,
});

/** SOUND_OLD_MIXER_INFO. */
export const OldMixerInfo = struct("_old_mixer_info", { id: 16, name: 32 });

/** GETERROR, from OSS 4's soundcard.h. */
export const AudioErrInfo = struct("audio_errinfo", {
  play_underruns: "i32",
  rec_overruns: "i32",
  play_ptradjust: "u32",
  rec_ptradjust: "u32",
  play_errorcount: "i32",
  rec_errorcount: "i32",
  play_lasterror: "i32",
  rec_lasterror: "i32",
  play_errorparm: "i64",
  rec_errorparm: "i64",
  filler: 64,
});

/** OSS_GETVERSION: the interface is that of OSS 3.8.1, as snd-pcm-oss has it. */
export const OSS_VERSION = 0x030810;

/** GETCAPS. */
export const DSP_CAP_DUPLEX = 0x0100;
export const DSP_CAP_REALTIME = 0x0200;
export const DSP_CAP_TRIGGER = 0x1000;
export const DSP_CAP_MMAP = 0x2000;
export const DSP_CAP_MULTI = 0x4000;

/** SETTRIGGER, GETTRIGGER. */
export const PCM_ENABLE_INPUT = 0x1;
export const PCM_ENABLE_OUTPUT = 0x2;

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

export const SOUND_MIXER_VOLUME = 0;
export const SOUND_MIXER_PCM = 4;
export const SOUND_MIXER_OUTSRC = 0xfa;
export const SOUND_MIXER_STEREODEVS = 0xfb;
export const SOUND_MIXER_CAPS = 0xfc;
export const SOUND_MIXER_RECMASK = 0xfd;
export const SOUND_MIXER_DEVMASK = 0xfe;
export const SOUND_MIXER_RECSRC = 0xff;
