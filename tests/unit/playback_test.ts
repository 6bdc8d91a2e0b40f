// The playback half of a dsp against a sink whose clock the test moves by hand.

import { assert, assertEquals } from "@std/assert";
import { EIO, ENOSPC, SystemError } from "../../ffi/libc.ts";
import type { Sink, SinkStream } from "../../lib/backend/sink.ts";
import { Parameters } from "../../lib/oss/parameters.ts";
import { Playback } from "../../lib/oss/playback.ts";
import { FrameClock } from "../../lib/pcm/clock.ts";

/** 1000 Hz U8 mono with fragments of 16 bytes, four of them: a byte is a millisecond. */
function harness(kind: "real" | "free" = "real") {
  const heard: number[] = [];
  const state = { fails: false, opened: 0, closed: 0, unkept: 0, loses: false };
  const sink: Sink = {
    open({ rateHz }): SinkStream {
      state.opened++;
      const clock = new FrameClock(kind, rateHz);
      return {
        free: kind === "free",
        leadFrames: 0,
        start: (now) => clock.start(now),
        stop: () => clock.stop(),
        discard() {},
        delay: (now) => -clock.lag(now),
        room: (now) => clock.due(now),
        timeOfRoom: (frames, now) => clock.timeOf(frames, now),
        write(bytes, frames) {
          if (state.fails) throw new SystemError(ENOSPC, "write", "disk");
          clock.take(frames);
          heard.push(...bytes.subarray(0, frames));
        },
        unkeptFrames() {
          if (state.loses) throw new SystemError(ENOSPC, "write", "disk");
          return state.unkept;
        },
        close: () => state.closed++,
      };
    },
    close() {},
  };
  const parameters = new Parameters();
  parameters.setRate(1000);
  parameters.setFragment(4 << 16 | 4);
  const warnings: string[] = [];
  const clock = { nowMs: 0 };
  const playback = new Playback(parameters, {
    sink,
    client: { pid: 1, command: "test" },
    levels: { gain: { left: 1, right: 1 }, level: undefined, keepAt() {} },
    now: () => clock.nowMs,
    warn: (message) => warnings.push(message),
  });
  let next = 0;
  /** Writes `count` more bytes of 0, 1, 2 and so on; returns how many were taken. */
  const write = (count: number, now: number): number => {
    clock.nowMs = now;
    const bytes = Uint8Array.from({ length: count }, (_, i) => (next + i) & 0xff);
    const taken = playback.write(bytes, 0, count);
    if (taken > 0) next += taken;
    return taken;
  };
  /** Lets time pass until `until`, pumping whenever it is due. */
  const run = (until: number): void => {
    while (playback.dueMs <= until) {
      clock.nowMs = playback.dueMs;
      playback.pump();
    }
    clock.nowMs = until;
  };
  /** The playback at a time. */
  const at = (nowMs: number): Playback => {
    clock.nowMs = nowMs;
    return playback;
  };
  const isCount = () => heard.every((byte, i) => byte === (i & 0xff));
  return { playback, parameters, heard, state, warnings, at, write, run, isCount };
}

Deno.test("a fragment starts the sound, and it takes its time", () => {
  const { playback, heard, write, run, at } = harness();
  assertEquals(write(32, 0), 32);
  run(10);
  assertEquals(heard.length, 0);
  assertEquals(at(10).queuedBytes(), 22);
  assertEquals(at(10).playedBytes(), 10);
  run(16);
  assertEquals(heard.length, 16);
  run(100);
  assertEquals(heard.length, 32);
  assertEquals(playback.underruns, 1);
});

Deno.test("less than a fragment begins after a fragment's time, or at once by POST", () => {
  const { heard, write, run, at } = harness();
  write(5, 0);
  run(15);
  assertEquals(heard.length, 0);
  run(21);
  assertEquals(heard.length, 5);
  write(5, 100);
  at(100).post();
  run(105);
  assertEquals(heard.length, 10);
});

