// The calls of /dev/dsp that are not the mixer's, a row each.

import { EINVAL, EIO } from "../../ffi/libc.ts";
import { formatByAfmt } from "../pcm/format.ts";
import type { StructDescription } from "../struct.ts";
import { type Call, fill, int, none, type Notes, refused, WAIT } from "./call.ts";
import type { Capture } from "./capture.ts";
import type { Dsp } from "./dsp.ts";
import type { Parameters } from "./parameters.ts";
import * as oss from "./soundcard.ts";

const { IO, IOR, IOW, IOWR } = oss;

/** A call about the recording, which fills a struct; EINVAL where there is none, as snd-pcm-oss. */
function recording(
  name: string,
  command: number,
  argument: StructDescription,
  notes: Notes,
  run: (capture: Capture, dsp: Dsp, argument: DataView) => void,
): Call<Dsp> {
  return {
    ...notes,
    name,
    command,
    argument,
    run(dsp, view) {
      if (!dsp.capture) return -EINVAL;
      run(dsp.capture, dsp, view);
      return 0;
    },
  };
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
  const isChange = channels !== 0 && channels !== dsp.parameters.channels;
  return change(dsp, isChange, (to) => to.setChannels(channels), (now) => now.channels);
}

/** Writes a count_info: bytes so far, fragments since the last call, place in the ring. */
function countInfo({ parameters }: Dsp, info: DataView, bytes: number, blocks: number): void {
  info.setInt32(oss.CountInfo.bytes, bytes % 0x80000000, true);
  info.setInt32(oss.CountInfo.blocks, blocks, true);
  info.setInt32(oss.CountInfo.ptr, bytes % parameters.bufferBytes, true);
}

