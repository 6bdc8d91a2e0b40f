// The dsp's calls of OSS 4, and those of OSS 3 that few programs make: what each does to the sound and
// to the other calls.

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { EBUSY, EINVAL, EIO, ENXIO, EPERM } from "../../ffi/libc.ts";
import { NullSink } from "../../lib/backend/null.ts";
import type { Sink } from "../../lib/backend/sink.ts";
import { ToneSource } from "../../lib/backend/tone.ts";
import type { Cards, OpenStream } from "../../lib/oss/cards.ts";
import { callNamed, DSP_CALLS, unknownCall } from "../../lib/oss/calls.ts";
import { Dsp } from "../../lib/oss/dsp.ts";
import { Mixer } from "../../lib/oss/mixer.ts";
import * as oss from "../../lib/oss/soundcard.ts";
import * as oss4 from "../../lib/oss/soundcard4.ts";
import { AFMT_S16_LE, AFMT_S24_LE, AFMT_U8, FORMATS } from "../../lib/pcm/format.ts";
import { getText, setText } from "../../lib/struct.ts";

const { PCM_ENABLE_INPUT, PCM_ENABLE_OUTPUT } = oss;

/** Some open dsps of one card, of 8 kHz, 8 bit, mono, in a time of the test's own. */
class Bench {
  nowMs = 1000;
  /** What has come to the sink, of all. */
  readonly heard: number[] = [];
  /** Those that another's call has started. */
  readonly started: Dsp[] = [];
  readonly streams: OpenStream[] = [];
  readonly cards: Cards = {
    cards: [{ name: "ossp", about: "null, recorded from tone:440" }],
    audios: [
      { card: 0, mixer: 0, name: "ossp: null", path: "/dev/dsp", records: true },
      { card: 0, mixer: -1, name: "a loop", path: "/dev/loop0", records: false },
    ],
    mixers: [],
    streams: this.streams,
  };
  readonly #mixer = new Mixer();
  readonly #sink: Sink = {
    open: (parameters) => {
      const stream = new NullSink("real").open(parameters);
      const write = stream.write.bind(stream);
      stream.write = (bytes, frames, nowMs) => {
        const frameBytes = parameters.format.bytes * parameters.channels;
        this.heard.push(...bytes.subarray(0, frames * frameBytes));
        write(bytes, frames, nowMs);
      };
      return stream;
    },
    close() {},
  };

  open(plays = true, records = true): Dsp {
    const client = { pid: 42, command: "player" };
    const dsp: Dsp = new Dsp(
      {
        sink: this.#sink,
        client,
        owner: 0,
        now: () => this.nowMs,
        warn(message) {
          throw new Error(message);
        },
        mappedOptions: { leadMs: undefined, silence: false },
        cards: this.cards,
        audio: 0,
        onShown() {},
        onStarted: () => this.started.push(dsp),
      },
      this.#mixer,
      { plays, source: records ? new ToneSource("real", 440) : undefined },
    );
    this.streams.push({ name: "dsp", client, dsp, released: false });
    return dsp;
  }

  /** Lets time pass, a millisecond after the other. */
  pass(ms: number): void {
    for (; ms > 0; ms--) {
      this.nowMs++;
      for (const { dsp } of this.streams) {
        dsp.playback.pump();
        dsp.capture?.pump();
      }
    }
  }
}

/** Makes a call with any argument; returns its result and the argument as it comes back. */
function make(dsp: Dsp, name: string, fill: (argument: DataView) => void = () => {}) {
  const call = callNamed(DSP_CALLS, name)!;
  const size = typeof call.argument === "string" ? 4 : call.argument.$size;
  const argument = new DataView(new ArrayBuffer(size));
  fill(argument);
  return { result: call.run(dsp, argument), argument };
}

/** Makes a call with an int that must succeed; returns what comes back. */
function int(dsp: Dsp, name: string, value = 0): number {
  const { result, argument } = make(dsp, name, (view) => view.setInt32(0, value, true));
  assertEquals(result, 0, name);
  return argument.getInt32(0, true);
}

/** The errno of a call with an int, 0 if it succeeds. */
function refusal(dsp: Dsp, name: string, value = 0): number {
  return Math.abs(make(dsp, name, (view) => view.setInt32(0, value, true)).result);
}

const sound = (length: number) => new Uint8Array(length).fill(200);

