// WAV headers: ours read by us and by the field's tools, and what is no WAV file.

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  AFMT_MU_LAW,
  AFMT_S16_LE,
  AFMT_U8,
  formatByAfmt,
  formatByName,
  FORMATS,
} from "../../lib/pcm/format.ts";
import { parseWav, wavEncoding, wavHeader, wavSizes } from "../../lib/pcm/wav.ts";
import { available, Scratch } from "../programs.ts";
import { codes } from "./codes.ts";

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
    const view = new DataView(file.buffer);
    assertEquals(view.getUint32(4, true), file.length - 8);
    if (header.factOffset) {
      assertEquals(view.getUint32(header.factOffset, true), 80 / header.frameBytes);
    }
    assertEquals(header.factOffset === undefined, file.length === 44 + 80, "PCM has 44 bytes");
    wavSizes(header, 5e9);
    assertEquals(header.view.getUint32(4, true), 0xffff_ffff);
    assertEquals(parseWav(header.bytes).dataBytes, Infinity);
    wavSizes(header, 81);
    assertEquals(header.view.getUint32(4, true), header.bytes.length - 8 + 81, "no pad byte");
  }
});

Deno.test("a header byte for byte", () => {
  const header = (name: string, rateHz: number, channels: number) =>
    [...wavHeader(formatByName(name)!, rateHz, channels).bytes].map((byte) => {
      const text = String.fromCharCode(byte);
      return /[A-Za-z]/.test(text) ? text : ` ${byte} `;
    }).join("").replaceAll("  ", " ");
  // 24 bits are packed in the file: 2 × 3 bytes a frame, 8000 × 6 = 0xbb80 bytes a second.
  assertEquals(
    header("s24le", 8000, 2),
    "RIFF 36 0 0 0 WAVEfmt 32 16 0 0 0 1 0 2 0 64 31 0 0 128 187 0 0 6 0 24 0 data 0 0 0 0 ",
  );
  assertEquals(
    header("mulaw", 8000, 1),
    "RIFF 50 0 0 0 WAVEfmt 32 18 0 0 0 7 0 1 0 64 31 0 0 64 31 0 0 1 0 8 0 0 0 " +
      "fact 4 0 0 0 0 0 0 0 data 0 0 0 0 ",
  );
});

