// Sample formats, volume, channel maps and the mix bus.

import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { MAX_CHANNELS } from "../../lib/oss/parameters.ts";
import { mapChannels } from "../../lib/pcm/channels.ts";
import { AFMT_FLOAT, formatByAfmt, formatByName, FORMATS } from "../../lib/pcm/format.ts";
import { MixBus } from "../../lib/pcm/mix.ts";
import { applyGain, gainOfPercent } from "../../lib/pcm/volume.ts";
import { codes } from "./codes.ts";

Deno.test("decoding and encoding again changes no code of any format", () => {
  for (const format of FORMATS) {
    const bytes = codes(format);
    const samples = bytes.length / format.bytes;
    const decoded = new Float64Array(samples);
    const again = new Uint8Array(bytes.length);
    format.decode(bytes, 0, decoded, 0, samples);
    format.encode(decoded, 0, again, 0, samples);
    assertEquals(again.findIndex((byte, i) => byte !== bytes[i]), -1, format.name);
  }
});

Deno.test("a sample is found and put wherever it stands", () => {
  for (const format of FORMATS) {
    const bytes = codes(format).subarray(0, 3 * format.bytes);
    const shifted = new Uint8Array(bytes.length + 2).fill(0x5a);
    const decoded = new Float64Array(5).fill(9);
    format.decode(bytes, format.bytes, decoded, 2, 2);
    format.encode(decoded, 2, shifted, 1, 2);
    assertEquals([decoded[0], decoded[1], decoded[4]], [9, 9, 9], format.name);
    const wanted = [0x5a, ...bytes.subarray(format.bytes), 0x5a];
    assertEquals([...shifted.subarray(0, wanted.length)], wanted, format.name);
  }
});

Deno.test("formats mean what they say", () => {
  const meanings: [string, number[], number][] = [
    ["u8", [0x80], 0],
    ["u8", [0xff], 127 / 128],
    ["s8", [0x80], -1],
    ["s16le", [0x00, 0x40], 0.5],
    ["s16be", [0x40, 0x00], 0.5],
    ["u16le", [0x00, 0x80], 0],
    ["u16be", [0x00, 0x00], -1],
    ["s24le", [0x00, 0x00, 0xc0, 0xff], -0.5],
    ["s24be", [0x00, 0x40, 0x00, 0x00], 0.5],
    ["s24packed", [0x00, 0x00, 0x40], 0.5],
    ["s32le", [0, 0, 0, 0x80], -1],
    ["s32be", [0x40, 0, 0, 0], 0.5],
    ["f32le", [0, 0, 0, 0x3f], 0.5],
    ["f32le", [0, 0, 0xc0, 0x7f], 0], // not a number
    ["mulaw", [0xff], 0],
    ["mulaw", [0x80], 32124 / 32768],
    ["mulaw", [0x00], -32124 / 32768],
    ["alaw", [0xaa], 32256 / 32768],
    ["alaw", [0x2a], -32256 / 32768],
    ["alaw", [0xd5], 8 / 32768],
  ];
  for (const [name, bytes, value] of meanings) {
    const decoded = new Float64Array(1);
    formatByName(name)!.decode(new Uint8Array(bytes), 0, decoded, 0, 1);
    assertEquals(decoded[0], value, `${name} ${bytes}`);
  }
});

Deno.test("a sample becomes the nearest code", () => {
  for (const format of FORMATS) {
    if (format.bits > 16) continue;
    const bytes = codes(format);
    const values = new Float64Array(bytes.length / format.bytes);
    format.decode(bytes, 0, values, 0, values.length);
    values.sort();
    const probes = new Float64Array(10_007).map((_, i) => i / 5003 - 1);
    const encoded = new Uint8Array(probes.length * format.bytes);
    const decoded = new Float64Array(probes.length);
    format.encode(probes, 0, encoded, 0, probes.length);
    format.decode(encoded, 0, decoded, 0, probes.length);
    let above = 0;
    probes.forEach((probe, i) => {
      while (above < values.length - 1 && values[above] < probe) above++;
      const error = Math.min(
        Math.abs(values[above] - probe),
        Math.abs(values[Math.max(0, above - 1)] - probe),
      );
      assertEquals(Math.abs(decoded[i] - probe), error, `${format.name} ${probe}`);
    });
  }
});

