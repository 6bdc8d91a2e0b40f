// The sources: what they give, in whatever pieces it is read, and what --source calls them.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { type FileCalls, HERE } from "../../ffi/file_calls.ts";
import { EIO } from "../../ffi/libc.ts";
import { openSource } from "../../lib/backend/open.ts";
import type { PcmParameters } from "../../lib/backend/sink.ts";
import { parseSink, parseSource } from "../../lib/backend/spec.ts";
import type { ClockKind } from "../../lib/pcm/clock.ts";
import { formatByName } from "../../lib/pcm/format.ts";
import { wavHeader, wavSizes } from "../../lib/pcm/wav.ts";
import { noise } from "../programs.ts";
import { Later } from "./later.ts";

const CLIENT = { pid: 1, command: "test" };

function parameters(format: string, rateHz: number, channels: number): PcmParameters {
  return { format: formatByName(format)!, rateHz, channels };
}

function sourceOf(spec: string, clock: ClockKind, calls: FileCalls = HERE) {
  const parsed = parseSource(spec);
  return openSource({ ...parsed, clock, onLoss: "go-on", resample: "medium" }, calls);
}

/** Reads a source from its start in pieces; negative ones are skipped. */
function take(spec: string, sound: PcmParameters, pieces: number[], clock: ClockKind = "free") {
  const source = sourceOf(spec, clock)!;
  const stream = source.open(sound, CLIENT);
  stream.start(0);
  const frameBytes = sound.format.bytes * sound.channels;
  const taken: Uint8Array<ArrayBuffer>[] = [];
  for (const frames of pieces) {
    if (frames < 0) stream.skip(-frames, 0);
    else {
      const bytes = new Uint8Array(frames * frameBytes + 1).fill(0xaa);
      stream.read(bytes, frames, 0);
      assertEquals(bytes[frames * frameBytes], 0xaa, "written beyond the end");
      taken.push(bytes.subarray(0, frames * frameBytes));
    }
  }
  stream.close();
  source.close();
  return concat(...taken);
}

function concat(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return whole;
}

/** Runs `use` with a WAV file of these samples. */
function withWav(sound: PcmParameters, samples: Uint8Array, use: (path: string) => void): void {
  const path = Deno.makeTempFileSync({ suffix: ".wav" });
  try {
    const header = wavHeader(sound.format, sound.rateHz, sound.channels);
    wavSizes(header, samples.length);
    Deno.writeFileSync(path, header.bytes);
    Deno.writeFileSync(path, samples, { append: true });
    use(path);
  } finally {
    Deno.removeSync(path);
  }
}

const NOISE = Uint8Array.from({ length: 400 }, (_, i) => i * 97 + (i >> 3) * 31);

Deno.test("what --source says", () => {
  assertEquals(parseSource("silence"), { kind: "silence", path: "", frequencyHz: 0 });
  assertEquals(parseSource("tone:440.5"), { kind: "tone", path: "", frequencyHz: 440.5 });
  assertEquals(parseSource("wav:a:b.wav"), { kind: "wav", path: "a:b.wav", frequencyHz: 0 });
  assertEquals(parseSource("wav-once:x").kind, "wav-once");
  assertEquals(parseSource("auto").server, { kind: "auto", name: "" });
  for (const parse of [parseSink, parseSource]) {
    assertThrows(() => parse("auto:pulse"), Error, '"auto:pulse": one of auto, pulse[:SERVER]');
  }
  assertEquals(sourceOf("none", "real"), undefined);
  for (
    const wrong of ["", "silence:", "tone", "tone:", "tone:a", "tone:-1", "wav", "wav:", "mic"]
  ) {
    assertThrows(() => parseSource(wrong), Error, "silence, tone:HZ, wav:PATH");
  }
});

Deno.test("silence is each format's own", () => {
  assertEquals(take("silence", parameters("u8", 8000, 2), [2]), Uint8Array.of(128, 128, 128, 128));
  assertEquals(take("silence", parameters("u16be", 8000, 1), [1]), Uint8Array.of(0x80, 0));
});

