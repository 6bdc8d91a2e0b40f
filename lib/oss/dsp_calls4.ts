// The calls of /dev/dsp that OSS 4 has beyond OSS 3 and that are not the mixer's, a row each.
//
// How OSS 4 answers was seen in its audio core (oss_audio_core.c). The kernel's OSS and osspd know none
// of them: EINVAL.

import { EINVAL, EIO } from "../../ffi/libc.ts";
import { CHANNEL_ORDERS } from "../pcm/channels.ts";
import { getText, setText, type Struct } from "../struct.ts";
import { type Call, fill, inLayouts, int, none, type Notes, refused } from "./call.ts";
import type { Dsp } from "./dsp.ts";
import * as oss from "./soundcard.ts";
import * as oss4 from "./soundcard4.ts";
import { joinSyncGroup, startSyncGroup } from "./sync_group.ts";

const { IO, IOR, IOW, IOWR } = oss;

const DIGITAL = oss4.OssDigitalControl;

/** What the kernel's OSS and osspd say to these calls. */
const UNKNOWN = { kernel: "EINVAL", osspd: "EINVAL" };

/** Writes how many frames a pointer has passed. */
function count(at: typeof oss4.OssCount, info: DataView, bytes: number, dsp: Dsp): void {
  info.setBigInt64(at.samples, BigInt(Math.floor(bytes / dsp.parameters.frameBytes)), true);
}

/** Writes a list of one name. */
function onlyName(info: DataView): void {
  info.setInt32(oss.MixerEnumInfo.nvalues, 1, true);
  setText(info, oss.MixerEnumInfo.strings, 3000, "default");
}

/** Calls to set and get a text that a program says of its stream. */
function textCalls<F extends string>(
  name: "SONG" | "LABEL",
  number: number,
  layout: Struct<F>,
  about: string,
): Call<Dsp>[] {
  const field = name === "SONG" ? "song" : "label";
  return [
    fill(`SNDCTL_SET${name}`, IOW("Y", number, layout.$size), layout, {
      ...UNKNOWN,
      about: `says ${about}; AUDIOINFO and ENGINEINFO tell it`,
    }, (dsp, text) => {
      dsp[field] = getText(text, 0, layout.$size);
    }),
    fill(`SNDCTL_GET${name}`, IOR("Y", number, layout.$size), layout, {
      ...UNKNOWN,
      about,
    }, (dsp, text) => setText(text, 0, layout.$size, dsp[field])),
  ];
}

/** Writes peaks, full scale being 32767. */
function writePeaks(info: DataView, peaks: Float64Array): void {
  for (let i = 0; i < peaks.length; i++) {
    info.setUint16(i * 2, Math.min(Math.round(peaks[i] * 0x8000), 0x7fff), true);
  }
}

function peaks(
  of: "playing" | "recording",
  name: string,
  number: number,
): Call<Dsp> {
  const notes: Notes = {
    ...UNKNOWN,
    about: `how loud each channel is at the moment, ${of}: 0 to 32767`,
    timed: ["peaks"],
    oss4: "EINVAL but for its virtual mixer",
  };
  return fill(name, IOR("P", number, oss4.OssPeaks.$size), oss4.OssPeaks, notes, (dsp, info) => {
    const { playback, capture } = dsp;
    const half = of === "playing" ? (dsp.plays ? playback : undefined) : capture;
    if (!half) return -EINVAL;
    writePeaks(info, half.peaks());
  });
}