Deno.test("what is out of range saturates", () => {
  for (const format of FORMATS) {
    if (format.afmt === AFMT_FLOAT) continue;
    const bytes = new Uint8Array(2 * format.bytes);
    format.encode(new Float64Array([3, -3]), 0, bytes, 0, 2);
    const decoded = new Float64Array(2);
    format.decode(bytes, 0, decoded, 0, 2);
    assert(decoded[0] > 0.96 && decoded[0] <= 1, `${format.name} ${decoded[0]}`);
    assert(decoded[1] < -0.96 && decoded[1] >= -1, `${format.name} ${decoded[1]}`);
  }
});

Deno.test("not a number is silence", () => {
  for (const format of FORMATS) {
    if (format.afmt === AFMT_FLOAT) continue;
    const bytes = new Uint8Array(format.bytes);
    format.encode(new Float64Array([NaN]), 0, bytes, 0, 1);
    const decoded = new Float64Array([1]);
    format.decode(bytes, 0, decoded, 0, 1);
    assert(Math.abs(decoded[0]) < 0.001, `${format.name} ${decoded[0]}`);
  }
});

Deno.test("silence is the code of zero, in its span only", () => {
  const quiet: Record<string, number[]> = {
    mulaw: [0xff],
    alaw: [0xd5],
    u8: [0x80],
    u16le: [0, 0x80],
    u16be: [0x80, 0],
  };
  for (const { name, bytes, silence } of FORMATS) {
    const sample = quiet[name] ?? new Array(bytes).fill(0);
    const span = new Uint8Array(2 * bytes + 2).fill(0x5a);
    silence(span, 1, 2 * bytes);
    assertEquals([...span], [0x5a, ...sample, ...sample, 0x5a], name);
  }
});

Deno.test("a format is found by its number and its name", () => {
  for (const format of FORMATS) {
    assertEquals(formatByAfmt(format.afmt), format);
    assertEquals(formatByName(format.name), format);
    assertEquals(format.afmt & (format.afmt - 1), 0, "one bit");
  }
  assertEquals([formatByAfmt(4), formatByName("adpcm")], [undefined, undefined]);
});

Deno.test("volume is a cube, and full volume leaves every bit alone", () => {
  assertEquals([gainOfPercent(0), gainOfPercent(50), gainOfPercent(100)], [0, 0.125, 1]);
  const format = formatByName("s16le")!;
  const samples = new Int16Array([8000, 8000, -8000, -8000]);
  const bytes = new Uint8Array(samples.buffer);
  applyGain(format, bytes, 0, 8, 2, 1, 1);
  assertEquals([...samples], [8000, 8000, -8000, -8000]);
  applyGain(format, bytes, 0, 8, 2, 0.5, 0.125);
  assertEquals([...samples], [4000, 1000, -4000, -1000]);
  applyGain(format, bytes, 0, 4, 1, 1, 0);
  assertEquals([...samples], [2000, 500, -4000, -1000]);
  samples.fill(800);
  applyGain(format, bytes, 2, 6, 3, 0.5, 0.25); // even channels left, whatever the frame
  assertEquals([...samples], [800, 400, 200, 400]);
  const notANumber = new Uint8Array([1, 0, 0xc0, 0x7f]);
  applyGain(formatByName("f32le")!, notANumber, 0, 4, 1, 1, 1);
  assertEquals([...notANumber], [1, 0, 0xc0, 0x7f]);
});