Deno.test("a full buffer takes no more, until time has passed", () => {
  const { write, at } = harness();
  assertEquals(write(100, 0), 64);
  assertEquals(write(1, 0), 0);
  assertEquals(at(7).freeBytes(), 7);
  assert(!at(15).writable());
  assert(at(16).writable());
  assertEquals(write(100, 7), 7);
});

Deno.test("after an underrun the sound goes on with the next fragment, nothing lost or doubled", () => {
  const { playback, heard, write, run, isCount, at } = harness();
  for (let round = 0; round < 20; round++) {
    write(16 + round, round * 1000);
    run(round * 1000 + 900);
  }
  assertEquals(heard.length, 20 * 16 + 190);
  assert(isCount());
  assertEquals(playback.underruns, 20);
  assertEquals(at(1e6).playedBytes(), heard.length);
});

Deno.test("draining plays everything and is no underrun", () => {
  const { playback, heard, write, run, at } = harness();
  write(40, 0);
  at(0).drain();
  assert(!playback.drained);
  run(39);
  assert(!playback.drained);
  run(40);
  assert(playback.drained);
  assertEquals(heard.length, 40);
  assertEquals(playback.underruns, 0);
});

Deno.test("the part of a frame that is left at the end is dropped, and frames stay whole", () => {
  const { playback, parameters, heard, write, run, at } = harness();
  parameters.setChannels(2);
  write(33, 0);
  at(0).drain();
  run(1000);
  assertEquals(heard.length, 16);
  assert(playback.drained);
  assertEquals(at(1000).queuedBytes(), 0);
});

Deno.test("RESET forgets what was not played", () => {
  const { heard, write, run, at } = harness();
  write(64, 0);
  run(16);
  at(20).reset();
  run(1000);
  assertEquals(heard.length, 20);
  assertEquals(at(1000).freeBytes(), 64);
});

Deno.test("GETOPTR's blocks are those since the last call", () => {
  const { write, run, at } = harness();
  write(64, 0);
  assertEquals(at(0).blocks.take(), 0);
  assertEquals(at(35).blocks.take(), 2);
  assertEquals(at(40).blocks.take(), 0);
  run(64);
  assertEquals(at(100).blocks.take(), 2);
});

Deno.test("a sink without a clock takes everything at once", () => {
  const { playback, heard, write, isCount } = harness("free");
  for (let i = 0; i < 100; i++) assertEquals(write(64, 0), 64);
  assertEquals(heard.length, 6400);
  assert(isCount());
  assertEquals(playback.underruns, 0);
  assert(playback.drained);
});

Deno.test("a sink that fails is EIO to the program, said once, until a RESET", () => {
  const { playback, state, warnings, write, run, at } = harness();
  write(64, 0);
  state.fails = true;
  run(100);
  assert(playback.failed);
  assertEquals(write(64, 100), -EIO);
  assertEquals(write(64, 200), -EIO);
  assertEquals(warnings.length, 1);
  assertEquals(warnings[0], "sound is lost: disk: write: ENOSPC (No space left on device)");
  state.fails = false;
  at(300).reset();
  assertEquals(write(16, 300), 16);
  run(400);
  assertEquals(state.opened, 2);
});

Deno.test("who waits for the end waits for what the sink has not kept, and hears of its loss", () => {
  const { playback, state, warnings, write, run, at } = harness("free");
  state.unkept = 16;
  assertEquals(write(16, 0), 16);
  at(0).drain();
  assert(playback.heard);
  assert(!playback.drained);
  assert(!playback.hasPlayed(16));
  run(5);
  assert(!playback.drained);
  state.unkept = 0;
  run(10);
  assert(playback.drained);
  assert(playback.hasPlayed(16));
  assertEquals(playback.dueMs, Infinity);
  state.unkept = 16;
  write(16, 10);
  state.loses = true;
  run(20);
  assert(playback.failed);
  assertEquals(warnings.length, 1);
});

Deno.test("new parameters are a new stream of the sink", () => {
  const { state, write, run, at } = harness();
  write(16, 0);
  run(16);
  at(100).close();
  write(16, 100);
  run(200);
  assertEquals([state.opened, state.closed], [2, 1]);
});
