// The argument layouts of OSS 4's ioctls, from its soundcard.h, which Linux's own does not have.

import { struct } from "../struct.ts";

/**
 * GETERROR. OSS 4.0 and the manual have a long for the parameters of errors, OSS 4.2 an int: the same as
 * a 32-bit program's long.
 */
const AUDIO_ERRINFO = {
  play_underruns: "i32",
  rec_overruns: "i32",
  play_ptradjust: "u32",
  rec_ptradjust: "u32",
  play_errorcount: "i32",
  rec_errorcount: "i32",
  play_lasterror: "i32",
  rec_lasterror: "i32",
  play_errorparm: "long",
  rec_errorparm: "long",
  filler: ["i32", 16],
} as const;

export const AudioErrInfo = struct("audio_errinfo", AUDIO_ERRINFO);
export const AudioErrInfo32 = struct("audio_errinfo", AUDIO_ERRINFO, "32");

const OSS_COUNT = { samples: "i64", fifo_samples: "i32", filler: ["i32", 32] } as const;

/** CURRENT_OPTR, CURRENT_IPTR: frames, though the field is called samples. */
export const OssCount = struct("oss_count_t", OSS_COUNT);
export const OssCount32 = struct("oss_count_t", OSS_COUNT, "32");

/** READCTL, WRITECTL. */
export const OssDigitalControl = struct("oss_digital_control", {
  caps: "u32",
  valid: "u32",
  request: "u32",
  param: "u32",
  cbitin: 24,
  ubitin: 24,
  cbitout: 24,
  ubitout: 24,
  outsel: "u32",
  in_data: "i32",
  in_locked: "i32",
  in_quality: "i32",
  in_vbit: "i32",
  out_vbit: "i32",
  in_errors: "u32",
  srate_in: "i32",
  srate_out: "i32",
  bits_in: "i32",
  bits_out: "i32",
  filler: ["i32", 32],
});

/** SYNCGROUP. */
export const OssSyncgroup = struct("oss_syncgroup", {
  id: "i32",
  mode: "i32",
  filler: ["i32", 16],
});

/** GET_CHNORDER, SET_CHNORDER: four bits a channel, the first one lowest, each a CHID_ number. */
export const ChannelOrder = struct("oss_chnorder", { order: "u64" });

/** GETOPEAKS, GETIPEAKS: 0 to 32767 of each channel. */
export const OssPeaks = struct("oss_peaks", { peaks: ["u16", 128] });

/** SETSONG, GETSONG, SETNAME. */
export const OssLongname = struct("oss_longname", { name: 64 });

/** SETLABEL, GETLABEL. */
export const OssLabel = struct("oss_label", { label: 16 });

/** SYSINFO. */
export const OssSysinfo = struct("oss_sysinfo", {
  product: 32,
  version: 32,
  versionnum: "i32",
  options: 128,
  numaudios: "i32",
  openedaudio: ["i32", 8],
  numsynths: "i32",
  nummidis: "i32",
  numtimers: "i32",
  nummixers: "i32",
  openedmidi: ["i32", 8],
  numcards: "i32",
  numaudioengines: "i32",
  license: 16,
  revision_info: 256,
  filler: ["i32", 172],
});

/** CARDINFO. */
export const OssCardInfo = struct("oss_card_info", {
  card: "i32",
  shortname: 16,
  longname: 128,
  flags: "i32",
  hw_info: 400,
  intr_count: "i32",
  ack_count: "i32",
  filler: ["i32", 154],
});

/** AUDIOINFO, ENGINEINFO. */
export const OssAudioinfo = struct("oss_audioinfo", {
  dev: "i32",
  name: 64,
  busy: "i32",
  pid: "i32",
  caps: "i32",
  iformats: "i32",
  oformats: "i32",
  magic: "i32",
  cmd: 64,
  card_number: "i32",
  port_number: "i32",
  mixer_dev: "i32",
  legacy_device: "i32",
  enabled: "i32",
  flags: "i32",
  min_rate: "i32",
  max_rate: "i32",
  min_channels: "i32",
  max_channels: "i32",
  binding: "i32",
  rate_source: "i32",
  handle: 32,
  nrates: "u32",
  rates: ["u32", 20],
  song_name: 64,
  label: 16,
  latency: "i32",
  devnode: 32,
  next_play_engine: "i32",
  next_rec_engine: "i32",
  filler: ["i32", 184],
});

/** MIDIINFO. */
export const OssMidiInfo = struct("oss_midi_info", {
  dev: "i32",
  name: 64,
  busy: "i32",
  pid: "i32",
  cmd: 64,
  caps: "i32",
  magic: "i32",
  card_number: "i32",
  port_number: "i32",
  enabled: "i32",
  flags: "i32",
  handle: 32,
  song_name: 64,
  label: 16,
  latency: "i32",
  devnode: 32,
  legacy_device: "i32",
  filler: ["i32", 235],
});