Deno.test("a half that was not opened has no pointer, no room and no delay", () => {
  const bench = new Bench();
  const reader = bench.open(false, true);
  const writer = bench.open(true, false);
  for (const name of ["GETOSPACE", "GETOPTR", "GETODELAY", "CURRENT_OPTR", "GETOPEAKS"]) {
    assertEquals(refusal(reader, `SNDCTL_DSP_${name}`), EINVAL, name);
    assertEquals(make(writer, `SNDCTL_DSP_${name}`).result, 0, name);
  }
  for (const name of ["GETISPACE", "GETIPTR", "CURRENT_IPTR", "GETIPEAKS"]) {
    assertEquals(refusal(writer, `SNDCTL_DSP_${name}`), EINVAL, name);
    assertEquals(make(reader, `SNDCTL_DSP_${name}`).result, 0, name);
  }
});

Deno.test("what is duplex is said of what was opened for both ways", () => {
  const bench = new Bench();
  const caps = (plays: boolean, records: boolean) =>
    int(bench.open(plays, records), "SNDCTL_DSP_GETCAPS") &
    (oss.DSP_CAP_DUPLEX | oss.PCM_CAP_INPUT | oss.PCM_CAP_OUTPUT);
  assertEquals(caps(true, true), oss.DSP_CAP_DUPLEX | oss.PCM_CAP_INPUT | oss.PCM_CAP_OUTPUT);
  assertEquals(caps(true, false), oss.PCM_CAP_OUTPUT);
  assertEquals(caps(false, true), oss.PCM_CAP_INPUT);
  assertEquals(refusal(bench.open(), "SNDCTL_DSP_SETDUPLEX"), 0);
  assertEquals(refusal(bench.open(true, false), "SNDCTL_DSP_SETDUPLEX"), EIO);
});

Deno.test("CHANNELS and STEREO move what they can and refuse what makes no sense", () => {
  const dsp = new Bench().open();
  assertEquals(int(dsp, "SNDCTL_DSP_CHANNELS", 6), 6);
  assertEquals(int(dsp, "SNDCTL_DSP_CHANNELS", 0), 6);
  assertEquals(int(dsp, "SNDCTL_DSP_CHANNELS", 128), 8);
  assertEquals(refusal(dsp, "SNDCTL_DSP_CHANNELS", 129), EINVAL);
  assertEquals(refusal(dsp, "SNDCTL_DSP_CHANNELS", -1), EINVAL);
  assertEquals(int(dsp, "SOUND_PCM_READ_CHANNELS"), 8);
  assertEquals(int(dsp, "SNDCTL_DSP_STEREO", 5), 1);
  assertEquals(int(dsp, "SNDCTL_DSP_STEREO", -5), 0);
  assertEquals(int(dsp, "SOUND_PCM_READ_CHANNELS"), 1);
});

Deno.test("every format, rate and number of channels that GETFMTS and AUDIOINFO tell of is honoured", () => {
  const dsp = new Bench().open();
  const formats = int(dsp, "SNDCTL_DSP_GETFMTS");
  for (const { afmt } of FORMATS) {
    assert(formats & afmt);
    assertEquals(int(dsp, "SNDCTL_DSP_SETFMT", afmt), afmt);
    assertEquals(int(dsp, "SNDCTL_DSP_SETFMT", 0), afmt);
    for (let channels = 1; channels <= 8; channels++) {
      assertEquals(int(dsp, "SNDCTL_DSP_CHANNELS", channels), channels);
    }
  }
  // What it has not, it says.
  for (const afmt of [0x4, 0x200, 0x400, 0x800, 0x20000]) {
    assertEquals([formats & afmt, int(dsp, "SNDCTL_DSP_SETFMT", afmt)], [0, AFMT_U8]);
  }
  for (let rate = 1; rate <= 384_000; rate += rate < 100 ? 1 : 997) {
    assertEquals(int(dsp, "SNDCTL_DSP_SPEED", rate), rate);
  }
  assertEquals(int(dsp, "SNDCTL_DSP_SPEED", 384_000), 384_000);
  assertEquals(int(dsp, "SNDCTL_DSP_SPEED", 384_001), 384_000);
  assertEquals(int(dsp, "SNDCTL_DSP_SPEED", 0), 384_000);
  assertEquals(int(dsp, "SNDCTL_DSP_SPEED", -1), 1);
});

