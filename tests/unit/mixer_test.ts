// The mixer: levels of a card, of streams and of groups of them, as OSS 3 and OSS 4 programs move and
// read them.

import { assert, assertEquals } from "@std/assert";
import { EFAULT, EIDRM, EINVAL, EIO, ENXIO } from "../../ffi/libc.ts";
import type { StreamVolume } from "../../lib/backend/sink.ts";
import { callNamed, DSP_CALLS, MIXER_CALLS, unknownCall } from "../../lib/oss/calls.ts";
import type { Cards } from "../../lib/oss/cards.ts";
import type { Dsp } from "../../lib/oss/dsp.ts";
import { Mixer, type MixerScope, type StreamLevels } from "../../lib/oss/mixer.ts";
import type { HasMixer } from "../../lib/oss/mixer_calls.ts";
import * as oss from "../../lib/oss/soundcard.ts";
import { FULL_LEVEL, LEVEL_MUTED } from "../../lib/pcm/volume.ts";

const { MixExt, MixerEnumInfo, MixerInfo, MixerValue, OssMixerInfo } = oss;

const PLAYS = { plays: true, records: false };
const BOTH = { plays: true, records: true };

/** Percent on both sides. */
const both = (percent: number) => percent | percent << 8;

/** A card's mixer, its programs and their files. */
class Card {
  readonly mixer: Mixer;
  readonly cards: Cards;

  constructor(scope?: MixerScope) {
    this.mixer = new Mixer(scope);
    const { mixer } = this;
    const info = { card: 0, name: "ossp", path: "/dev/mixer", mixer };
    this.cards = { cards: [], audios: [], mixers: [info], streams: [] };
  }

  /** What a program that belongs to `owner` has opened /dev/mixer as. */
  file(owner: number): HasMixer {
    return { mixer: this.mixer, mixerGroup: this.mixer.enter(owner), cards: this.cards };
  }

  stream(owner: number, command: string, halves = PLAYS): StreamLevels {
    return this.mixer.add({ pid: owner, command }, owner, halves);
  }
}

/** Makes a call on a mixer with an int; returns what comes back, or -errno. */
function call(target: HasMixer, name: string, value = 0): number {
  const argument = new DataView(new ArrayBuffer(128));
  argument.setInt32(0, value, true);
  const result = callNamed(MIXER_CALLS, `SOUND_MIXER_${name}`)!.run(target, argument);
  return result < 0 ? result : argument.getInt32(0, true);
}

/** Makes a call on a stream with an int. */
function streamCall(levels: StreamLevels, name: string, value = 0): number {
  const argument = new DataView(new ArrayBuffer(4));
  argument.setInt32(0, value, true);
  const dsp = { mixer: levels.mixer, levels } as unknown as Dsp;
  const result = callNamed(DSP_CALLS, `SNDCTL_DSP_${name}`)!.run(dsp, argument);
  return result < 0 ? result : argument.getInt32(0, true);
}

/** Makes a call of the extension with a struct whose first ints are given; returns it, or -errno. */
function extension(target: HasMixer, name: string, ...ints: number[]): DataView | number {
  const argument = new DataView(new ArrayBuffer(4096));
  ints.forEach((value, i) => argument.setInt32(4 * i, value, true));
  const result = callNamed(MIXER_CALLS, `SNDCTL_${name}`)!.run(target, argument);
  return result < 0 ? result : argument;
}

function text(view: DataView, at: number): string {
  let end = at;
  while (view.getUint8(end) !== 0) end++;
  return new TextDecoder().decode(new Uint8Array(view.buffer, at, end - at));
}

/** A control as a client sees it. */
interface Seen {
  readonly ctrl: number;
  readonly type: number;
  readonly path: string;
  readonly timestamp: number;
  readonly changes: number;
}

