// The recording half of a dsp against a source whose clock the test moves by hand.

import { assert, assertEquals } from "@std/assert";
import { EIO } from "../../ffi/libc.ts";
import type { Source, SourceStream } from "../../lib/backend/source.ts";
import { Capture } from "../../lib/oss/capture.ts";
import { Parameters } from "../../lib/oss/parameters.ts";
import { type ClockKind, FrameClock } from "../../lib/pcm/clock.ts";

/**
 * 1000 Hz U8 with fragments of 16 bytes, four of them: a frame is a millisecond. The source's frames
 * are numbered from its start, the same number in every channel.
 */
function harness(kind: ClockKind = "real", channels = 1) {
  const state = { fails: false, opened: 0, closed: 0, starts: 0, stops: 0 };
  const source: Source = {
    open({ rateHz }): SourceStream {
      state.opened++;
      const clock = new FrameClock(kind, rateHz);
      let position = 0;
      return {
        free: kind === "free",
        start(now) {
          state.starts++;
          position = 0;
          clock.start(now);
        },
        stop() {
          state.stops++;
          clock.stop();
        },
        available: (now) => clock.due(now),
        timeOfAvailable: (frames, now) => clock.timeOf(frames, now),
        read(target, frames) {
          if (state.fails) throw new Error("no such cable");
          for (let i = 0; i < frames * channels; i++) {
            target[i] = position + Math.floor(i / channels) & 0xff;
          }
          this.skip(frames, 0);
        },
        skip(frames) {
          position += frames;
          clock.take(frames);
        },
        close: () => state.closed++,
      };
    },
    close() {},
  };
  const parameters = new Parameters();
  parameters.setRate(1000);
  parameters.setChannels(channels);
  parameters.setFragment(4 << 16 | 4);
  const warnings: string[] = [];
  const clock = { nowMs: 0 };
  const capture = new Capture(parameters, {
    source,
    gain: { left: 1, right: 1 },
    client: { pid: 1, command: "test" },
    now: () => clock.nowMs,
    warn: (message) => warnings.push(message),
  });
  /** The capture at a time, pumped whenever it was due until then. */
  const at = (nowMs: number): Capture => {
    for (let turns = 0; capture.dueMs <= nowMs; turns++) {
      assert(turns < 10_000, "it is always due");
      clock.nowMs = Math.max(clock.nowMs, capture.dueMs);
      capture.pump();
    }
    clock.nowMs = nowMs;
    return capture;
  };
  /** Reads up to `length` bytes at a time: the bytes, or -errno. */
  const read = (length: number, nowMs: number): number[] | number => {
    const target = new Uint8Array(3 + length);
    const count = at(nowMs).read(target, 3, length);
    assertEquals([...target.subarray(0, 3)], [0, 0, 0]);
    return count < 0 ? count : [...target.subarray(3, 3 + count)];
  };
  return { capture, parameters, state, warnings, at, read };
}

/** The numbers from `first` on. */
function count(first: number, length: number): number[] {
  return Array.from({ length }, (_, i) => first + i & 0xff);
}

Deno.test("an open costs no source; a read starts it, at its first frame", () => {
  const { capture, state, at, read } = harness();
  assertEquals(at(1000).capturedBytes(), 0);
  assertEquals(capture.dueMs, Infinity);
  assertEquals(state.opened, 0);
  assertEquals(read(10, 1000), []);
  assertEquals(state, { fails: false, opened: 1, closed: 0, starts: 1, stops: 0 });
  assertEquals(read(10, 1005), count(0, 5));
  assertEquals(read(10, 1020), count(5, 10));
  assertEquals(read(10, 1020), count(15, 5));
});

Deno.test("whoever polls is called at the end of a fragment", () => {
  const { capture, at, read } = harness();
  at(100).start();
  assertEquals(capture.dueMs, 116);
  assert(!at(115).readable());
  assert(at(116).readable());
  assertEquals(capture.dueMs, 132);
  assertEquals(read(16, 116), count(0, 16));
  assert(!capture.readable());
  assertEquals(at(120).readableBytes(), 4);
});