Deno.test("SOUND_PCM_READ_BITS is the format, as it always was", () => {
  const dsp = new Bench().open();
  assertEquals(int(dsp, "SOUND_PCM_READ_BITS"), 8);
  for (const format of [AFMT_S16_LE, AFMT_S24_LE]) {
    int(dsp, "SNDCTL_DSP_SETFMT", format);
    assertEquals(int(dsp, "SOUND_PCM_READ_BITS"), format);
  }
});

Deno.test("what there is not is refused as the kernel's OSS and OSS 4 do", () => {
  const dsp = new Bench().open();
  const refusals: [string, number][] = [
    ["SOUND_PCM_WRITE_FILTER", EIO],
    ["SOUND_PCM_READ_FILTER", EIO],
    ["SNDCTL_DSP_MAPINBUF", EINVAL],
    ["SNDCTL_DSP_MAPOUTBUF", EINVAL],
    ["SNDCTL_DSP_GETSPDIF", EINVAL],
    ["SNDCTL_DSP_SETSPDIF", EINVAL],
    ["SNDCTL_DSP_READCTL", EINVAL],
    ["SNDCTL_DSP_WRITECTL", EINVAL],
    ["SNDCTL_SETNAME", EINVAL],
    ["SNDCTL_MIDIINFO", EINVAL],
    ["SNDCTL_DSP_SETSYNCRO", 0],
    ["SNDCTL_DSP_PROFILE", 0],
    ["SNDCTL_DSP_COOKEDMODE", 0],
  ];
  for (const [name, errno] of refusals) assertEquals(refusal(dsp, name), errno, name);
  // A sequencer's, MIDI's, a terminal's, and none.
  for (const command of [oss.IOR("Q", 3), oss.IOWR("m", 3), 0x5401, oss.IOR("P", 99)]) {
    assertEquals(unknownCall("dsp", command), EINVAL);
    assertEquals(unknownCall("mixer", command), command < 0x10000 ? ENXIO : EIO);
  }
});

Deno.test("channels that are bound are heard at their loudspeakers, and there is silence elsewhere", () => {
  const bound = (channels: number, pairs: number, bytes: number[]) => {
    const bench = new Bench();
    const dsp = bench.open(true, false);
    assertEquals(int(dsp, "SNDCTL_DSP_BIND_CHANNEL", pairs), pairs);
    assertEquals(int(dsp, "SNDCTL_DSP_CHANNELS", channels), channels);
    assertEquals(int(dsp, "SNDCTL_DSP_BIND_CHANNEL"), pairs);
    for (let frame = 0; frame < 100; frame++) {
      dsp.playback.write(new Uint8Array(bytes), 0, bytes.length);
    }
    dsp.playback.post();
    bench.pass(50);
    const frame = bench.heard.slice(0, bench.heard.length / 100);
    assertEquals(bench.heard, Array.from({ length: 100 }, () => frame).flat());
    return frame;
  };
  const [front, surround, centre, none] = [1, 2, 4, 0x80];
  assertEquals(bound(2, front, [1, 2]), [1, 2]);
  assertEquals(bound(2, surround, [1, 2]), [none, none, 1, 2]);
  assertEquals(bound(1, surround, [1]), [none, none, 1, 1]);
  assertEquals(bound(1, front, [1]), [1]);
  assertEquals(bound(2, centre, [1, 2]), [none, none, 1, 2, none, none]);
  assertEquals(bound(1, centre, [1]), [none, none, 1, none, none, none]);
  assertEquals(bound(4, front | surround, [1, 2, 3, 4]), [1, 2, 3, 4]);
  assertEquals(bound(4, front | centre, [1, 2, 3, 4]), [1, 2, 3, 4, none, none]);
  assertEquals(bound(4, surround | centre, [1, 2, 3, 4]), [none, none, 1, 2, 3, 4]);
  // As many as all of them have: there is nothing to be bound.
  assertEquals(bound(6, 7, [1, 2, 3, 4, 5, 6]), [1, 2, 3, 4, 5, 6]);
  assertEquals(bound(8, surround, [1, 2, 3, 4, 5, 6, 7, 8]), [1, 2, 3, 4, 5, 6, 7, 8]);

  const bench = new Bench();
  const dsp = bench.open();
  assertEquals(int(dsp, "SNDCTL_DSP_GETCHANNELMASK"), front | surround | centre);
  assertEquals(int(dsp, "SNDCTL_DSP_BIND_CHANNEL"), front);
  int(dsp, "SNDCTL_DSP_CHANNELS", 5);
  assertEquals(int(dsp, "SNDCTL_DSP_BIND_CHANNEL"), front | surround);
  assertEquals(refusal(dsp, "SNDCTL_DSP_BIND_CHANNEL", 8), EINVAL);
  assertEquals(refusal(dsp, "SNDCTL_DSP_BIND_CHANNEL", -1), EINVAL);
  const reader = bench.open(false, true);
  assertEquals(refusal(reader, "SNDCTL_DSP_GETCHANNELMASK"), EINVAL);
  assertEquals(refusal(reader, "SNDCTL_DSP_BIND_CHANNEL", front), EINVAL);
});