/** The dsp's calls of OSS 4. */
export const DSP_ROWS_4: readonly Call<Dsp>[] = [
  ...inLayouts(oss4.AudioErrInfo, oss4.AudioErrInfo32, (at, variant) => [
    fill<Dsp>("SNDCTL_DSP_GETERROR", IOR("P", 25, at.$size), at, {
      ...UNKNOWN,
      about: "xruns since the last call",
      timed: ["play_underruns", "rec_overruns"],
      variant: variant && `${variant}, and OSS 4.2's`,
    }, (dsp, info) => {
      const { playback, capture } = dsp;
      // OSS 4: the counts are of the time since the last call.
      info.setInt32(at.play_underruns, playback.underruns - dsp.told.underruns, true);
      dsp.told.underruns = playback.underruns;
      if (!capture) return;
      info.setInt32(at.rec_overruns, capture.overruns - dsp.told.overruns, true);
      dsp.told.overruns = capture.overruns;
    }),
  ]),
  refused("SNDCTL_DSP_READCTL", IOWR("P", 26, DIGITAL.$size), DIGITAL, {
    about: "EINVAL: no digital interface",
  }),
  refused("SNDCTL_DSP_WRITECTL", IOWR("P", 27, DIGITAL.$size), DIGITAL, {
    about: "EINVAL: no digital interface",
  }),
  fill(
    "SNDCTL_DSP_SYNCGROUP",
    IOWR("P", 28, oss4.OssSyncgroup.$size),
    oss4.OssSyncgroup,
    {
      ...UNKNOWN,
      about: "makes a group (id 0) or joins it: what is in it (mode) waits for SYNCSTART; EBUSY " +
        "in a group already, EINVAL for no such group, or a mode that it was not opened for",
    },
    (dsp, group) => {
      const { id, mode } = oss4.OssSyncgroup;
      const part = joinSyncGroup(dsp, group.getInt32(id, true), group.getInt32(mode, true));
      if (typeof part === "number") return part;
      group.setInt32(id, part.id, true);
      group.setInt32(mode, part.mode, true);
    },
  ),
  int("SNDCTL_DSP_SYNCSTART", IOW("P", 29), {
    ...UNKNOWN,
    about: "starts a group at one moment; EPERM unless this stream has made one",
  }, startSyncGroup),
  int("SNDCTL_DSP_COOKEDMODE", IOW("P", 30), {
    ...UNKNOWN,
    about: "nothing: whether samples are converted is for what is behind the device to say",
    oss4: "turns conversions on or off",
  }, () => 0),
  none("SNDCTL_DSP_SILENCE", IO("P", 31), {
    ...UNKNOWN,
    about: "what is written and not on its way yet becomes silence, and so does a mapping",
  }, (dsp) => dsp.silence()),
  none("SNDCTL_DSP_SKIP", IO("P", 32), {
    ...UNKNOWN,
    about: "what is written and not on its way yet is dropped; pointers go on",
    oss4: "0, and nothing is dropped",
  }, (dsp) => dsp.playback.skip()),
  none("SNDCTL_DSP_HALT_INPUT", IO("P", 33), {
    ...UNKNOWN,
    about: "as RESET, of recording alone",
  }, (dsp) => dsp.haltInput()),
  none("SNDCTL_DSP_HALT_OUTPUT", IO("P", 34), {
    ...UNKNOWN,
    about: "as RESET, of playing alone",
  }, (dsp) => dsp.haltOutput()),
  int("SNDCTL_DSP_LOW_WATER", IOW("P", 34), {
    ...UNKNOWN,
    about:
      "the bytes of room, or of sound, that poll waits for; 0 for a fragment, as it is without",
  }, (dsp, bytes) => {
    dsp.parameters.setLowWater(bytes);
    return 0;
  }),
  ...inLayouts(oss4.OssCount, oss4.OssCount32, (at, variant) => [
    fill<Dsp>("SNDCTL_DSP_CURRENT_IPTR", IOR("P", 35, at.$size), at, {
      ...UNKNOWN,
      about: "the frames recorded since the open or the last RESET; EINVAL where none can be",
      timed: ["samples"],
      oss4: "ENOTSUP where none can be",
      variant,
    }, (dsp, info) => {
      const { recorder } = dsp;
      if (!recorder) return -EINVAL;
      count(at, info, recorder.pointerBytes(), dsp);
    }),
    fill<Dsp>("SNDCTL_DSP_CURRENT_OPTR", IOR("P", 36, at.$size), at, {
      ...UNKNOWN,
      about: "the frames played since the open or the last RESET; EINVAL where none can be",
      timed: ["samples"],
      oss4: "ENOTSUP where none can be",
      variant,
    }, (dsp, info) => {
      if (!dsp.plays) return -EINVAL;
      count(at, info, dsp.player.pointerBytes(), dsp);
    }),
  ]),
  fill(
    "SNDCTL_DSP_GET_RECSRC_NAMES",
    IOR("P", 37, oss.MixerEnumInfo.$size),
    oss.MixerEnumInfo,
    { ...UNKNOWN, about: "the sources to record from: one, called default" },
    (_, info) => onlyName(info),
  ),
  int("SNDCTL_DSP_GET_RECSRC", IOR("P", 38), {
    ...UNKNOWN,
    about: "which of them it is: 0",
  }, () => 0),
  int("SNDCTL_DSP_SET_RECSRC", IOWR("P", 38), {
    ...UNKNOWN,
    about: "chooses one of them, and says which it is: 0",
  }, () => 0),
  fill(
    "SNDCTL_DSP_GET_PLAYTGT_NAMES",
    IOR("P", 39, oss.MixerEnumInfo.$size),
    oss.MixerEnumInfo,
    { ...UNKNOWN, about: "the outputs to play to: one, called default" },
    (_, info) => onlyName(info),
  ),
  int("SNDCTL_DSP_GET_PLAYTGT", IOR("P", 40), {
    ...UNKNOWN,
    about: "which of them it is: 0",
  }, () => 0),
  int("SNDCTL_DSP_SET_PLAYTGT", IOWR("P", 40), {
    ...UNKNOWN,
    about: "chooses one of them, and says which it is: 0",
  }, () => 0),
  fill("SNDCTL_DSP_GET_CHNORDER", IOR("P", 42, 8), oss4.ChannelOrder, {
    ...UNKNOWN,
    about: "which speaker each channel is, CHNORDER_NORMAL for 1, 2, 3, 6 and 8 of them",
    oss4: "EINVAL but for a few cards",
  }, ({ parameters }, order) => {
    order.setBigUint64(0, CHANNEL_ORDERS[parameters.channels], true);
  }),
  fill("SNDCTL_DSP_SET_CHNORDER", IOWR("P", 42, 8), oss4.ChannelOrder, {
    ...UNKNOWN,
    about: "takes the order that there is, 0 asks for it; EINVAL for another",
    oss4: "EINVAL but for a few cards",
  }, ({ parameters }, order) => {
    const own = CHANNEL_ORDERS[parameters.channels];
    const wanted = order.getBigUint64(0, true);
    if (wanted !== 0n && wanted !== own) return -EINVAL;
    order.setBigUint64(0, own, true);
  }),
  peaks("recording", "SNDCTL_DSP_GETIPEAKS", 43),
  peaks("playing", "SNDCTL_DSP_GETOPEAKS", 44),
  int("SNDCTL_DSP_POLICY", IOW("P", 45), {
    ...UNKNOWN,
    about: "the default fragment, from the least delay (0) to the fewest wake-ups (10), 5 as it " +
      "is without; EIO for others; too late once sound is in the buffer",
  }, (dsp, policy) => dsp.rebuffer() && !dsp.parameters.setPolicy(policy) ? -EIO : 0),
  ...textCalls("SONG", 2, oss4.OssLongname, "what is played"),
  refused("SNDCTL_SETNAME", IOW("Y", 3, oss4.OssLongname.$size), oss4.OssLongname, {
    ...UNKNOWN,
    about: "EINVAL: names a server's virtual device, which this is not",
  }),
  ...textCalls("LABEL", 4, oss4.OssLabel, "what the stream is called"),
];