Deno.test("a real clock gives frames in their time, from the start on", () => {
  const source = sourceOf("silence", "real")!;
  const stream = source.open(parameters("u8", 1000, 1), CLIENT);
  assertEquals(stream.available(5), 0);
  stream.start(10);
  assertEquals([stream.available(10), stream.available(15)], [0, 5]);
  assertEquals(stream.timeOfAvailable(20, 15), 30);
  stream.skip(5, 15);
  assertEquals(stream.available(17), 2);
  stream.stop(18);
  assertEquals(stream.available(100), 0);
});

Deno.test("a tone has its frequency and half of full scale, and goes on where it was", () => {
  const sound = parameters("s16le", 48000, 2);
  const whole = take("tone:1000", sound, [4800]);
  assertEquals(take("tone:1000", sound, [7, 1000, 3793]), whole);
  assertEquals(take("tone:1000", sound, [-480, 960]), whole.slice(0, 960 * 4)); // whole periods
  const samples = new Int16Array(whole.buffer);
  let rises = 0;
  for (let i = 2; i < samples.length; i += 2) {
    assertEquals(samples[i], samples[i + 1]);
    if (samples[i - 2] < 0 && samples[i] >= 0) rises++;
  }
  assert(Math.abs(rises - 100) <= 1, `${rises} periods in 100 ms`);
  const loudest = samples.reduce((most, sample) => Math.max(most, sample), 0);
  assert(Math.abs(loudest - 16384) <= 2, `loudest sample ${loudest}`);
});

Deno.test("a WAV file comes bit for bit, over and over", () => {
  const sound = parameters("s24packed", 44100, 2);
  const samples = NOISE.subarray(0, 396); // 66 frames
  withWav(sound, samples, (path) => {
    const twice = concat(samples, samples);
    assertEquals(take(`wav:${path}`, sound, [132]), twice);
    assertEquals(take(`wav:${path}`, sound, [1, 65, 30, 36]), twice);
    assertEquals(take(`wav:${path}`, sound, [10, -66 * 1000, 20]), twice.slice(0, 30 * 6));
  });
});

Deno.test("or once, and is silent from then on", () => {
  const sound = parameters("u8", 8000, 1);
  withWav(sound, NOISE, (path) => {
    const wanted = new Uint8Array(500).fill(128);
    wanted.set(NOISE);
    assertEquals(take(`wav-once:${path}`, sound, [390, 110]), wanted);
    assertEquals(take(`wav-once:${path}`, sound, [-1000, 10]), new Uint8Array(10).fill(128));
  });
});

Deno.test("to other formats and channels it is converted", () => {
  withWav(parameters("s16le", 8000, 1), NOISE, (path) => {
    const wide = new Int32Array(
      take(`wav:${path}`, parameters("s32le", 8000, 2), [150, 250]).buffer,
    );
    const samples = new Int16Array(NOISE.slice().buffer);
    assertEquals(wide.length, 800);
    wide.forEach((sample, i) => assertEquals(sample, samples[(i >> 1) % 200] * 65536));
    const later = take(`wav:${path}`, parameters("s32le", 8000, 2), [20, -50, 30]);
    assertEquals(new Int32Array(later.buffer).slice(40), wide.slice(140, 200));
  });
});

Deno.test("to another rate it is resampled, at the right speed, after a gap too", () => {
  const low = parameters("f32le", 8000, 1);
  const tone = take("tone:500", low, [8000]);
  withWav(low, tone, (path) => {
    const sound = parameters("f32le", 48000, 1);
    const error = (bytes: Uint8Array<ArrayBuffer>, first: number) =>
      new Float32Array(bytes.buffer).reduce((worst, sample, i) => {
        const wanted = 0.5 * Math.sin(2 * Math.PI * 500 * (first + i) / 48000);
        return i < 1000 ? worst : Math.max(worst, Math.abs(sample - wanted));
      }, 0);
    const whole = take(`wav:${path}`, sound, [96000]);
    assert(error(whole, 0) < 1e-3, `off by ${error(whole, 0)}`);
    assertEquals(take(`wav:${path}`, sound, [5, 995, 5000]), whole.slice(0, 24000));
    const later = take(`wav:${path}`, sound, [-4800, 4800]);
    assert(error(later, 4800) < 1e-3, `off by ${error(later, 4800)} after a gap`);
  });
});