/** Walks the tree as ossmix does. */
function walk(target: HasMixer): Seen[] {
  const count = extension(target, "MIX_NREXT", -1) as DataView;
  return Array.from({ length: count.getInt32(0, true) }, (_, ctrl) => {
    const ext = extension(target, "MIX_EXTINFO", 0, ctrl) as DataView;
    const int = (at: number) => ext.getInt32(at, true);
    assertEquals([int(MixExt.dev), int(MixExt.ctrl)], [0, ctrl]);
    assert(int(MixExt.parent) < Math.max(1, ctrl));
    return {
      ctrl,
      type: int(MixExt.type),
      path: text(ext, MixExt.extname),
      timestamp: int(MixExt.timestamp),
      changes: int(MixExt.update_counter),
    };
  });
}

const VALUES = [3, 5, 21]; // MIXT_ENUM, MIXT_STEREOSLIDER, MIXT_MUTE

function find(target: HasMixer, path: string): Seen {
  const found = walk(target).find((seen) => seen.path === path && VALUES.includes(seen.type));
  assert(found, `no ${path}`);
  return found;
}

/** Reads or writes a control. */
function valueOf(target: HasMixer, { ctrl, timestamp }: Seen, value?: number): number {
  const name = value === undefined ? "MIX_READ" : "MIX_WRITE";
  const view = extension(target, name, 0, ctrl, value ?? 0, 0, timestamp);
  return typeof view === "number" ? view : view.getInt32(MixerValue.value, true);
}

Deno.test("a level is kept to 100 percent a side, and each move counts", () => {
  const file = new Card().file(1);
  const count = () => {
    const view = extensionInfo(file);
    return view.getInt32(MixerInfo.modify_counter, true);
  };
  assertEquals(call(file, "READ_VOLUME"), both(100));
  const before = count();
  assertEquals(call(file, "WRITE_VOLUME", 30 | 255 << 8), 30 | 100 << 8);
  assertEquals(call(file, "READ_VOLUME"), 30 | 100 << 8);
  assertEquals(call(file, "WRITE_VOLUME", 30 | 255 << 8), 30 | 100 << 8);
  assertEquals(count(), before + 2);
});

function extensionInfo(file: HasMixer): DataView {
  const view = new DataView(new ArrayBuffer(MixerInfo.$size));
  assertEquals(callNamed(MIXER_CALLS, "SOUND_MIXER_INFO")!.run(file, view), 0);
  return view;
}

Deno.test("the masks say what there is; channels that there are not keep what is written", () => {
  const file = new Card().file(1);
  const { SOUND_MIXER_VOLUME, SOUND_MIXER_PCM, SOUND_MIXER_IGAIN } = oss;
  const igain = 1 << SOUND_MIXER_IGAIN;
  const all = 1 << SOUND_MIXER_VOLUME | 1 << SOUND_MIXER_PCM | igain;
  assertEquals(call(file, "READ_DEVMASK"), all);
  assertEquals(call(file, "READ_STEREODEVS"), all);
  assertEquals([call(file, "READ_RECMASK"), call(file, "READ_RECSRC")], [igain, igain]);
  assertEquals(call(file, "WRITE_RECSRC", 1 << 7), igain);
  assertEquals([call(file, "READ_CAPS"), call(file, "READ_OUTSRC")], [1, 0]);
  // As snd-mixer-oss has it: of one side.
  assertEquals(call(file, "READ_CD"), 0);
  assertEquals(call(file, "WRITE_CD", 60 | 10 << 8), both(60));
  assertEquals(call(file, "READ_CD"), both(60));
  for (const name of ["AGC", "3DSE", "PRIVATE1", "PRIVATE5", "GETLEVELS", "SETLEVELS", "ACCESS"]) {
    assertEquals(call(file, name), -EIO, name);
  }
  assertEquals(unknownCall("mixer", oss.IOR("M", 90)), EIO);
  assertEquals(unknownCall("mixer", oss.IO("M", 90)), ENXIO);
});

Deno.test("what is muted reads 0, and raising it ends that", () => {
  const card = new Card();
  const file = card.file(1);
  const stream = card.stream(1, "player");
  call(file, "WRITE_PCM", both(80));
  const pcm = 1 << oss.SOUND_MIXER_PCM;
  assertEquals(call(file, "WRITE_MUTE", pcm | 1 << 7), pcm);
  assertEquals([call(file, "READ_PCM"), stream.pcm!.sides], [0, both(80)]);
  assertEquals(stream.gain, { left: 0, right: 0 });
  call(file, "WRITE_PCM", 0);
  assertEquals(call(file, "READ_MUTE"), pcm);
  call(file, "WRITE_PCM", both(50));
  assertEquals([call(file, "READ_MUTE"), call(file, "READ_PCM")], [0, both(50)]);
  assertEquals(stream.gain, { left: 0.125, right: 0.125 });
});