Deno.test("RESET and HALT begin the pointers anew, of both halves or of one", () => {
  const bench = new Bench();
  const dsp = bench.open();
  const pointers = () => [int(dsp, "SNDCTL_DSP_GETOPTR"), int(dsp, "SNDCTL_DSP_GETIPTR")];
  const run = () => {
    dsp.playback.write(sound(2000), 0, 2000);
    dsp.capture!.start();
    bench.pass(100);
  };
  run();
  assertEquals(pointers(), [800, 800]);
  make(dsp, "SNDCTL_DSP_HALT_INPUT");
  assertEquals(pointers(), [800, 0]);
  dsp.capture!.start();
  bench.pass(10);
  assertEquals(pointers(), [880, 80]);
  make(dsp, "SNDCTL_DSP_HALT_OUTPUT");
  assertEquals(pointers(), [0, 80]);
  assertEquals(int(dsp, "SNDCTL_DSP_GETODELAY"), 0);
  run();
  assertEquals(pointers(), [800, 880]);
  make(dsp, "SNDCTL_DSP_RESET");
  assertEquals(pointers(), [0, 0]);
  const { argument } = make(dsp, "SNDCTL_DSP_GETOPTR");
  assertEquals(argument.getInt32(oss.CountInfo.blocks, true), 0);
  assertEquals(argument.getInt32(oss.CountInfo.ptr, true), 0);
});

Deno.test("CURRENT_OPTR and CURRENT_IPTR count frames", () => {
  const bench = new Bench();
  const dsp = bench.open();
  int(dsp, "SNDCTL_DSP_SETFMT", AFMT_S16_LE);
  int(dsp, "SNDCTL_DSP_CHANNELS", 2);
  dsp.playback.write(sound(4000), 0, 4000);
  dsp.capture!.start();
  bench.pass(50);
  for (const name of ["SNDCTL_DSP_CURRENT_OPTR", "SNDCTL_DSP_CURRENT_IPTR"]) {
    const { argument } = make(dsp, name);
    assertEquals(argument.getBigInt64(oss4.OssCount.samples, true), 400n);
    assertEquals(argument.getInt32(oss4.OssCount.fifo_samples, true), 0);
  }
});

Deno.test("SILENCE makes silence of what waits, and takes as long", () => {
  const bench = new Bench();
  const dsp = bench.open();
  dsp.playback.write(sound(1600), 0, 1600);
  bench.pass(50);
  const before = bench.heard.length;
  make(dsp, "SNDCTL_DSP_SILENCE");
  const delay = int(dsp, "SNDCTL_DSP_GETODELAY");
  assertEquals(delay, 1200);
  bench.pass(200);
  assertEquals(bench.heard.length, 1600);
  const after = bench.heard.slice(Math.max(before, 400));
  assert(after.length >= 1100 && after.every((sample) => sample === 128));
});

Deno.test("SKIP drops what waits, and what comes next is heard at once", () => {
  const bench = new Bench();
  const dsp = bench.open();
  dsp.playback.write(sound(1600), 0, 1600);
  bench.pass(50);
  make(dsp, "SNDCTL_DSP_SKIP");
  assertEquals(int(dsp, "SNDCTL_DSP_GETODELAY"), 0);
  assertEquals(int(dsp, "SNDCTL_DSP_GETOPTR"), 400);
  dsp.playback.write(sound(800), 0, 800);
  bench.pass(50);
  assertEquals(int(dsp, "SNDCTL_DSP_GETOPTR"), 800);
  bench.pass(200);
  assertEquals(bench.heard.length, 1200);
});

