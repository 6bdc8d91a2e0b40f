// An open dsp's two halves together: SETTRIGGER holds both back, and sets both going at one moment.

import { assertEquals } from "@std/assert";
import { NullSink } from "../../lib/backend/null.ts";
import { SilentSource } from "../../lib/backend/silence.ts";
import { callNamed, DSP_CALLS } from "../../lib/oss/calls.ts";
import { Dsp } from "../../lib/oss/dsp.ts";
import { Mixer } from "../../lib/oss/mixer.ts";
import { NO_CARDS } from "./no_cards.ts";
import { PCM_ENABLE_INPUT, PCM_ENABLE_OUTPUT } from "../../lib/oss/soundcard.ts";

function harness() {
  const clock = { nowMs: 1000 };
  const mixer = new Mixer();
  const dsp = new Dsp(
    {
      sink: new NullSink("real"),
      client: { pid: 1, command: "test" },
      owner: 0,
      now: () => clock.nowMs,
      warn(message) {
        throw new Error(message);
      },
      mappedOptions: { leadMs: undefined, silence: false },
      cards: NO_CARDS,
      audio: 0,
      onShown() {},
      onStarted() {},
    },
    mixer,
    { plays: true, source: new SilentSource("real") },
  );
  /** Makes a call with an int; returns that int as it comes back. */
  const call = (name: string, value = 0): number => {
    const argument = new DataView(new ArrayBuffer(128));
    argument.setInt32(0, value, true);
    assertEquals(callNamed(DSP_CALLS, name)!.run(dsp, argument), 0);
    return argument.getInt32(0, true);
  };
  return { clock, dsp, call };
}

const BOTH = PCM_ENABLE_INPUT | PCM_ENABLE_OUTPUT;
const sound = new Uint8Array(4096).fill(7);

Deno.test("SETTRIGGER holds playing and recording back, and starts both at once", () => {
  const { clock, dsp, call } = harness();
  assertEquals(call("SNDCTL_DSP_GETTRIGGER"), BOTH);
  call("SNDCTL_DSP_SETTRIGGER", 0);
  assertEquals(call("SNDCTL_DSP_GETTRIGGER"), 0);
  assertEquals(dsp.playback.write(sound, 0, 1000), 1000);
  assertEquals(dsp.capture!.read(new Uint8Array(100), 0, 100), 0);
  clock.nowMs += 500;
  assertEquals([call("SNDCTL_DSP_GETOPTR"), call("SNDCTL_DSP_GETIPTR")], [0, 0]);
  call("SNDCTL_DSP_SETTRIGGER", BOTH);
  assertEquals(call("SNDCTL_DSP_GETTRIGGER"), BOTH);
  clock.nowMs += 50; // 400 bytes of 8 kHz, 8 bit
  assertEquals([call("SNDCTL_DSP_GETOPTR"), call("SNDCTL_DSP_GETIPTR")], [400, 400]);
});

Deno.test("SETTRIGGER of one half leaves the other", () => {
  const { clock, dsp, call } = harness();
  dsp.playback.write(sound, 0, 2000);
  dsp.capture!.start();
  clock.nowMs += 20;
  call("SNDCTL_DSP_SETTRIGGER", PCM_ENABLE_OUTPUT);
  assertEquals(call("SNDCTL_DSP_GETTRIGGER"), PCM_ENABLE_OUTPUT);
  clock.nowMs += 20;
  assertEquals(call("SNDCTL_DSP_GETOPTR"), 320);
  assertEquals(dsp.capture!.readableBytes(), 0);
});

Deno.test("who waits for the end of what a trigger holds back hears it", () => {
  const { clock, dsp, call } = harness();
  call("SNDCTL_DSP_SETTRIGGER", 0);
  dsp.playback.write(sound, 0, 80);
  assertEquals(dsp.settle(), false);
  clock.nowMs += 10;
  dsp.playback.pump();
  assertEquals(dsp.settle(), true);
  assertEquals(dsp.playback.playedBytes(), 80);
});