Deno.test("pcm moves the streams of the mover's group, those to come too, and vol all", () => {
  const card = new Card();
  const [mine, yours] = [card.file(1), card.file(2)];
  const [one, two, other] = [card.stream(1, "a"), card.stream(1, "a"), card.stream(2, "b")];
  call(mine, "WRITE_PCM", both(50));
  assertEquals([one, two, other].map(({ pcm }) => pcm!.sides), [both(50), both(50), both(100)]);
  assertEquals([call(mine, "READ_PCM"), call(yours, "READ_PCM")], [both(50), both(100)]);
  assertEquals(card.stream(1, "a").pcm!.sides, both(50));
  call(yours, "WRITE_VOLUME", both(50));
  assertEquals([one.gain.left, other.gain.left], [1 / 64, 1 / 8]);
  // The mean of its streams, as osspd tells it.
  assertEquals(streamCall(one, "SETPLAYVOL", both(20)), both(20));
  assertEquals(call(mine, "READ_PCM"), both(40));
  assertEquals(streamCall(two, "GETPLAYVOL"), both(50));
});

Deno.test("what a group has set is remembered for whoever comes next", () => {
  const card = new Card("user");
  const file = card.file(1000);
  call(file, "WRITE_PCM", both(10));
  card.mixer.leave(file.mixerGroup);
  assertEquals(call(card.file(1000), "READ_PCM"), both(10));
  assertEquals(call(card.file(1001), "READ_PCM"), both(100));
});

Deno.test("recording has a gain of its own, which rec is another name of", () => {
  const card = new Card();
  const file = card.file(1);
  const stream = card.stream(1, "recorder", { plays: false, records: true });
  assertEquals(call(file, "WRITE_IGAIN", 50 | 100 << 8), 50 | 100 << 8);
  assertEquals(stream.recordGain, { left: 0.125, right: 1 });
  assertEquals(call(file, "READ_RECLEV"), 50 | 100 << 8);
  assertEquals(streamCall(stream, "SETRECVOL", both(100)), both(100));
  assertEquals(call(file, "READ_IGAIN"), both(100));
  assertEquals(streamCall(stream, "GETPLAYVOL"), -EINVAL);
  assertEquals(streamCall(card.stream(1, "player"), "SETRECVOL", 1), -EINVAL);
});

/** A destination that keeps a stream's level. */
class Kept implements StreamVolume {
  readonly told: number[] = [];
  moved: number | undefined;

  set(level: number): void {
    this.told.push(level);
  }

  take(): number | undefined {
    const { moved } = this;
    this.moved = undefined;
    return moved;
  }
}

Deno.test("a level that the destination keeps is no gain, and moves both ways", () => {
  const card = new Card();
  const file = card.file(1);
  const stream = card.stream(1, "player");
  const kept = new Kept();
  assertEquals(stream.level, undefined);
  stream.keepAt(kept);
  call(file, "WRITE_PCM", both(50));
  assertEquals([kept.told, stream.gain], [[both(50)], { left: 1, right: 1 }]);

  const seen = find(file, "player");
  const { modifications } = card.mixer;
  kept.moved = 30 | 40 << 8 | LEVEL_MUTED;
  assertEquals(call(file, "READ_MUTE"), 1 << oss.SOUND_MIXER_PCM);
  assertEquals(valueOf(file, seen), 30 | 40 << 8);
  assertEquals(card.mixer.modifications, modifications + 1);
  assertEquals(find(file, "player").changes, seen.changes + 1);
  assertEquals(find(file, "pcm").changes, seen.changes + 1);
  assertEquals(kept.told.length, 1);
  // Whoever comes next begins there, and a destination that keeps nothing gets a gain.
  assertEquals(card.stream(1, "next").level, 30 | 40 << 8 | LEVEL_MUTED);
  stream.keepAt(undefined);
  assertEquals(stream.gain, { left: 0, right: 0 });
});