Deno.test("LOW_WATER says how much poll waits for", () => {
  const bench = new Bench();
  const dsp = bench.open();
  const { bufferBytes, fragmentBytes } = dsp.parameters;
  dsp.playback.write(sound(bufferBytes), 0, bufferBytes);
  bench.pass(fragmentBytes / 8);
  assert(dsp.playback.writable());
  int(dsp, "SNDCTL_DSP_LOW_WATER", 2 * fragmentBytes);
  assert(!dsp.playback.writable());
  bench.pass(fragmentBytes / 8);
  assert(dsp.playback.writable());
  // More than there can be room for wakes all the same.
  int(dsp, "SNDCTL_DSP_LOW_WATER", 0x7fffffff);
  assert(!dsp.playback.writable());
  bench.pass((bufferBytes - 3 * fragmentBytes) / 8);
  assert(dsp.playback.writable());
  dsp.capture!.start();
  int(dsp, "SNDCTL_DSP_LOW_WATER", 8);
  bench.pass(1);
  assert(dsp.capture!.readable());
  int(dsp, "SNDCTL_DSP_LOW_WATER", 0);
  assert(!dsp.capture!.readable());
});

Deno.test("POLICY makes fragments short or long, until sound is in the buffer", () => {
  const bench = new Bench();
  const dsp = bench.open();
  int(dsp, "SNDCTL_DSP_SPEED", 48000);
  const usual = int(dsp, "SNDCTL_DSP_GETBLKSIZE");
  const fragment = (policy: number) => {
    int(dsp, "SNDCTL_DSP_POLICY", policy);
    return int(dsp, "SNDCTL_DSP_GETBLKSIZE");
  };
  assertEquals(fragment(5), usual);
  assertEquals([fragment(3), fragment(1)], [usual / 2, usual / 4]);
  assertEquals(fragment(7), usual * 2);
  assertEquals(refusal(dsp, "SNDCTL_DSP_POLICY", 11), EIO);
  assertEquals(refusal(dsp, "SNDCTL_DSP_POLICY", -1), EIO);
  dsp.playback.write(sound(100), 0, 100);
  assertEquals(fragment(1), usual * 2);
});

Deno.test("a group of streams starts at one moment, by the one that made it", () => {
  const bench = new Bench();
  const [master, other, stranger] = [bench.open(), bench.open(), bench.open()];
  const join = (dsp: Dsp, id: number, mode: number) => {
    const { result, argument } = make(dsp, "SNDCTL_DSP_SYNCGROUP", (group) => {
      group.setInt32(oss4.OssSyncgroup.id, id, true);
      group.setInt32(oss4.OssSyncgroup.mode, mode, true);
    });
    return result < 0 ? result : argument.getInt32(oss4.OssSyncgroup.id, true);
  };
  const id = join(master, 0, PCM_ENABLE_OUTPUT);
  assert(id > 0);
  assertEquals(join(master, 0, PCM_ENABLE_OUTPUT), -EBUSY);
  assertEquals(join(other, id + 1, PCM_ENABLE_OUTPUT), -EINVAL);
  assertEquals(join(other, id, 0), -EINVAL);
  assertEquals(join(bench.open(false), id, PCM_ENABLE_OUTPUT), -EINVAL);
  assertEquals(join(other, id, PCM_ENABLE_OUTPUT | PCM_ENABLE_INPUT), id);
  for (const dsp of [master, other, stranger]) dsp.playback.write(sound(2000), 0, 2000);
  bench.pass(100);
  const pointers = () => [master, other, stranger].map((dsp) => int(dsp, "SNDCTL_DSP_GETOPTR"));
  assertEquals(pointers(), [0, 0, 800]);
  assertEquals(refusal(other, "SNDCTL_DSP_SYNCSTART", id), EPERM);
  assertEquals(refusal(stranger, "SNDCTL_DSP_SYNCSTART", id), EPERM);
  assertEquals(refusal(master, "SNDCTL_DSP_SYNCSTART", id + 1), EINVAL);
  assertEquals(refusal(master, "SNDCTL_DSP_SYNCSTART", id), 0);
  assertEquals(bench.started, [master, other]);
  bench.pass(50);
  assertEquals(pointers(), [400, 400, 1200]);
  assertEquals(int(other, "SNDCTL_DSP_GETIPTR"), 400);
  assertEquals(refusal(master, "SNDCTL_DSP_SYNCSTART", id), EPERM);
  const again = join(other, 0, PCM_ENABLE_OUTPUT);
  assertNotEquals(join(master, 0, PCM_ENABLE_OUTPUT), again);
});

