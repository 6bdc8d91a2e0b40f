// The calls of /dev/dsp that OSS 3 has (linux/soundcard.h) and that are not the mixer's, a row each.
//
// How others answer was seen in sound/core/oss/pcm_oss.c, in osspd, and in OSS 4's audio core, and for
// the first two in their own kernels (tests/oracle, tests/device).

import { EINVAL, EIO } from "../../ffi/libc.ts";
import { formatByAfmt } from "../pcm/format.ts";
import type { Struct } from "../struct.ts";
import { type Call, fill, inLayouts, int, none, type Notes, refused, WAIT } from "./call.ts";
import type { Dsp, Pointer } from "./dsp.ts";
import { PAIR_MASK, type Parameters } from "./parameters.ts";
import * as oss from "./soundcard.ts";

const { IO, IOR, IOW, IOWR } = oss;

/** A call about one half of a dsp, which fills a struct; EINVAL where it has not, as snd-pcm-oss. */
function half<F extends string>(
  of: "playing" | "recording",
  name: string,
  number: number,
  argument: Struct<F>,
  notes: Notes,
  run: (dsp: Dsp, argument: DataView) => void,
): Call<Dsp> {
  return fill(name, IOR("P", number, argument.$size), argument, notes, (dsp, view) => {
    if (of === "playing" ? !dsp.plays : !dsp.capture) return -EINVAL;
    run(dsp, view);
  });
}

/**
 * Changes format, rate or channels once what was written under the old ones has been played. What
 * makes no difference changes nothing.
 *
 * @returns the value that is then in force, or WAIT
 */
function change(
  dsp: Dsp,
  isChange: boolean,
  set: (parameters: Parameters) => void,
  get: (parameters: Parameters) => number,
): number {
  if (isChange) {
    if (!dsp.settle()) return WAIT;
    set(dsp.parameters);
    dsp.renew();
  }
  return get(dsp.parameters);
}

function setFormat(dsp: Dsp, afmt: number): number {
  const AFMT_QUERY = 0;
  const isChange = afmt !== AFMT_QUERY && formatByAfmt(afmt) !== dsp.parameters.format;
  return change(dsp, isChange, (to) => to.setFormat(afmt), ({ format }) => format.afmt);
}

function setRate(dsp: Dsp, rateHz: number): number {
  const isChange = rateHz !== 0 && rateHz !== dsp.parameters.rateHz;
  return change(dsp, isChange, (to) => to.setRate(rateHz), (now) => now.rateHz);
}

function setChannels(dsp: Dsp, channels: number): number {
  if (channels < 0 || channels > 128) return -EINVAL; // snd-pcm-oss's limit
  const isChange = channels !== 0 && channels !== dsp.parameters.channels;
  return change(dsp, isChange, (to) => to.setChannels(channels), (now) => now.channels);
}

function bind(dsp: Dsp, pairs: number): number {
  if (!dsp.plays || (pairs & ~PAIR_MASK) !== 0) return -EINVAL;
  const isChange = pairs !== oss.DSP_BIND_QUERY && pairs !== dsp.parameters.pairs;
  return change(dsp, isChange, (to) => to.setPairs(pairs), (now) => now.pairs);
}

/** Writes a count_info: bytes so far, fragments since the last call, place in the ring. */
function countInfo({ parameters }: Dsp, info: DataView, pointer: Pointer): void {
  const bytes = pointer.pointerBytes();
  info.setInt32(oss.CountInfo.bytes, bytes % 0x80000000, true);
  info.setInt32(oss.CountInfo.blocks, pointer.blocks.take(), true);
  info.setInt32(oss.CountInfo.ptr, bytes % parameters.bufferBytes, true);
}

/** Writes an audio_buf_info. */
function bufferInfo({ parameters }: Dsp, info: DataView, bytes: number): void {
  const { fragmentBytes, fragments } = parameters;
  info.setInt32(oss.AudioBufInfo.fragments, Math.floor(bytes / fragmentBytes), true);
  info.setInt32(oss.AudioBufInfo.fragstotal, fragments, true);
  info.setInt32(oss.AudioBufInfo.fragsize, fragmentBytes, true);
  info.setInt32(oss.AudioBufInfo.bytes, bytes, true);
}