Deno.test("what a WAV file holds is sample for sample what the stream held", () => {
  for (const format of FORMATS) {
    const encoding = wavEncoding(format);
    if (!encoding) continue;
    const bytes = codes(format);
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

/** A WAV file of chunks: a name and a body each. */
function riff(...chunks: [name: string, body: number[]][]): Uint8Array<ArrayBuffer> {
  const ascii = (text: string) => [...text].map((letter) => letter.charCodeAt(0));
  const u32 = (n: number) => [n & 0xff, n >> 8 & 0xff, n >> 16 & 0xff, n >>> 24];
  const body = chunks.flatMap(([name, bytes]) => [
    ...ascii(name),
    ...u32(bytes.length),
    ...bytes,
    ...bytes.length % 2 === 1 ? [0] : [],
  ]);
  return new Uint8Array([...ascii("RIFF"), ...u32(body.length + 4), ...ascii("WAVE"), ...body]);
}

/** A fmt chunk's body: 8000 Hz. */
function fmt(tag: number, channels: number, bits: number, frameBytes: number): number[] {
  const u16 = (n: number) => [n & 0xff, n >> 8];
  return [tag, channels, 8000, 0, 8000, 0, frameBytes, bits].flatMap(u16);
}

Deno.test("chunks before the samples are passed over, odd ones and their pad byte too", () => {
  const file = riff(["LIST", [1, 2, 3]], ["fmt ", fmt(1, 2, 16, 4)], ["junk", [0]], ["data", [
    1,
    2,
    3,
    4,
  ]]);
  const { format, rateHz, channels, dataOffset, dataBytes } = parseWav(file);
  assertEquals([format.afmt, rateHz, channels], [AFMT_S16_LE, 8000, 2]);
  assertEquals([...file.subarray(dataOffset, dataOffset + dataBytes)], [1, 2, 3, 4]);
  assertEquals(dataOffset + dataBytes, file.length);
  // A part of a larger buffer is read from where the part begins.
  const within = new Uint8Array(file.length + 7);
  within.set(file, 7);
  assertEquals(parseWav(within.subarray(7)).dataOffset, dataOffset);
});

Deno.test("an extensible header's format is that of its extension", () => {
  const extension = [22, 0, 8, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 16, 0, 0x80, 0, 0, 0xaa, 0, 0x38];
  const file = riff(["fmt ", [...fmt(0xfffe, 1, 8, 1), ...extension, 0x9b, 0x71]], ["data", [0]]);
  assertEquals(parseWav(file).format.afmt, AFMT_MU_LAW);
});

Deno.test("a size of 0 or of all ones means: to the end", () => {
  const { bytes, view } = wavHeader(formatByAfmt(AFMT_U8)!, 8000, 1);
  assertEquals(parseWav(bytes).dataBytes, Infinity);
  view.setUint32(40, 0xffff_ffff, true);
  assertEquals(parseWav(bytes).dataBytes, Infinity);
  view.setUint32(40, 0xffff_fffe, true);
  assertEquals(parseWav(bytes).dataBytes, 0xffff_fffe);
});

Deno.test("files that are no WAV are refused in words", () => {
  const refused = (head: Uint8Array, words: string) =>
    assertThrows(() => parseWav(head), Error, words);
  refused(new Uint8Array(0), "not a WAV file");
  refused(riff().map((byte, i) => i === 3 ? 0x58 : byte), 'it begins with "RIFX","WAVE"');
  refused(riff(["fmt ", fmt(2, 1, 16, 2)]), "format 2 and 16 bits");
  refused(riff(["fmt ", fmt(1, 1, 12, 2)]), "format 1 and 12 bits");
  refused(riff(["fmt ", fmt(1, 2, 24, 8)]), "its frames are 8 bytes; 2 channels of 24 bits are 6");
  refused(riff(["fmt ", fmt(1, 0, 8, 0)]), "0 channels at 8000 Hz");
  refused(riff(["fmt ", fmt(1, 1, 8, 1).slice(0, 14)]), "cut short: 14 bytes of 16");
  refused(riff(["fmt ", fmt(1, 1, 8, 1)]).subarray(0, 30), "cut short: 10 bytes of 16");
  refused(riff(["data", [1, 2]], ["fmt ", fmt(1, 1, 8, 1)]), "before its fmt chunk");
  refused(riff(["fmt ", fmt(1, 1, 8, 1)]), "no data chunk in its first 36 bytes");
  refused(riff(["LIST", [1, 2]]), "no fmt or data chunk in its first 22 bytes");
});

/** What a program that must succeed prints on its two outputs. */
async function run(program: string, ...args: string[]): Promise<[out: string, err: string]> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert(success, `${program} ${args.join(" ")}: ${err}`);
  return [out, err];
}

Deno.test("sox and ffmpeg read from our files what we wrote, sample for sample", async () => {
  if (!available("sox", "ffmpeg")) return;
  await using scratch = await Scratch.create();
  const [rateHz, channels] = [11025, 2];
  const files = FORMATS.map((format) => {
    const bytes = codes(format);
    const samples = bytes.length / format.bytes;
    const encoding = wavEncoding(format);
    const held = new Uint8Array(samples * (encoding?.bytesPerSample ?? format.bytes));
    if (encoding) encoding.transcode(bytes, held, samples);
    else held.set(bytes);
    const header = wavHeader(format, rateHz, channels);
    wavSizes(header, held.length);
    const path = `${scratch.path}/${format.name}.wav`;
    Deno.writeFileSync(path, header.bytes);
    Deno.writeFileSync(path, held, { append: true });
    const sent = new Float64Array(samples);
    format.decode(bytes, 0, sent, 0, samples);
    return { format, path, sent };
  });

  for (const [what, wanted] of [["-r", [rateHz]], ["-c", [channels]], ["-s", undefined]] as const) {
    const [out, complaints] = await run("sox", "--i", what, ...files.map(({ path }) => path));
    assertEquals(complaints, "");
    files.forEach(({ format, sent }, i) => {
      const expected = wanted?.[0] ?? sent.length / channels;
      assertEquals(Number(out.split("\n")[i]), expected, `sox --i ${what}: ${format.name}`);
    });
  }

  const inputs = files.flatMap(({ path }) => ["-i", path]);
  const outputs = files.flatMap(({ path }, i) => ["-map", `${i}`, "-f", "f64le", `${path}.f64`]);
  const [, log] = await run("ffmpeg", "-hide_banner", "-nostdin", ...inputs, ...outputs);
  const streams = [
    ...log.matchAll(/^ *Stream #\d+:0: Audio: .* (\d+) Hz, (?:stereo|2 channels),/gm),
  ];
  files.forEach(({ format, path, sent }, i) => {
    assertEquals(streams[i]?.[1], `${rateHz}`, `ffmpeg: ${format.name}\n${log}`);
    const heard = new Float64Array(Deno.readFileSync(`${path}.f64`).buffer);
    assertEquals(heard.length, sent.length, `ffmpeg: ${format.name}`);
    assertEquals(heard.findIndex((value, k) => value !== sent[k]), -1, `ffmpeg: ${format.name}`);
  });
});

Deno.test("a file that sox made is read as what it is", async () => {
  if (!available("sox")) return;
  await using scratch = await Scratch.create();
  const path = `${scratch.path}/made.wav`;
  // 24 bits and more than two channels make sox write an extensible header.
  const words = "-n -r 44100 -c 6 -b 24 PATH synth 0.1 sine 440".replace("PATH", path);
  await run("sox", ...words.split(" "));
  const { format, rateHz, channels, dataBytes } = parseWav(await Deno.readFile(path));
  assertEquals([format, rateHz, channels], [formatByName("s24packed")!, 44100, 6]);
  assertEquals(dataBytes, 4410 * 6 * 3);
});