Deno.test("peaks are those of the sound that plays and records", () => {
  const bench = new Bench();
  const dsp = bench.open();
  int(dsp, "SNDCTL_DSP_CHANNELS", 2);
  const peaks = (name: string) => {
    const { argument } = make(dsp, name);
    return [0, 1, 2].map((channel) => argument.getUint16(2 * channel, true));
  };
  assertEquals(peaks("SNDCTL_DSP_GETOPEAKS"), [0, 0, 0]);
  const left = new Uint8Array(4000).map((_, i) => i % 2 ? 128 : i % 4 ? 64 : 192);
  dsp.playback.write(left, 0, 4000);
  dsp.capture!.start();
  bench.pass(100);
  assertEquals(peaks("SNDCTL_DSP_GETOPEAKS"), [0x4000, 0, 0]);
  const [one, two, three] = peaks("SNDCTL_DSP_GETIPEAKS");
  assert(one > 0x3000 && one === two && three === 0, `${one} ${two} ${three}`);
  dsp.playback.write(new Uint8Array(2).fill(0), 0, 2);
  make(dsp, "SNDCTL_DSP_RESET");
  assertEquals(peaks("SNDCTL_DSP_GETOPEAKS"), [0, 0, 0]);
});

Deno.test("the order of channels is OSS 4's, and no other can be set", () => {
  const dsp = new Bench().open();
  const orders = ["87654321", "6521", "65321", "6504321"];
  const channels = [0, 0, 0, 1, 2, 0, 3, 0];
  for (const [i, index] of channels.entries()) {
    const order = orders[index];
    int(dsp, "SNDCTL_DSP_CHANNELS", i + 1);
    const { argument } = make(dsp, "SNDCTL_DSP_GET_CHNORDER");
    assertEquals(argument.getBigUint64(0, true).toString(16), order);
    const set = (value: bigint) =>
      make(dsp, "SNDCTL_DSP_SET_CHNORDER", (view) => view.setBigUint64(0, value, true)).result;
    assertEquals(set(BigInt(`0x${order}`)), 0);
    assertEquals([set(0n), set(0x12n)], [0, -EINVAL]);
  }
});

Deno.test("there is one output and one source, called default", () => {
  const dsp = new Bench().open();
  for (const what of ["PLAYTGT", "RECSRC"]) {
    const { argument } = make(dsp, `SNDCTL_DSP_GET_${what}_NAMES`);
    const at = oss.MixerEnumInfo;
    assertEquals(argument.getInt32(at.nvalues, true), 1);
    assertEquals(argument.getInt16(at.strindex, true), 0);
    assertEquals(getText(argument, at.strings, 100), "default");
    assertEquals(int(dsp, `SNDCTL_DSP_SET_${what}`, 7), 0);
    assertEquals(int(dsp, `SNDCTL_DSP_GET_${what}`), 0);
  }
});

Deno.test("GETERROR counts xruns since the last call", () => {
  const bench = new Bench();
  const dsp = bench.open();
  const errors = () => {
    const { argument } = make(dsp, "SNDCTL_DSP_GETERROR");
    const { play_underruns, rec_overruns } = oss4.AudioErrInfo;
    return [argument.getInt32(play_underruns, true), argument.getInt32(rec_overruns, true)];
  };
  assertEquals(errors(), [0, 0]);
  dsp.playback.write(sound(1000), 0, 1000);
  dsp.capture!.start();
  bench.pass(1000);
  assertEquals(errors(), [1, 1]);
  assertEquals(errors(), [0, 0]);
});

Deno.test("32-bit programs' structs are filled at their own offsets", () => {
  const bench = new Bench();
  const dsp = bench.open();
  dsp.playback.write(sound(1000), 0, 1000);
  bench.pass(1000);
  const { $size, play_underruns } = oss4.AudioErrInfo32;
  const errors = DSP_CALLS.get(oss.IOR("P", 25, $size))!;
  const argument = new DataView(new ArrayBuffer($size));
  assertEquals([$size, errors.run(dsp, argument)], [104, 0]);
  assertEquals(argument.getInt32(play_underruns, true), 1);
  const count = DSP_CALLS.get(oss.IOR("P", 36, oss4.OssCount32.$size))!;
  assertEquals([count.variant, count.run(dsp, argument)], ["32-bit", 0]);
  assertEquals(argument.getBigInt64(0, true), 1000n);
  assertEquals(DSP_CALLS.get(oss.IOR("P", 19, 8))!.run(dsp, argument), -EINVAL);
});

