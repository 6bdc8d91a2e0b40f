// The device files beside dsp and mixer: what they open as, and what their links lead to.

import { assertEquals } from "@std/assert";
import { noise, readWav, type Sound } from "../programs.ts";
import { LACKING, Run, Scratch } from "./ossp.ts";

/** Half a second of a file's bytes as they are. */
function soundOf(format: string, sampleBytes: number): Sound {
  return { format, rateHz: 8000, channels: 1, bytes: noise(4000 * sampleBytes, sampleBytes) };
}

Deno.test({
  name: "/dev/audio opens as mu-law, /dev/dspW as 16 bit, both at 8 kHz in mono",
  ignore: LACKING,
  async fn() {
    await using scratch = new Scratch();
    const { path } = scratch;
    const sounds = {
      audio: soundOf("mulaw", 1),
      dspW: soundOf("s16le", 2),
      adsp: soundOf("u8", 1),
    };
    const words = Object.keys(sounds).map((device) => `cat ${path}/${device} >/dev/${device}`);
    for (const [device, { bytes }] of Object.entries(sounds)) {
      Deno.writeFileSync(`${path}/${device}`, bytes);
    }
    await using run = Run.ossp([
      "--sink",
      `wav:${path}/%n.wav`,
      "--",
      "sh",
      "-c",
      words.join("\n"),
    ]);
    assertEquals([await run.end(), run.stderr], [0, ""]);
    for (const [i, sound] of Object.values(sounds).entries()) {
      assertEquals(await readWav(`${path}/${i + 1}.wav`), sound);
    }
  },
});
