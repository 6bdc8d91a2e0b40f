// Sample formats, volume, channel maps, WAV headers and resampling.

import { assert, assertEquals, assertGreater, assertThrows } from "@std/assert";
import { mapChannels } from "../../lib/pcm/channels.ts";
import { AFMT_FLOAT, formatByAfmt, formatByName, FORMATS } from "../../lib/pcm/format.ts";
import { Resampler } from "../../lib/pcm/resample.ts";
import { applyGain, gainOfPercent } from "../../lib/pcm/volume.ts";
import { parseWav, wavEncoding, wavHeader, wavSizes } from "../../lib/pcm/wav.ts";

/** Bytes of valid codes of a format: all of them up to 16 bits, edges and a spread beyond. */
function codes(name: string): Uint8Array<ArrayBuffer> {
  const format = formatByName(name)!;
  const count = format.bits <= 16 ? 2 ** format.bits : 60_000;
  const bytes = new Uint8Array(count * format.bytes);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < count; i++) {
    const at = i * format.bytes;
    const wide = Math.trunc((i / (count - 1) * 2 - 1) * (2 ** (format.bits - 1) - 1)) -
      (i === 0 ? 1 : 0);
    if (format.coding === "float") view.setFloat32(at, i / count * 4 - 2, true);
    else if (format.bytes === 1) bytes[at] = i;
    else if (format.bytes === 2) view.setUint16(at, i, !format.bigEndian);
    else if (format.bytes === 4) view.setInt32(at, wide, !format.bigEndian);
    else for (let k = 0; k < 3; k++) bytes[at + k] = wide >> 8 * k;
  }
  return bytes;
}

Deno.test("decoding and encoding again changes no code of any format", () => {
  for (const format of FORMATS) {
    const bytes = codes(format.name);
    const samples = bytes.length / format.bytes;
    const decoded = new Float64Array(samples);
    const again = new Uint8Array(bytes.length);
    format.decode(bytes, 0, decoded, 0, samples);
    format.encode(decoded, 0, again, 0, samples);
    assertEquals(again.findIndex((byte, i) => byte !== bytes[i]), -1, format.name);
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
});

Deno.test("channels are copied, spread, folded and averaged", () => {
  const map = (from: number, to: number, frame: number[]) => {
    const target = new Float64Array(to);
    mapChannels(new Float64Array(frame), from, target, to, 1);
    return [...target];
  };
  assertEquals(map(2, 2, [0.25, 0.5]), [0.25, 0.5]);
  assertEquals(map(1, 2, [0.5]), [0.5, 0.5]);
  assertEquals(map(1, 4, [0.5]), [0.5, 0.5, 0, 0]);
  assertEquals(map(2, 1, [0.5, 0.25]), [0.375]);
  assertEquals(map(2, 4, [0.5, 0.25]), [0.5, 0.25, 0, 0]);
  assertEquals(map(4, 2, [0.5, 0.25, 1, 0]), [0.5 + Math.SQRT1_2, 0.25]);
});

Deno.test("a WAV header says what it was made of, and grows", () => {
  for (const format of FORMATS) {
    const header = wavHeader(format, 44100, 2);
    wavSizes(header, 80);
    const file = new Uint8Array(header.bytes.length + 80);
    file.set(header.bytes);
    const info = parseWav(file);
    assertEquals([info.rateHz, info.channels], [44100, 2]);
    assertEquals([info.dataOffset, info.dataBytes], [header.bytes.length, 80]);
    assertEquals(info.format.bits, format.bits);
    assertEquals(new DataView(file.buffer).getUint32(4, true), file.length - 8);
    wavSizes(header, 5e9);
    assertEquals(parseWav(header.bytes).dataBytes, Infinity);
  }
});

Deno.test("what a WAV file holds is sample for sample what the stream held", () => {
  for (const format of FORMATS) {
    const encoding = wavEncoding(format);
    if (!encoding) continue;
    const bytes = codes(format.name);
    const samples = bytes.length / format.bytes;
    const target = new Uint8Array(samples * encoding.bytesPerSample);
    encoding.transcode(bytes, target, samples);
    const { format: held } = parseWav(wavHeader(format, 8000, 1).bytes);
    const sent = new Float64Array(samples);
    const kept = new Float64Array(samples);
    format.decode(bytes, 0, sent, 0, samples);
    held.decode(target, 0, kept, 0, samples);
    assertEquals(kept.findIndex((value, i) => value !== sent[i]), -1, format.name);
  }
});

Deno.test("files that are no WAV are refused in words", () => {
  assertThrows(() => parseWav(new Uint8Array(100)), Error, "not a WAV file");
  const odd = wavHeader(formatByAfmt(0x10)!, 8000, 1).bytes;
  odd[20] = 2;
  assertThrows(() => parseWav(odd), Error, "format 2 and 16 bits");
  assertThrows(() => parseWav(odd.subarray(0, 30)), Error, "cut short");
});

/** Signal to noise in dB of a resampled sine, against the same sine at the new rate, fitted. */
function sineSnr(fromHz: number, toHz: number): { snr: number; frames: number; converter: string } {
  const toneHz = 997;
  const resampler = new Resampler(fromHz, toHz, 1);
  const out: number[] = [];
  const take = (frames: number) => out.push(...resampler.output.subarray(0, frames));
  for (let at = 0; at < fromHz; at += 441) {
    const frames = Math.min(441, fromHz - at);
    const input = Float64Array.from(
      { length: frames },
      (_, i) => 0.5 * Math.sin(2 * Math.PI * toneHz * (at + i) / fromHz),
    );
    take(resampler.process(input, frames));
  }
  take(resampler.flush());
  const { converter } = resampler;
  resampler.close();
  let [ss, cc, sc, sy, cy] = [0, 0, 0, 0, 0];
  const [first, last] = [4000, out.length - 4000];
  for (let i = first; i < last; i++) {
    const s = Math.sin(2 * Math.PI * toneHz * i / toHz);
    const c = Math.cos(2 * Math.PI * toneHz * i / toHz);
    ss += s * s;
    cc += c * c;
    sc += s * c;
    sy += s * out[i];
    cy += c * out[i];
  }
  const determinant = ss * cc - sc * sc;
  const a = (sy * cc - cy * sc) / determinant;
  const b = (cy * ss - sy * sc) / determinant;
  let signal = 0;
  let noise = 0;
  for (let i = first; i < last; i++) {
    const fitted = a * Math.sin(2 * Math.PI * toneHz * i / toHz) +
      b * Math.cos(2 * Math.PI * toneHz * i / toHz);
    signal += fitted * fitted;
    noise += (out[i] - fitted) ** 2;
  }
  return { snr: 10 * Math.log10(signal / noise), frames: out.length, converter };
}

Deno.test("44.1 to 48 kHz: 100 dB at least, and not a frame lost", () => {
  const { snr, frames, converter } = sineSnr(44100, 48000);
  assertEquals(converter, "libsamplerate");
  assertGreater(snr, 100);
  assert(Math.abs(frames - 48000) <= 1, `${frames} frames`);
});

Deno.test("a ratio that libsamplerate refuses is converted linearly", () => {
  const resampler = new Resampler(100, 48000, 2);
  assertEquals(resampler.converter, "linear");
  const input = new Float64Array([0, 0, 1, -1]);
  const frames = resampler.process(input, 2);
  assert(Math.abs(frames - 481) <= 1, `${frames} frames`);
  const middle = Math.floor(frames / 2);
  assert(Math.abs(resampler.output[2 * middle] - 0.5) < 0.01);
  assertEquals(resampler.output[2 * middle + 1], -resampler.output[2 * middle]);
});