Deno.test("files that cannot be played are refused in words", () => {
  const open = (path: string) => () => sourceOf(`wav:${path}`, "real");
  assertThrows(open("/nowhere.wav"), Error, "/nowhere.wav: No such file");
  assertThrows(open("/etc/passwd"), Error, "not a WAV file");
  withWav(parameters("s16le", 8000, 1), new Uint8Array(1), (path) => {
    assertThrows(open(path), Error, "0 frames of 1 channels");
  });
});

/** Records by a clock, 10 ms at a time, what there is; a call on the file is made in every `each`th. */
function record(path: string, sound: PcmParameters, seconds: number, calls: Later, each: number) {
  const stream = sourceOf(`wav:${path}`, "real", calls)!.open(sound, CLIENT);
  const frameBytes = sound.format.bytes * sound.channels;
  const taken: Uint8Array<ArrayBuffer>[] = [];
  stream.start(0);
  for (let nowMs = 0; nowMs < seconds * 1000; nowMs += 10) {
    const frames = stream.available(nowMs);
    const bytes = new Uint8Array(frames * frameBytes);
    stream.read(bytes, frames, nowMs);
    taken.push(bytes);
    if (nowMs % (10 * each) === 0 && calls.waiting.length > 0) calls.next();
  }
  stream.close();
  return concat(...taken);
}

Deno.test("a file whose disk is slow comes whole, as much later as the disk", () => {
  const sound = parameters("s16le", 48000, 1);
  const samples = noise(4 * 48000 * 2, 1);
  withWav(sound, samples, (path) => {
    const calls = new Later();
    const whole = record(path, sound, 4, calls, 1);
    assert(whole.length > 3.9 * 48000 * 2, `${whole.length} bytes`);
    assertEquals(whole, samples.subarray(0, whole.length));
    calls.most = 20_000; // 0.2 s, each of which takes 0.5
    calls.interrupts = true;
    const slow = record(path, sound, 4, calls, 50);
    assertEquals(slow, samples.subarray(0, slow.length));
    assert(slow.length < 2 * 48000 * 2 && slow.length > 20_000, `${slow.length} bytes`);
    // Another rate, and channels.
    const wanted = parameters("s32le", 44100, 2);
    const converted = record(path, wanted, 4, new Later(), 30);
    assert(converted.length > 2 * 44100 * 8, `${converted.length} bytes`);
    assertEquals(converted, take(`wav:${path}`, wanted, [converted.length / 8]));
  });
});

Deno.test("a file of a few frames comes over and over by a clock too", () => {
  const sound = parameters("u8", 8000, 1);
  const samples = NOISE.subarray(0, 7);
  withWav(sound, samples, (path) => {
    const heard = record(path, sound, 10, new Later(), 1);
    assert(heard.length > 70_000);
    assert(heard.every((sample, i) => sample === samples[i % 7]));
    const converted = record(path, parameters("u8", 9000, 1), 1, new Later(), 1);
    assert(converted.length > 8000, `${converted.length} frames`);
  });
});

Deno.test("on a disk that stands still only so much waits, however often the device is opened", () => {
  const sound = parameters("s16le", 8000, 1);
  withWav(sound, NOISE, (path) => {
    const calls = new Later();
    const source = sourceOf(`wav:${path}`, "real", calls)!;
    for (let i = 0; i < 1000; i++) source.open(sound, CLIENT).close();
    const { length } = calls.waiting;
    assert(length < 1000, `${length} wait`);
    const stream = source.open(sound, CLIENT);
    stream.start(0);
    assertThrows(() => stream.read(new Uint8Array(2), stream.available(10), 10), Error, "busy");
    calls.all();
    source.open(sound, CLIENT).close();
    assert(calls.waiting.length > 0);
  });
});

Deno.test("a file that cannot be read is an error, not silence", () => {
  const sound = parameters("s16le", 8000, 1);
  withWav(sound, NOISE, (path) => {
    const broken: FileCalls = { ...HERE, read: (_fd, _target, _offset, done) => done(-EIO) };
    const stream = sourceOf(`wav:${path}`, "real", broken)!.open(sound, CLIENT);
    stream.start(0);
    assertEquals(stream.available(10), 80);
    assertThrows(() => stream.read(new Uint8Array(160), 80, 10), Error, path);
  });
});
