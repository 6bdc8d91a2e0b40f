// Clocks that drift apart: an hour of it is absorbed, and slips are not heard.

import { assert, assertAlmostEquals, assertEquals, assertLess } from "@std/assert";
import type { Source, SourceStream } from "../../lib/backend/source.ts";
import { Capture } from "../../lib/oss/capture.ts";
import { Parameters } from "../../lib/oss/parameters.ts";
import { FrameQueue } from "../../lib/pcm/converter.ts";
import { DriftControl, prepareSlips, SlipReader } from "../../lib/pcm/drift.ts";
import { formatByName } from "../../lib/pcm/format.ts";
import { Random } from "../random.ts";

const RATE_HZ = 48000;
const STEP_FRAMES = 1024;

/** An hour of a source `ppm` fast, in steps that come up to 5 ms late; the slips and the farthest level. */
function hour(ppm: number): { slips: number; farthest: number } {
  const control = new DriftControl(RATE_HZ);
  const random = new Random(1);
  const sourceHz = RATE_HZ * (1 + ppm / 1e6);
  let [level, steps, arrivedMs, taken, slips, farthest] = [0, 0, 0, 0, 0, 0];
  let nextMs = 0;
  let first = NaN;
  for (let ms = 100; ms < 3_600_000; ms += 10) {
    while (nextMs <= ms) {
      arrivedMs = nextMs;
      level += STEP_FRAMES;
      nextMs = ++steps * STEP_FRAMES * 1000 / sourceHz + random.below(5);
    }
    const due = Math.floor(ms * RATE_HZ / 1000);
    level -= due - taken;
    taken = due;
    const steady = level + Math.min((ms - arrivedMs) * RATE_HZ / 1000, STEP_FRAMES);
    const slip = control.note(steady, ms);
    level -= slip;
    slips += slip;
    if (ms > 5000) {
      first = Number.isNaN(first) ? steady : first;
      farthest = Math.max(farthest, Math.abs(steady - first));
    }
  }
  return { slips, farthest };
}

Deno.test("an hour of drift is made up for, and the queue stays what it was", () => {
  for (const ppm of [200, -200, 20]) {
    const { slips, farthest } = hour(ppm);
    const drift = ppm / 1e6 * 3600 * RATE_HZ;
    assertAlmostEquals(slips, drift, RATE_HZ / 50, `${ppm} ppm`); // 20 ms of it is in the queue
    assertLess(farthest, 0.015 * RATE_HZ, `${ppm} ppm`);
  }
  assertEquals(hour(0).slips, 0);
});

/** A sine of 5 kHz read in pieces, with slips after each second. */
function slipped(slips: readonly (1 | -1)[]): { given: Float64Array; sine: (i: number) => number } {
  const sine = (i: number) => 0.5 * Math.sin(2 * Math.PI * 5000 * i / RATE_HZ);
  const queue = new FrameQueue(1);
  prepareSlips();
  const reader = new SlipReader(queue);
  const frames = RATE_HZ * (slips.length + 1);
  queue.append(Float64Array.from({ length: frames + 2000 }, (_, i) => sine(i)), frames + 2000);
  const given = new Float64Array(frames);
  const piece = new Float64Array(480);
  for (let at = 0; at < frames; at += piece.length) {
    if (at > 0 && at % RATE_HZ === 0) assert(reader.slip(slips[at / RATE_HZ - 1]));
    assertEquals(reader.read(piece, piece.length), piece.length);
    given.set(piece, at);
  }
  return { given, sine };
}

/**
 * Records and plays at once for minutes, by two clocks that drift apart: `farthest` is by how many
 * frames the recording has got ahead, or behind, since the first 10 s, and `isExact` whether the first
 * of it was given to the bit. `state.lost` frames never come.
 *
 * @param follows whether the recording keeps step
 */
