// Resampling: quality, counts, and both converters.

import { assertAlmostEquals, assertEquals, assertGreater, assertThrows } from "@std/assert";
import { Resampler, type ResamplerQuality } from "../../lib/pcm/resample.ts";
import { snr } from "../snr.ts";

/** A second of a sine at `fromHz`, resampled in pieces of 10 ms. */
function resampledSine(
  toneHz: number,
  fromHz: number,
  toHz: number,
  quality?: ResamplerQuality,
): { converter: string; samples: number[] } {
  const resampler = new Resampler(fromHz, toHz, 1, quality);
  const samples: number[] = [];
  const take = (frames: number) => samples.push(...resampler.output.subarray(0, frames));
  const piece = Math.ceil(fromHz / 100);
  for (let at = 0; at < fromHz; at += piece) {
    const frames = Math.min(piece, fromHz - at);
    const input = new Float64Array(frames);
    for (let i = 0; i < frames; i++) {
      input[i] = 0.5 * Math.sin(2 * Math.PI * toneHz * (at + i) / fromHz);
    }
    take(resampler.process(input, frames));
  }
  take(resampler.flush());
  const { converter } = resampler;
  resampler.close();
  return { converter, samples };
}

// Measured: best 149 dB, medium 142, fast 119, linear 62.
const LEAST_SNR: [ResamplerQuality | undefined, string, number][] = [
  ["best", "libsamplerate", 140],
  [undefined, "libsamplerate", 130],
  ["fast", "libsamplerate", 110],
  ["linear", "linear", 55],
];

for (const [quality, wanted, least] of LEAST_SNR) {
  Deno.test(`44.1 to 48 kHz, quality ${quality ?? "by default"}: ${least} dB at least`, () => {
    const { converter, samples } = resampledSine(997, 44100, 48000, quality);
    assertEquals(converter, wanted);
    assertEquals(samples.length, 48000);
    assertGreater(snr(samples.slice(4000, -4000), 997, 48000), least);
  });
}

Deno.test("the sound is neither late nor early", () => {
  for (const quality of ["best", "linear"] as const) {
    const { samples } = resampledSine(100, 44100, 48000, quality);
    for (let i = 4000; i < 44000; i += 123) {
      assertAlmostEquals(samples[i], 0.5 * Math.sin(2 * Math.PI * 100 * i / 48000), 0.001);
    }
  }
});

Deno.test("n frames make floor(n × toHz / fromHz), in whatever pieces they come", () => {
  const rates: [number, number][] = [
    [44100, 48000],
    [48000, 44100],
    [8000, 48000],
    [192000, 8000],
    [44100, 44101],
    [1, 256],
    [256, 1],
    [100, 48000], // beyond libsamplerate's limits, up and down
    [384000, 1000],
    [384000, 1],
  ];
  const silence = new Float64Array(2 * 3000);
  for (const [fromHz, toHz] of rates) {
    for (const quality of ["fast", "linear"] as const) {
      const resampler = new Resampler(fromHz, toHz, 2, quality);
      const inRange = Math.max(fromHz / toHz, toHz / fromHz) <= 256;
      assertEquals(
        resampler.converter,
        quality === "fast" && inRange ? "libsamplerate" : "linear",
      );
      // The same one again: after its end it is ready for another sound.
      for (const total of [0, 1, 2, 441, 2999]) {
        let made = 0;
        for (let at = 0, piece = 1; at < total; at += piece, piece = piece * 5 % 997 + 1) {
          made += resampler.process(silence, Math.min(piece, total - at));
        }
        made += resampler.flush();
        const wanted = Math.floor(total * toHz / fromHz);
        assertEquals(made, wanted, `${total} frames, ${fromHz} to ${toHz} Hz, ${quality}`);
      }
      resampler.close();
    }
  }
});

Deno.test("the pieces that a sound comes in are not heard", () => {
  const input = new Float64Array(2 * 3000).map((_, i) => Math.sin((i >> 1) ** 2 / 20_000 + i % 2));
  for (const [fromHz, toHz] of [[44100, 48000], [48000, 8000], [8000, 48000]]) {
    for (const quality of ["fast", "linear"] as const) {
      const whole: number[] = [];
      const pieces: number[] = [];
      const resampler = new Resampler(fromHz, toHz, 2, quality);
      const take = (to: number[], frames: number) =>
        to.push(...resampler.output.subarray(0, 2 * frames));
      take(whole, resampler.process(input, 3000));
      take(whole, resampler.flush());
      for (let at = 0, piece = 1; at < 3000; at += piece, piece = piece * 5 % 97 + 1) {
        const frames = Math.min(piece, 3000 - at);
        take(pieces, resampler.process(input.slice(2 * at, 2 * (at + frames)), frames));
      }
      take(pieces, resampler.flush());
      resampler.close();
      assertEquals(pieces.length, whole.length);
      const off = pieces.findIndex((value, i) => Math.abs(value - whole[i]) > 1e-6);
      assertEquals(off, -1, `${fromHz} to ${toHz} Hz, ${quality}`);
      // The end is sound as well, not what fills up the count.
      const last = input.subarray(-2 * 200).reduce((sum, value) => sum + value * value, 0) / 400;
      const frames = Math.floor(200 * toHz / fromHz);
      const heard = whole.slice(-2 * frames).reduce((sum, value) => sum + value * value, 0) /
        (2 * frames);
      assertAlmostEquals(heard, last, 0.2 * last, `${fromHz} to ${toHz} Hz, ${quality}`);
    }
  }
});

Deno.test("straight lines between the frames, channel by channel", () => {
  const resampler = new Resampler(1, 4, 2, "linear");
  const frames = resampler.process(new Float64Array([1, -1, 2, 0]), 2);
  assertEquals(
    [...resampler.output.subarray(0, 2 * frames)],
    [0.25, -0.25, 0.5, -0.5, 0.75, -0.75, 1, -1, 1.25, -0.75, 1.5, -0.5, 1.75, -0.25, 2, 0],
  );
});

Deno.test("after a reset nothing of what was before is heard", () => {
  for (const quality of ["fast", "linear"] as const) {
    const resampler = new Resampler(44100, 48000, 1, quality);
    resampler.process(new Float64Array(441).fill(1), 441);
    resampler.reset();
    const made = resampler.process(new Float64Array(4410), 4410);
    assertEquals(resampler.output.subarray(0, made).findIndex((value) => value !== 0), -1);
    resampler.close();
  }
});

Deno.test("a closed resampler and a rate that is none are refused", () => {
  const resampler = new Resampler(44100, 48000, 1);
  resampler.close();
  resampler.close();
  assertThrows(() => resampler.process(new Float64Array(1), 1), Error, "closed");
  for (const rateHz of [0, -1, 0.5, NaN]) {
    assertThrows(() => new Resampler(rateHz, 48000, 1), RangeError, `${rateHz} Hz`);
  }
});

Deno.test("without libsamplerate it is linear", async () => {
  // A process that may load no library sees what a machine without it sees.
  const module = new URL("../../lib/pcm/resample.ts", import.meta.url).href;
  const script = `import { Resampler } from ${JSON.stringify(module)};
    console.log(new Resampler(44100, 48000, 2).converter);`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-read", "--no-config", "--ext=ts", "-"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(script));
  await writer.close();
  const { stdout } = await child.output();
  assertEquals(new TextDecoder().decode(stdout).trim(), "linear");
});