Deno.test("a late program loses the oldest whole fragments, once a lateness", () => {
  const { capture, at, read } = harness();
  assertEquals(read(5, 0), []);
  assertEquals(read(5, 6), count(0, 5));
  at(69); // 64 bytes wait
  assertEquals(capture.overruns, 0);
  assertEquals(at(1000).readableBytes() > 64 - 16, true);
  assertEquals(capture.overruns, 1);
  assertEquals(capture.capturedBytes(), 1000);
  const bytes = read(64, 1000) as number[];
  const lost = 1000 - bytes.length - 5;
  assertEquals(bytes, count(5 + lost, bytes.length));
  assertEquals(lost % 16, 0);
  assertEquals(capture.overruns, 1);
  at(1100);
  assertEquals(capture.overruns, 2);
});

Deno.test("what is lost without anybody being called in between is passed over", () => {
  const { capture, read } = harness();
  assertEquals(read(5, 0), []);
  capture.dueMs = Infinity; // the loop was held up
  const bytes = read(64, 1003) as number[];
  assertEquals(bytes, count(1003 - bytes.length, bytes.length));
  assert(bytes.length > 64 - 16);
  assertEquals(capture.overruns, 1);
});

Deno.test("an overrun leaves frames whole that no fragment is a number of", () => {
  const { capture, read } = harness("real", 3);
  assertEquals(read(5, 0), []);
  assertEquals(read(5, 2), [0, 0, 0, 1, 1]);
  const bytes = read(64, 200) as number[];
  assertEquals(capture.overruns, 1);
  const frames = bytes.slice(1, bytes.length - (bytes.length - 1) % 3);
  assertEquals(bytes[0], frames[0] - 1); // two samples of some frame were read, here is its third
  frames.forEach((byte, i) => assertEquals(byte, frames[0] + Math.floor(i / 3)));
});

Deno.test("GETIPTR's blocks are those since the last call", () => {
  const { at, read } = harness();
  read(1, 0);
  assertEquals(at(35).blocks.take(), 2);
  assertEquals(at(40).blocks.take(), 0);
  assertEquals(at(100).blocks.take(), 4);
});

Deno.test("RESET forgets; the next read starts anew, and its fragments count from there", () => {
  const { capture, state, at, read } = harness();
  read(1, 0);
  at(20).readableBytes(); // in the middle of a fragment
  at(20).reset();
  assertEquals(capture.dueMs, Infinity);
  assertEquals(at(100).readableBytes(), 0);
  assertEquals(read(64, 100), []);
  assertEquals(state.starts, 2);
  assertEquals(capture.dueMs, 116);
  assertEquals(read(64, 110), count(0, 10));
});

Deno.test("fragments change only while nothing is recorded", () => {
  const { capture, parameters, at, read } = harness();
  assert(capture.rebuffer());
  read(1, 0);
  assert(!capture.rebuffer());
  at(10).reset();
  assert(capture.rebuffer());
  parameters.setFragment(2 << 16 | 5);
  read(1, 10);
  assertEquals(capture.dueMs, 42);
});

Deno.test("new parameters are a new stream of the source", () => {
  const { state, at, read } = harness();
  read(1, 0);
  at(20).close();
  assertEquals(read(20, 20), []);
  assertEquals(read(20, 30), count(0, 10));
  assertEquals(state, { fails: false, opened: 2, closed: 1, starts: 2, stops: 1 });
});

Deno.test("a source without a clock gives what is asked for, and loses nothing", () => {
  const { capture, read } = harness("free");
  assert(!capture.readable());
  capture.start();
  assert(capture.readable());
  let next = 0;
  for (const length of [1, 1000, 64, 65, 5000]) {
    assertEquals(read(length, 0), count(next, length));
    next += length;
  }
  assertEquals(capture.overruns, 0);
  assertEquals(capture.dueMs, Infinity);
});

Deno.test("the pointer of a source without a clock is never once around the ring", () => {
  const { capture, parameters, read } = harness("free");
  read(5, 0);
  assertEquals(capture.readableBytes(), parameters.bufferBytes - parameters.fragmentBytes);
  assertEquals(capture.pointerBytes(), 5 + capture.readableBytes());
});

Deno.test("a source that fails is EIO to the program, said once, until a RESET", () => {
  const { capture, state, warnings, at, read } = harness();
  read(1, 0);
  state.fails = true;
  assert(at(16).failed);
  assert(capture.readable());
  assertEquals(read(1, 17), -EIO);
  assertEquals(read(1, 18), -EIO);
  assertEquals(warnings, ["nothing is recorded: no such cable"]);
  state.fails = false;
  at(20).reset();
  assertEquals(read(1, 20), []);
  assertEquals(read(1, 21), [0]);
});
