// A mapped dsp in a time of the test's own making: pointers, triggers, the lead, silence given back.

import { assert, assertEquals } from "@std/assert";
import { NullSink } from "../../lib/backend/null.ts";
import { ToneSource } from "../../lib/backend/tone.ts";
import type { ClockKind } from "../../lib/pcm/clock.ts";
import { callNamed, DSP_CALLS } from "../../lib/oss/calls.ts";
import { Dsp } from "../../lib/oss/dsp.ts";
import { Mixer } from "../../lib/oss/mixer.ts";
import { NO_CARDS } from "./no_cards.ts";
import {
  CountInfo,
  DSP_CAP_MMAP,
  PCM_ENABLE_INPUT,
  PCM_ENABLE_OUTPUT,
} from "../../lib/oss/soundcard.ts";

const FRAGMENT_BYTES = 4096;
const RING_BYTES = 4 * FRAGMENT_BYTES;
const BYTES_PER_MS = 48 * 4;
const FRAGMENT_MS = FRAGMENT_BYTES / BYTES_PER_MS;

/** An open dsp of 48 kHz stereo S16 whose program's memory is `pages`, all of them present. */
class Harness {
  nowMs = 1000;
  readonly pages = new Uint8Array(RING_BYTES);
  readonly retrievals: { offset: number; size: number; atMs: number }[] = [];
  readonly dsp: Dsp;
  #questions: { offset: number; size: number }[] = [];

  constructor(clock: ClockKind = "real", options = {}) {
    const mixer = new Mixer();
    this.dsp = new Dsp(
      {
        sink: new NullSink(clock),
        client: { pid: 1, command: "test" },
        owner: 0,
        now: () => this.nowMs,
        warn(message) {
          throw new Error(message);
        },
        mappedOptions: { leadMs: undefined, silence: false, ...options },
        cards: NO_CARDS,
        audio: 0,
        onShown() {},
        onStarted() {},
      },
      mixer,
      {
        plays: true,
        source: new ToneSource(clock, 1000),
        pages: {
          maxBytes: 131072,
          canStore: true,
          retrieve: (offset, size) => {
            this.#questions.push({ offset, size });
            this.retrievals.push({ offset, size, atMs: this.nowMs });
          },
          cancel: () => this.#questions.length = 0,
          store: (offset, bytes, length, onStored) => {
            this.pages.set(bytes.subarray(offset, offset + length), offset);
            onStored();
          },
        },
      },
    );
    this.call("SNDCTL_DSP_SETFRAGMENT", 4 << 16 | 12);
    this.call("SNDCTL_DSP_SETFMT", 16);
    this.call("SNDCTL_DSP_CHANNELS", 2);
    this.call("SNDCTL_DSP_SPEED", 48000);
  }

  /** Makes a call with an int; returns its argument as it comes back. */
  call(name: string, value = 0): DataView {
    const argument = new DataView(new ArrayBuffer(128));
    argument.setInt32(0, value, true);
    assertEquals(callNamed(DSP_CALLS, name)!.run(this.dsp, argument), 0, name);
    this.#answer();
    return argument;
  }

  trigger(bits: number): void {
    this.call("SNDCTL_DSP_SETTRIGGER", bits);
  }

  pointer(name: "SNDCTL_DSP_GETOPTR" | "SNDCTL_DSP_GETIPTR"): number[] {
    const info = this.call(name);
    return [CountInfo.bytes, CountInfo.blocks, CountInfo.ptr].map((at) => info.getInt32(at, true));
  }

  /** The program touches all of its memory. */
  touch(): void {
    for (let at = 0; at < RING_BYTES; at += 4096) {
      const page = new Uint8Array(4096);
      this.dsp.fillPage(at, page, 4096);
      this.pages.set(page, at);
    }
  }