Deno.test("channels are copied, spread, folded and averaged", () => {
  const map = (from: number, to: number, frame: number[]) => {
    const target = new Float64Array(to + 1).fill(9);
    mapChannels(new Float64Array(frame), from, target, to, 1);
    assertEquals(target[to], 9);
    return [...target.subarray(0, to)];
  };
  const dB3 = Math.SQRT1_2;
  const near = (got: number[], wanted: number[]) =>
    wanted.forEach((value, i) => assertAlmostEquals(got[i], value, 1e-12));
  assertEquals(map(2, 2, [0.25, 0.5]), [0.25, 0.5]);
  assertEquals(map(1, 2, [0.5]), [0.5, 0.5]);
  assertEquals(map(1, 6, [0.5]), [0.5, 0.5, 0, 0, 0, 0]);
  near(map(2, 1, [0.5, 0.25]), [0.375]);
  assertEquals(map(2, 4, [0.5, 0.25]), [0.5, 0.25, 0, 0]);
  assertEquals(map(4, 6, [1, 2, 3, 4]), [1, 2, 0, 0, 3, 4]);
  near(map(4, 2, [0.5, 0.25, 1, 0]), [(0.5 + dB3) / (1 + dB3), 0.25 / (1 + dB3)]);
  // 5.1: the centre to both, the back to its side, the low frequency effects to nobody.
  const fold = 1 + 2 * dB3;
  near(map(6, 2, [0, 0, 1, 0, 0, 0]), [dB3 / fold, dB3 / fold]);
  near(map(6, 2, [0, 0, 0, 1, 0, 0]), [0, 0]);
  near(map(6, 2, [1, 0, 0, 0, 1, 0]), [(1 + dB3) / fold, 0]);
  near(map(8, 6, [0, 0, 0, 0, 0, 0, 1, 0]), [0, 0, 0, 0, dB3 / (1 + dB3), 0]);
  assertThrows(() => map(9, 2, []), RangeError, "9 to 2 channels");
  assertThrows(() => map(2, 0, []), RangeError, "2 to 0 channels");
});

Deno.test("no map exceeds full scale, and each frame is mapped by itself", () => {
  for (let from = 1; from <= MAX_CHANNELS; from++) {
    for (let to = 1; to <= MAX_CHANNELS; to++) {
      const target = new Float64Array(2 * to);
      mapChannels(new Float64Array(2 * from).fill(1, 0, from), from, target, to, 2);
      assert(Math.max(...target) <= 1 + 1e-12, `${from} to ${to}`);
      assert(target[0] > 0.5 && (to === 1 || target[0] === target[1]), `${from} to ${to}`);
      assertEquals([...target.subarray(to)], new Array(to).fill(0), `${from} to ${to}`);
    }
  }
});

Deno.test("the mix is a sum, saturated only when it leaves", () => {
  const format = formatByName("s8")!;
  const bus = new MixBus(2, 1); // it grows
  const take = (frames: number) => {
    const bytes = new Int8Array(frames * 2);
    bus.take(frames, format, new Uint8Array(bytes.buffer));
    return [...bytes];
  };
  const frames = (...values: number[]) => new Float64Array(values.map((value) => value / 128));
  bus.add(0, frames(100, -100, 100, -100, 10, 20), 3);
  bus.add(0, frames(100, -100), 1);
  bus.add(1, frames(100, -100, 1, 2), 2);
  bus.add(1, frames(-150, 150), 1); // would be -50 after an early saturation
  assertEquals([bus.start, bus.end], [0, 3]);
  assertEquals(take(2), [127, -128, 50, -50]);
  assertEquals([bus.start, bus.end], [2, 3]);
  assertThrows(() => bus.add(1, frames(1, 1), 1), RangeError, "frame 1");
  bus.add(4, frames(7, 8), 1);
  assertEquals(take(4), [11, 22, 0, 0, 7, 8, 0, 0]);
  assertEquals([bus.start, bus.end], [6, 6]);
  bus.add(6, frames(3, 4), 1);
  bus.add(20, frames(5, 6), 1); // it grows, with frames in it
  assertEquals(take(15), [3, 4, ...new Array(26).fill(0), 5, 6]);
});