Deno.test("the machine is described as it is", () => {
  const bench = new Bench();
  const dsp = bench.open();
  const system = make(dsp, "SNDCTL_SYSINFO").argument;
  const { product, versionnum, numaudios, openedaudio, numcards, numaudioengines } =
    oss4.OssSysinfo;
  assertEquals(getText(system, product, 32), "ossp");
  assertEquals(system.getInt32(versionnum, true), int(dsp, "OSS_GETVERSION"));
  assertEquals(
    [numaudios, openedaudio, numcards, numaudioengines].map((at) => system.getInt32(at, true)),
    [2, 1, 1, 2],
  );
  const card = (number: number) =>
    make(dsp, "SNDCTL_CARDINFO", (view) => {
      for (let i = 0; i < view.byteLength; i++) view.setUint8(i, 0xff);
      view.setInt32(0, number, true);
    });
  assertEquals(card(1).result, -ENXIO);
  const { argument } = card(0);
  assertEquals(getText(argument, oss4.OssCardInfo.shortname, 16), "ossp");
  assertEquals(getText(argument, oss4.OssCardInfo.longname, 128), "null, recorded from tone:440");
  assertEquals(argument.getInt32(oss4.OssCardInfo.intr_count, true), 0);
});

Deno.test("an audio device is described with who uses it, and ENGINEINFO knows who asks", () => {
  const bench = new Bench();
  const at = oss4.OssAudioinfo;
  const info = (dsp: Dsp, call: string, number: number) =>
    make(dsp, call, (view) => view.setInt32(at.dev, number, true));
  const dsp = bench.open(true, false);
  const other = bench.open(false, true);
  for (const name of ["SNDCTL_AUDIOINFO", "SNDCTL_AUDIOINFO_EX", "SNDCTL_ENGINEINFO"]) {
    const { argument } = info(dsp, name, 0);
    assertEquals(getText(argument, at.devnode, 32), "/dev/dsp");
    assertEquals(getText(argument, at.cmd, 64), "player");
    assertEquals(argument.getInt32(at.busy, true), PCM_ENABLE_INPUT | PCM_ENABLE_OUTPUT);
    assertEquals(
      [at.min_rate, at.max_rate, at.max_channels, at.pid].map((it) => argument.getInt32(it, true)),
      [1, 384_000, 8, 42],
    );
    assert(argument.getInt32(at.caps, true) & oss.PCM_CAP_FREERATE);
    assertEquals(info(dsp, name, 2).result, -EINVAL);
    assertEquals(info(dsp, name, -2).result, -EINVAL);
  }
  const loop = info(dsp, "SNDCTL_AUDIOINFO", 1).argument;
  assertEquals(getText(loop, at.devnode, 32), "/dev/loop0");
  assertEquals(loop.getInt32(at.caps, true) & oss.PCM_CAP_INPUT, 0);
  assertEquals(loop.getInt32(at.iformats, true), 0);
  assertEquals(loop.getInt32(at.busy, true), 0);
  assertEquals(info(dsp, "SNDCTL_AUDIOINFO", -1).result, -EINVAL);
  make(other, "SNDCTL_SETSONG", (view) => setText(view, 0, 64, "a song"));
  make(other, "SNDCTL_SETLABEL", (view) => setText(view, 0, 16, "a label that is too long"));
  const own = info(other, "SNDCTL_ENGINEINFO", -1).argument;
  assertEquals(own.getInt32(at.busy, true), PCM_ENABLE_INPUT);
  assertEquals(getText(own, at.song_name, 64), "a song");
  assertEquals(getText(own, at.label, 16), "a label that is");
  assertEquals(getText(make(other, "SNDCTL_GETSONG").argument, 0, 64), "a song");
  assertEquals(getText(make(other, "SNDCTL_GETLABEL").argument, 0, 16), "a label that is");
  assertEquals(getText(info(dsp, "SNDCTL_ENGINEINFO", -1).argument, at.label, 16), "player");
});