  /** Lets time pass, and calls whoever is due in it. */
  pass(ms: number): void {
    const { playback, capture, mapping } = this.dsp;
    const endMs = this.nowMs + ms;
    for (;;) {
      const dueMs = Math.min(playback.dueMs, capture!.dueMs, mapping!.dueMs);
      if (dueMs > endMs) break;
      this.nowMs = Math.max(dueMs, this.nowMs);
      capture!.pump();
      mapping!.pump();
      playback.pump();
      this.#answer();
    }
    this.nowMs = endMs;
  }

  #answer(): void {
    for (;;) {
      const question = this.#questions.shift();
      if (!question) return;
      const { offset, size } = question;
      this.dsp.mapping!.ring.onRetrieved(offset, this.pages, offset, size);
    }
  }
}

Deno.test("GETCAPS claims what there is", () => {
  const caps = new Harness().call("SNDCTL_DSP_GETCAPS").getInt32(0, true);
  assertEquals(caps & DSP_CAP_MMAP, DSP_CAP_MMAP);
});

Deno.test("GETOPTR counts bytes, fragments since it was last asked, and the place in the ring", () => {
  const harness = new Harness();
  harness.touch();
  harness.trigger(0);
  harness.trigger(PCM_ENABLE_OUTPUT);
  harness.pass(2.5 * FRAGMENT_MS);
  assertEquals(harness.pointer("SNDCTL_DSP_GETOPTR"), [10240, 2, 10240]);
  harness.pass(2 * FRAGMENT_MS);
  assertEquals(harness.pointer("SNDCTL_DSP_GETOPTR"), [18432, 2, 18432 - RING_BYTES]);
  harness.trigger(0);
  assertEquals(harness.pointer("SNDCTL_DSP_GETOPTR"), [0, 0, 0]);
  harness.trigger(PCM_ENABLE_OUTPUT);
  harness.pass(FRAGMENT_MS);
  assertEquals(harness.pointer("SNDCTL_DSP_GETOPTR"), [4096, 1, 4096]);
  harness.call("SNDCTL_DSP_RESET");
  assertEquals(harness.pointer("SNDCTL_DSP_GETOPTR"), [0, 0, 0]);
});

Deno.test("bytes begin again at 2^31, and the place in the ring goes on", () => {
  const harness = new Harness("free");
  harness.touch();
  harness.trigger(PCM_ENABLE_OUTPUT);
  // A clock of the ring's own needs no turn of the loop for each fragment: only what is fetched limits it.
  const mapped = harness.dsp.mapping!.playback!;
  const rounds = Math.ceil(2 ** 31 / FRAGMENT_BYTES) + 3;
  let wraps = 0;
  let before = 0;
  for (let i = 0; i < rounds; i++) {
    harness.pass(FRAGMENT_MS);
    if (i % 1000 !== 0 && i < rounds - 8) continue;
    const [bytes, , ptr] = harness.pointer("SNDCTL_DSP_GETOPTR");
    assert(bytes >= 0);
    assertEquals(ptr, mapped.pointerBytes() % RING_BYTES);
    if (bytes < before) wraps++;
    before = bytes;
  }
  assertEquals(wraps, 1);
});

Deno.test("each fragment is fetched once, 4 ms before its time or as --mmap-lead says", () => {
  for (const [leadMs, wanted] of [[undefined, 4], [1, 1], [30, 30], [1000, 2 * FRAGMENT_MS]]) {
    const harness = new Harness("real", { leadMs });
    harness.touch();
    harness.trigger(PCM_ENABLE_OUTPUT);
    const startMs = harness.nowMs;
    harness.pass(8 * FRAGMENT_MS + 1);
    const late = harness.retrievals.slice(4);
    assert(late.length > 3);
    late.forEach(({ offset, size, atMs }, i) => {
      assertEquals([offset, size], [(i + 4) * FRAGMENT_BYTES % RING_BYTES, FRAGMENT_BYTES]);
      const lead = startMs + (i + 4) * FRAGMENT_MS - atMs;
      assert(Math.abs(lead - wanted!) < 0.1, `${lead} ms, where ${wanted} were wanted`);
    });
  }
});