function capabilities(dsp: Dsp): number {
  const duplex = dsp.plays && dsp.capture ? oss.DSP_CAP_DUPLEX : 0;
  return duplex | oss.DSP_CAP_REALTIME | oss.DSP_CAP_MULTI | oss.DSP_CAP_TRIGGER |
    (dsp.mapping ? oss.DSP_CAP_MMAP : 0) |
    (dsp.plays ? oss.PCM_CAP_OUTPUT | oss.DSP_CAP_BIND : 0) | (dsp.capture ? oss.PCM_CAP_INPUT : 0);
}

/** The dsp's calls of OSS 3. */
export const DSP_ROWS: readonly Call<Dsp>[] = [
  none("SNDCTL_DSP_RESET", IO("P", 0), {
    about: "stops playing and recording at once; what was not heard is not; pointers begin anew",
    kernel: "the pointers' bytes go on",
  }, (dsp) => dsp.reset()),
  none("SNDCTL_DSP_SYNC", IO("P", 1), {
    about: "plays what was written to its end, and waits for that",
    kernel: "recording stops too",
  }, (dsp) => {
    if (!dsp.settle()) return WAIT;
    return dsp.playback.failed ? -EIO : 0;
  }),
  int("SNDCTL_DSP_SPEED", IOWR("P", 2), {
    about: "sets the sample rate, moved into 1 Hz to 384 kHz; 0 asks for it",
    kernel: "1 to 192 kHz; 0 is 1000",
    oss4: "EINVAL for less than 0",
  }, setRate),
  int(
    "SOUND_PCM_READ_RATE",
    IOR("P", 2),
    { about: "the sample rate" },
    (dsp) => dsp.parameters.rateHz,
  ),
  int("SNDCTL_DSP_STEREO", IOWR("P", 3), {
    about: "sets mono (0) or stereo (above 0)",
    osspd: "gives back how many channels",
    oss4: "EINVAL for more than 1",
  }, (dsp, stereo) => {
    const channels = setChannels(dsp, stereo > 0 ? 2 : 1);
    return channels < 0 ? channels : channels - 1;
  }),
  int(
    "SNDCTL_DSP_GETBLKSIZE",
    IOWR("P", 4),
    { about: "the bytes of a fragment" },
    (dsp) => dsp.parameters.fragmentBytes,
  ),
  int("SNDCTL_DSP_SETFMT", IOWR("P", 5), {
    about: "sets the sample format, AFMT_U8 for one that there is not; 0 asks for it",
    values: oss.FORMAT,
    kernel: "no AFMT_A_LAW, no AFMT_FLOAT",
    osspd: "no 24 bits, no AFMT_S8, no AFMT_U16",
  }, setFormat),
  int("SOUND_PCM_READ_BITS", IOR("P", 5), {
    about: "the sample format, which for 8 and 16 bits is their number",
    values: oss.FORMAT,
  }, (dsp) => dsp.parameters.format.afmt),
  int("SNDCTL_DSP_CHANNELS", IOWR("P", 6), {
    about: "sets how many channels, 8 for more; 0 asks for it; EINVAL below 0 and above 128",
    kernel: "0 is mono",
  }, setChannels),
  int(
    "SOUND_PCM_READ_CHANNELS",
    IOR("P", 6),
    { about: "how many channels" },
    (dsp) => dsp.parameters.channels,
  ),
  refused("SOUND_PCM_WRITE_FILTER", IOWR("P", 7), "int", {
    about: "EIO: there is no filter",
    oss4: "EINVAL",
  }, EIO),
  refused("SOUND_PCM_READ_FILTER", IOR("P", 7), "int", {
    about: "EIO: there is no filter",
    oss4: "EINVAL",
  }, EIO),
  none("SNDCTL_DSP_POST", IO("P", 8), {
    about: "plays what was written though it may fill no fragment",
  }, (dsp) => dsp.playback.post()),
  int("SNDCTL_DSP_SUBDIVIDE", IOWR("P", 9), {
    about: "divides the default fragment by 1, 2, 4, 8 or 16; 0 asks for the divisor",
    kernel: "EINVAL a second time, or after SETFRAGMENT",
    oss4: "fragments of 256 bytes, whatever is asked for",
  }, (dsp, divisor) => {
    const { parameters } = dsp;
    if (divisor !== 0 && dsp.rebuffer() && !parameters.setSubdivision(divisor)) {
      return -EINVAL;
    }
    return parameters.subdivision;
  }),
  // A program that plays already keeps its fragments and is told that all is well, as OSS 3 did.
  int("SNDCTL_DSP_SETFRAGMENT", IOWR("P", 10), {
    about: "sets the fragments: the most of them in the upper half, log2 of their bytes in the " +
      "lower; too late once sound is in the buffer, but then 0 all the same",
    kernel: "EINVAL a second time",
  }, (dsp, fragment) => {
    if (dsp.rebuffer() && !dsp.parameters.setFragment(fragment)) return -EINVAL;
    return fragment & 0x7fffffff;
  }),
  int("SNDCTL_DSP_GETFMTS", IOR("P", 11), {
    about: "the sample formats that there are",
    values: oss.FORMAT_MASK,
    kernel: "no AFMT_A_LAW, no AFMT_FLOAT",
    osspd: "no 24 bits, no AFMT_S8, no AFMT_U16",
  }, (dsp) => dsp.parameters.formats),
  half("playing", "SNDCTL_DSP_GETOSPACE", 12, oss.AudioBufInfo, {
    about: "the room to write to; EINVAL where nothing can be played",
    timed: ["fragments", "bytes"],
    oss4: "ENOTSUP where nothing can be played",
  }, (dsp, info) => {
    // A mapped ring is the program's to write to, all of it.
    const mapped = dsp.mapping?.playback?.running;
    bufferInfo(dsp, info, mapped ? dsp.parameters.bufferBytes : dsp.playback.freeBytes());
  }),
  half("recording", "SNDCTL_DSP_GETISPACE", 13, oss.AudioBufInfo, {
    about: "what there is to read; sets the recording going; EINVAL where nothing can be recorded",
    timed: ["fragments", "bytes"],
    kernel: "does not set the recording going",
    oss4: "a fragment before the recording goes; ENOTSUP where nothing can be recorded",
  }, (dsp, info) => {
    dsp.capture!.start();
    bufferInfo(dsp, info, dsp.capture!.readableBytes());
  }),
  none("SNDCTL_DSP_NONBLOCK", IO("P", 14), {
    about: "as O_NONBLOCK, whatever the descriptor says from then on",
    kernel: "sets O_NONBLOCK of the descriptor, which fcntl can take back",
  }, (dsp) => {
    dsp.nonblocking = true;
  }),
  int("SNDCTL_DSP_GETCAPS", IOR("P", 15), {
    about: "what the device can do; DSP_CAP_DUPLEX where it was opened for both ways",
    values: oss.CAPS,
    kernel: "no PCM_CAP_INPUT, PCM_CAP_OUTPUT; a revision of 1 in the lowest byte",
    osspd: "DSP_CAP_DUPLEX always",
  }, capabilities),
  int(
    "SNDCTL_DSP_GETTRIGGER",
    IOR("P", 16),
    {
      about: "what may run",
      values: oss.TRIGGER,
      osspd: "both, whatever it was opened for",
    },
    (dsp) =>
      (dsp.capture && !dsp.capture.held ? oss.PCM_ENABLE_INPUT : 0) |
      (dsp.outputEnabled ? oss.PCM_ENABLE_OUTPUT : 0),
  ),
  int("SNDCTL_DSP_SETTRIGGER", IOW("P", 16), {
    about: "lets playing and recording run, both at one moment, or stops them",
    values: oss.TRIGGER,
  }, (dsp, trigger) => {
    dsp.trigger(
      (trigger & oss.PCM_ENABLE_OUTPUT) !== 0,
      (trigger & oss.PCM_ENABLE_INPUT) !== 0,
    );
    return 0;
  }),
  half("recording", "SNDCTL_DSP_GETIPTR", 17, oss.CountInfo, {
    about: "how much was recorded since the open or the last RESET; EINVAL where nothing can be",
    timed: ["bytes", "blocks", "ptr"],
    kernel: "bytes go on after RESET; blocks: the fragments that can be read",
    osspd: "EIO where nothing can be recorded",
    oss4: "ENOTSUP where nothing can be recorded",
  }, (dsp, info) => {
    dsp.followsInput = true;
    countInfo(dsp, info, dsp.recorder!);
  }),
  half("playing", "SNDCTL_DSP_GETOPTR", 18, oss.CountInfo, {
    about: "how much was played since the open or the last RESET; EINVAL where nothing can be",
    timed: ["bytes", "blocks", "ptr"],
    kernel:
      "bytes go on after RESET; blocks: the fragments that are not played yet, unless it is " +
      "mapped",
    osspd: "EIO where nothing can be played",
    oss4: "ENOTSUP where nothing can be played",
  }, (dsp, info) => countInfo(dsp, info, dsp.player)),
  // We cannot be told an address to map at.
  ...inLayouts(oss.BuffmemDesc, oss.BuffmemDesc32, (at, variant) => [
    refused<Dsp>("SNDCTL_DSP_MAPINBUF", IOR("P", 19, at.$size), at, {
      about: "EINVAL: no buffer in memory to record to but mmap(2)'s",
      variant,
    }),
    refused<Dsp>("SNDCTL_DSP_MAPOUTBUF", IOR("P", 20, at.$size), at, {
      about: "EINVAL: no buffer in memory to play from but mmap(2)'s",
      variant,
    }),
  ]),
  none("SNDCTL_DSP_SETSYNCRO", IO("P", 21), {
    about: "nothing: SETTRIGGER starts both ways at one moment anyway",
  }, () => 0),
  none("SNDCTL_DSP_SETDUPLEX", IO("P", 22), {
    about: "nothing: what is opened for both ways is duplex; EIO where it is not",
    osspd: "0 where it is not",
    oss4: "ENOTSUP where it is not",
  }, (dsp) => dsp.plays && dsp.capture ? 0 : -EIO),
  int("SNDCTL_DSP_GETODELAY", IOR("P", 23), {
    about: "the bytes that are written and not heard yet; EINVAL where nothing can be played",
    timed: ["value"],
    osspd: "EIO where nothing can be played",
    oss4: "ENOTSUP where nothing can be played",
  }, (dsp) => dsp.plays ? dsp.playback.queuedBytes() : -EINVAL),
  int("SNDCTL_DSP_PROFILE", IOW("P", 23), {
    about: "nothing: underruns are as they are",
    values: oss.PROFILE,
  }, () => 0),
  int("SNDCTL_DSP_GETCHANNELMASK", IOWR("P", 64), {
    about: "the loudspeakers that can be bound: front, surround, and centre with low frequencies",
    values: oss.BINDING,
    kernel: "EINVAL",
    osspd: "EINVAL",
    oss4: "EINVAL",
  }, (dsp) => dsp.plays ? PAIR_MASK : -EINVAL),
  int("SNDCTL_DSP_BIND_CHANNEL", IOWR("P", 65), {
    about: "plays as many channels as these loudspeakers are at them; DSP_BIND_QUERY (0) asks " +
      "which they are",
    values: oss.BINDING,
    kernel: "EINVAL",
    osspd: "EINVAL",
    oss4: "EINVAL",
  }, bind),
  refused("SNDCTL_DSP_GETSPDIF", IOR("P", 67), "int", { about: "EINVAL: no digital interface" }),
  refused("SNDCTL_DSP_SETSPDIF", IOW("P", 66), "int", { about: "EINVAL: no digital interface" }),
];