/** The calls of /dev/dsp that are not the mixer's. */
export const DSP_ROWS: readonly Call<Dsp>[] = [
  none("SNDCTL_DSP_RESET", IO("P", 0), {
    about: "stops playing and recording at once; what was not heard is not",
  }, (dsp) => dsp.reset()),
  none("SNDCTL_DSP_SYNC", IO("P", 1), {
    about: "plays what was written to its end, and waits for that",
  }, (dsp) => {
    if (!dsp.settle()) return WAIT;
    return dsp.playback.failed ? -EIO : 0;
  }),
  int("SNDCTL_DSP_SPEED", IOWR("P", 2), { about: "sets the sample rate; 0 asks for it" }, setRate),
  int(
    "SOUND_PCM_READ_RATE",
    IOR("P", 2),
    { about: "the sample rate" },
    (dsp) => dsp.parameters.rateHz,
  ),
  int(
    "SNDCTL_DSP_STEREO",
    IOWR("P", 3),
    { about: "sets mono (0) or stereo (1)" },
    (dsp, stereo) => {
      const channels = setChannels(dsp, stereo ? 2 : 1);
      return channels < 0 ? channels : channels - 1;
    },
  ),
  int(
    "SNDCTL_DSP_GETBLKSIZE",
    IOWR("P", 4),
    { about: "the bytes of a fragment" },
    (dsp) => dsp.parameters.fragmentBytes,
  ),
  int("SNDCTL_DSP_SETFMT", IOWR("P", 5), {
    about: "sets the sample format; 0 asks for it",
    values: oss.FORMAT,
  }, setFormat),
  int(
    "SOUND_PCM_READ_BITS",
    IOR("P", 5),
    { about: "the bits of a sample" },
    (dsp) => dsp.parameters.format.bytes * 8,
  ),
  int(
    "SNDCTL_DSP_CHANNELS",
    IOWR("P", 6),
    { about: "sets how many channels; 0 asks for it" },
    setChannels,
  ),
  int(
    "SOUND_PCM_READ_CHANNELS",
    IOR("P", 6),
    { about: "how many channels" },
    (dsp) => dsp.parameters.channels,
  ),
  none("SNDCTL_DSP_POST", IO("P", 8), {
    about: "plays what was written though it may fill no fragment",
  }, (dsp) => dsp.playback.post()),
  int("SNDCTL_DSP_SUBDIVIDE", IOWR("P", 9), {
    about: "divides the default fragment by 1, 2, 4, 8 or 16; 0 asks for the divisor",
  }, (dsp, divisor) => {
    const { parameters } = dsp;
    if (divisor !== 0 && dsp.rebuffer() && !parameters.setSubdivision(divisor)) {
      return -EINVAL;
    }
    return parameters.subdivision;
  }),
  // A program that plays already keeps its fragments and is told that all is well, as OSS 3 did.
  int("SNDCTL_DSP_SETFRAGMENT", IOWR("P", 10), {
    about: "sets the fragments: their most in the upper half, log2 of their bytes in the lower",
  }, (dsp, fragment) => {
    if (dsp.rebuffer() && !dsp.parameters.setFragment(fragment)) return -EINVAL;
    return fragment & 0x7fffffff;
  }),
  int("SNDCTL_DSP_GETFMTS", IOR("P", 11), {
    about: "the sample formats that there are",
    values: oss.FORMAT_MASK,
  }, (dsp) => dsp.parameters.formats),
  fill("SNDCTL_DSP_GETOSPACE", IOR("P", 12, 16), oss.AudioBufInfo, {
    about: "the room to write to",
    timed: ["fragments", "bytes"],
  }, (dsp, info) => {
    const { fragmentBytes, fragments } = dsp.parameters;
    // A mapped ring is the program's to write to, all of it.
    const bytes = dsp.mapping?.playback?.running
      ? dsp.parameters.bufferBytes
      : dsp.playback.freeBytes();
    info.setInt32(oss.AudioBufInfo.fragments, Math.floor(bytes / fragmentBytes), true);
    info.setInt32(oss.AudioBufInfo.fragstotal, fragments, true);
    info.setInt32(oss.AudioBufInfo.fragsize, fragmentBytes, true);
    info.setInt32(oss.AudioBufInfo.bytes, bytes, true);
  }),
  recording("SNDCTL_DSP_GETISPACE", IOR("P", 13, 16), oss.AudioBufInfo, {
    about: "what there is to read",
    timed: ["fragments", "bytes"],
  }, (capture, dsp, info) => {
    const { fragmentBytes, fragments } = dsp.parameters;
    capture.start();
    const bytes = capture.readableBytes();
    info.setInt32(oss.AudioBufInfo.fragments, Math.floor(bytes / fragmentBytes), true);
    info.setInt32(oss.AudioBufInfo.fragstotal, fragments, true);
    info.setInt32(oss.AudioBufInfo.fragsize, fragmentBytes, true);
    info.setInt32(oss.AudioBufInfo.bytes, bytes, true);
  }),
  none(
    "SNDCTL_DSP_NONBLOCK",
    IO("P", 14),
    { about: "as O_NONBLOCK, whatever the descriptor says" },
    (dsp) => {
      dsp.nonblocking = true;
    },
  ),
  int(
    "SNDCTL_DSP_GETCAPS",
    IOR("P", 15),
    { about: "what the device can do", values: oss.CAPS },
    (dsp) =>
      oss.DSP_CAP_DUPLEX | oss.DSP_CAP_REALTIME | oss.DSP_CAP_MULTI | oss.DSP_CAP_TRIGGER |
      (dsp.mapping ? oss.DSP_CAP_MMAP : 0),
  ),
  int(
    "SNDCTL_DSP_GETTRIGGER",
    IOR("P", 16),
    { about: "what may run", values: oss.TRIGGER },
    (dsp) =>
      (dsp.capture && !dsp.capture.held ? oss.PCM_ENABLE_INPUT : 0) |
      (dsp.outputEnabled ? oss.PCM_ENABLE_OUTPUT : 0),
  ),
  int("SNDCTL_DSP_SETTRIGGER", IOW("P", 16), {
    about: "lets playing and recording run, or stops them",
    values: oss.TRIGGER,
  }, (dsp, trigger) => {
    dsp.trigger(
      (trigger & oss.PCM_ENABLE_OUTPUT) !== 0,
      (trigger & oss.PCM_ENABLE_INPUT) !== 0,
    );
    return 0;
  }),
  recording("SNDCTL_DSP_GETIPTR", IOR("P", 17, 12), oss.CountInfo, {
    about: "how much was recorded",
    timed: ["bytes", "blocks", "ptr"],
  }, (capture, dsp, info) => {
    const mapped = dsp.mapping?.capture;
    const follows = mapped?.inUse ? mapped : capture;
    dsp.followsInput = true;
    countInfo(dsp, info, follows.capturedBytes(), follows.blocks.take());
  }),
  fill("SNDCTL_DSP_GETOPTR", IOR("P", 18, 12), oss.CountInfo, {
    about: "how much was played",
    timed: ["bytes", "blocks", "ptr"],
  }, (dsp, info) => {
    const { playback, mapping } = dsp;
    const player = mapping?.playback?.inUse ? mapping.playback : playback;
    countInfo(dsp, info, player.playedBytes(), player.blocks.take());
  }),
  // We cannot be told an address to map at, and snd-pcm-oss refuses them too.
  refused("SNDCTL_DSP_MAPINBUF", IOR("P", 19, 16), oss.BuffmemDesc, {
    about: "a buffer in memory to record to",
  }),
  refused("SNDCTL_DSP_MAPOUTBUF", IOR("P", 20, 16), oss.BuffmemDesc, {
    about: "a buffer in memory to play from",
  }),
  int(
    "SNDCTL_DSP_GETODELAY",
    IOR("P", 23),
    { about: "the bytes that are written and not heard yet", timed: ["value"] },
    (dsp) => dsp.playback.queuedBytes(),
  ),
  fill("SNDCTL_DSP_GETERROR", IOR("P", 25, 112), oss.AudioErrInfo, {
    about: "xruns since the last call",
    timed: ["play_underruns", "rec_overruns"],
  }, (dsp, info) => {
    info.setInt32(
      oss.AudioErrInfo.play_underruns,
      dsp.playback.underruns - dsp.told.underruns,
      true,
    );
    dsp.told.underruns = dsp.playback.underruns; // OSS 4: of the time since the last call
    if (!dsp.capture) return;
    info.setInt32(oss.AudioErrInfo.rec_overruns, dsp.capture.overruns - dsp.told.overruns, true);
    dsp.told.overruns = dsp.capture.overruns;
  }),
];