function duplex(ppm: number, minutes: number, follows: boolean) {
  prepareSlips();
  const state = { nowMs: 0, lost: 0 };
  const frameHz = RATE_HZ * (1 + ppm / 1e6);
  const code = (i: number) => Math.round(10000 * Math.sin(2 * Math.PI * 997 * i / RATE_HZ));
  const source: Source = {
    open(): SourceStream {
      let taken = 0;
      const available = () =>
        Math.floor(state.nowMs * frameHz / 1000 / STEP_FRAMES) * STEP_FRAMES - taken - state.lost;
      return {
        free: false,
        start() {},
        stop() {},
        available,
        timeOfAvailable: (_, nowMs) => nowMs + 1,
        read(target, frames) {
          const view = new DataView(target.buffer);
          for (let i = 0; i < frames; i++) view.setInt16(2 * i, code(taken + i), true);
          taken += frames;
        },
        skip: (frames) => void (taken += frames),
        close() {},
      };
    },
    close() {},
  };
  const parameters = new Parameters(formatByName("s16le"));
  parameters.setRate(RATE_HZ);
  const played = () => state.nowMs * RATE_HZ / 1000;
  const capture = new Capture(parameters, {
    source,
    client: { pid: 1, command: "test" },
    played: follows ? played : undefined,
    gain: { left: 1, right: 1 },
    now: () => state.nowMs,
    warn(message) {
      throw new Error(message);
    },
  });
  const bytes = new Uint8Array(4 * STEP_FRAMES);
  let [given, first, farthest, exact] = [0, NaN, 0, true];
  capture.start();
  return {
    state,
    farthest: () => farthest,
    isExact: () => exact,
    run(untilMs = minutes * 60_000) {
      for (; state.nowMs < untilMs; state.nowMs += 10) {
        const count = capture.read(bytes, 0, bytes.length) / 2;
        const view = new DataView(bytes.buffer);
        for (let i = 0; i < count && given + i < 4 * RATE_HZ; i++) {
          exact &&= view.getInt16(2 * i, true) === code(given + i);
        }
        given += count;
        if (state.nowMs < 10_000 || count === 0) continue;
        const ahead = given - played();
        first = Number.isNaN(first) ? ahead : first;
        farthest = Math.max(farthest, Math.abs(ahead - first));
      }
    },
  };
}

Deno.test("who plays what he records keeps step, though the clocks drift apart", () => {
  const MINUTES = 3;
  for (const ppm of [500, -500, 0]) {
    const [followed, alone] = [duplex(ppm, MINUTES, true), duplex(ppm, MINUTES, false)];
    followed.run();
    alone.run();
    assert(followed.isExact(), `${ppm} ppm`);
    const drift = Math.abs(ppm) / 1e6 * MINUTES * 60 * RATE_HZ;
    assertLess(followed.farthest(), STEP_FRAMES + 0.01 * RATE_HZ, `${ppm} ppm`);
    assertAlmostEquals(alone.farthest(), drift, 2 * STEP_FRAMES, `${ppm} ppm`);
  }
});

Deno.test("frames that are lost are no drift: they are not made up for", () => {
  const both = duplex(0, 2, true);
  both.run(60_000);
  const before = both.farthest();
  both.state.lost = RATE_HZ / 2;
  both.run();
  assertAlmostEquals(both.farthest(), RATE_HZ / 2, before + STEP_FRAMES);
});

Deno.test("a frame more or less is spread over many, and what is around it is as it was", () => {
  const { given, sine } = slipped([1, -1, -1]);
  const SLIP_FRAMES = 1024;
  // How many frames have been taken beside those that were given, after each second.
  for (const [second, offset] of [0, 1, 0, -1].entries()) {
    const start = second * RATE_HZ + (second > 0 ? SLIP_FRAMES : 0);
    for (let i = start; i < (second + 1) * RATE_HZ; i++) assertEquals(given[i], sine(i + offset));
  }
  // In between it is the sine, a bit faster or slower.
  for (const [second, from, by] of [[1, 0, 1], [2, 1, -1], [3, 0, -1]]) {
    for (let k = 0; k < SLIP_FRAMES; k++) {
      const i = second * RATE_HZ + k;
      assertAlmostEquals(given[i], sine(i + from + by * k / SLIP_FRAMES), 1e-5);
    }
  }
});