Deno.test("what the program does not feed again is heard again, or silence with --mmap-silence", () => {
  for (const silence of [false, true]) {
    const harness = new Harness("real", { silence });
    harness.touch();
    harness.pages.fill(7);
    harness.trigger(PCM_ENABLE_OUTPUT);
    harness.pass(2.5 * FRAGMENT_MS);
    const left = harness.pages.findIndex((byte) => byte !== 0);
    assertEquals(left, silence ? 3 * FRAGMENT_BYTES : 0);
  }
});

Deno.test("SILENCE makes a mapping silent, with --mmap-silence too, and it plays on", () => {
  for (const silence of [false, true]) {
    const harness = new Harness("real", { silence });
    harness.touch();
    harness.pages.fill(7);
    harness.trigger(PCM_ENABLE_OUTPUT);
    harness.pass(2.5 * FRAGMENT_MS);
    harness.call("SNDCTL_DSP_SILENCE");
    assertEquals(harness.pages, new Uint8Array(RING_BYTES));
    harness.pages.fill(9);
    harness.pass(6 * FRAGMENT_MS);
    const left = harness.pages.findIndex((byte) => byte !== 0);
    assertEquals(left, silence ? -1 : 0);
    assertEquals(harness.pointer("SNDCTL_DSP_GETOPTR")[0], 8.5 * FRAGMENT_BYTES);
  }
  const harness = new Harness();
  harness.pages.fill(7);
  harness.call("SNDCTL_DSP_SILENCE"); // nobody has mapped anything
  assertEquals(harness.pages[0], 7);
});

Deno.test("a recording that a mapping shows goes round the ring, at GETIPTR to the frame", () => {
  for (const clock of ["real", "free"] as const) {
    const harness = new Harness(clock);
    harness.trigger(0);
    harness.trigger(PCM_ENABLE_INPUT);
    harness.pass(FRAGMENT_MS / 2 + 0.01);
    assertEquals(harness.pointer("SNDCTL_DSP_GETIPTR"), [2048, 0, 2048]);
    harness.touch(); // only now is it known that there is a mapping
    harness.pass(FRAGMENT_MS);
    assertEquals(harness.pointer("SNDCTL_DSP_GETIPTR"), [6144, 1, 6144]);
    harness.pass(4 * FRAGMENT_MS);
    assertEquals(harness.pointer("SNDCTL_DSP_GETIPTR"), [22528, 4, 22528 - RING_BYTES]);
    const wanted = new Uint8Array(22528);
    const { format } = harness.dsp.parameters;
    const stream = new ToneSource(clock, 1000)
      .open({ format, rateHz: 48000, channels: 2 });
    stream.start(0);
    if (clock === "real") stream.available(1000);
    stream.read(wanted, wanted.length / 4, 1000);
    for (let at = wanted.length - RING_BYTES; at < wanted.length; at++) {
      if (harness.pages[at % RING_BYTES] !== wanted[at]) throw new Error(`${clock}: byte ${at}`);
    }
    harness.trigger(0);
    assertEquals(harness.pointer("SNDCTL_DSP_GETIPTR"), [0, 0, 0]);
  }
});

Deno.test("where output is triggered the ring plays, and the recording is read(2)'s", () => {
  const harness = new Harness();
  harness.touch();
  harness.trigger(0);
  harness.trigger(PCM_ENABLE_OUTPUT | PCM_ENABLE_INPUT);
  harness.pass(FRAGMENT_MS);
  assertEquals(harness.pages.findIndex((byte) => byte !== 0), -1);
  assertEquals(harness.dsp.capture!.read(new Uint8Array(FRAGMENT_BYTES), 0, FRAGMENT_BYTES), 4096);
});

Deno.test("who polls after GETIPTR waits for the next fragment, of a source that has a clock", () => {
  for (const clock of ["real", "free"] as const) {
    const harness = new Harness(clock);
    harness.dsp.capture!.read(new Uint8Array(4), 0, 4);
    assertEquals(harness.dsp.followedBlocks, undefined);
    harness.call("SNDCTL_DSP_GETIPTR");
    assertEquals(harness.dsp.followedBlocks !== undefined, clock === "real", clock);
  }
});