Deno.test("OSS 4's tree: the card's channels, then each stream by its program's name", () => {
  const card = new Card();
  const file = card.file(1);
  const stream = card.stream(2, "mpg123", BOTH);
  card.stream(3, "mpg123");
  card.stream(3, "a b.c/Ä pcm of 20 letters");
  card.stream(3, "pcm");
  const paths = walk(file).filter(({ type }) => VALUES.includes(type)).map(({ path }) => path);
  assertEquals(paths, [
    ...["vol", "vol.mute", "pcm", "pcm.mute", "igain", "igain.mute", "scope"],
    ...["mpg123", "mpg123.mute", "mpg123.rec", "mpg123.recmute", "mpg123-2", "mpg123-2.mute"],
    ...["a_b_c___pcm_of_", "a_b_c___pcm_of_.mute", "pcm-2", "pcm-2.mute"],
  ]);
  assertEquals(valueOf(file, find(file, "mpg123"), 200 << 8 | 30), 30 | 100 << 8);
  assertEquals(stream.pcm!.sides, 30 | 100 << 8);
  assertEquals(valueOf(file, find(file, "mpg123.mute"), 1), 1);
  assertEquals(valueOf(file, find(file, "mpg123.rec"), both(50)), both(50));
  assertEquals([stream.gain, stream.recordGain.left], [{ left: 0, right: 0 }, 0.125]);
  assertEquals(valueOf(file, find(file, "vol.mute"), 7), 1);
  assertEquals(call(file, "READ_VOLUME"), 0);
  assertEquals(valueOf(file, find(file, "vol")), FULL_LEVEL);

  const info = extension(file, "MIXERINFO", -1) as DataView;
  assertEquals(text(info, OssMixerInfo.devnode), "/dev/mixer");
  assertEquals(info.getInt32(OssMixerInfo.nrext, true), walk(file).length);
  assertEquals(info.getInt32(OssMixerInfo.modify_counter, true), card.mixer.modifications);
  const scope = find(file, "scope");
  const names = extension(file, "MIX_ENUMINFO", 0, scope.ctrl) as DataView;
  const index = names.getInt16(MixerEnumInfo.strindex + 2 * valueOf(file, scope), true);
  assertEquals(text(names, MixerEnumInfo.strings + index), "stream");
  const about = extension(file, "MIX_DESCRIPTION", 0, find(file, "mpg123").ctrl) as DataView;
  assertEquals(text(about, MixerEnumInfo.strings), "what mpg123 plays (process 2)");
});

Deno.test("OSS 4's errors: a control of a stream that has ended is not another one's", () => {
  const card = new Card();
  const file = card.file(1);
  const gone = card.stream(1, "gone");
  const seen = find(file, "gone");
  gone.close();
  assertEquals(valueOf(file, seen), -EIDRM);
  card.stream(1, "gone");
  assertEquals(find(file, "gone").ctrl, seen.ctrl);
  assertEquals([valueOf(file, seen), valueOf(file, seen, 0)], [-EIDRM, -EIDRM]);
  const [root, scope] = [walk(file)[0], find(file, "scope")];
  assertEquals([valueOf(file, root), valueOf(file, scope, 1)], [-EFAULT, -EFAULT]);
  for (const [name, errno] of [["MIX_EXTINFO", EIDRM], ["MIX_ENUMINFO", EIDRM]] as const) {
    assertEquals(extension(file, name, 0, -1), -errno);
    assertEquals(extension(file, name, 0, 1000), -errno);
    assertEquals(extension(file, name, 1, 0), -ENXIO);
  }
  assertEquals(extension(file, "MIX_ENUMINFO", 0, 0), -EIO);
  assertEquals(extension(file, "MIX_DESCRIPTION", 0, 0), -EIO);
  assertEquals(extension(file, "MIX_NREXT", 1), -ENXIO);
  assertEquals(extension(file, "MIXERINFO", 7), -ENXIO);
});
