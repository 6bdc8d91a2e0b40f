// Programs that map a recording and never read, on this kernel: what they see is the source, to the
// bit from its first sample on.

import { assertEquals } from "@std/assert";
import { formatByName } from "../../lib/pcm/format.ts";
import { compile } from "../compile.ts";
import { KERNEL_MAPS, noise, runOssp, Scratch, type Sound, writeWav } from "../programs.ts";

/** OSS's name of a format, ours, rate, channels, log2 of the fragment's bytes, fragments. */
const RINGS: readonly [string, string, number, number, number, number][] = [
  ["U8", "u8", 8000, 1, 8, 31], // 0.99 s, and its end lies within a page
  ["S16_LE", "s16le", 22050, 2, 10, 8], // 93 ms
  ["S16_LE", "s16le", 48000, 2, 10, 3], // 16 ms, all in one page
  ["S16_LE", "s16le", 48000, 2, 12, 16], // 341 ms
  ["S32_LE", "s32le", 96000, 2, 16, 12], // 1.02 s
];

async function record(scratch: Scratch, client: string, i: number, clock: string): Promise<void> {
  const [name, ours, rateHz, channels, shift, fragments] = RINGS[i];
  const format = formatByName(ours)!;
  const place = (what: string) => `${scratch.path}/${what}-${i}-${clock}`;
  const seconds = 1;
  const bytes = noise(seconds * rateHz * channels * format.bytes, i + 1);
  const sound: Sound = { format: ours, rateHz, channels, bytes };
  await writeWav(place("source.wav"), sound);
  const ring = [name, rateHz, channels, shift, fragments].map(String);
  const source = `wav-once:${place("source.wav")}`;
  const words = ["--record", String(bytes.length), ...(shift === 10 ? ["--tick", "2"] : [])];
  const take = async () => {
    const { status, stdout, stderr } = await runOssp({
      options: ["--frontend", "fuse", "--source", source, "--clock", clock],
      command: [client, "/dev/dsp", ...ring, place("heard"), ...words],
    });
    assertEquals([status, stderr], [0, ""], ring.join(" "));
    return JSON.parse(stdout);
  };
  let summary = await take();
  // A program that is not given the processor looks too late, and the ring has gone round.
  for (let again = 0; again < 3 && summary.late_refills > 0; again++) summary = await take();
  assertEquals([summary.late_refills, summary.disagreements], [0, 0], ring.join(" "));
  const heard = await Deno.readFile(place("heard"));
  assertEquals(heard.length, bytes.length);
  assertEquals(bytes.findIndex((byte, at) => byte !== heard[at]), -1, ring.join(" "));
}

for (const clock of ["real", "free"]) {
  Deno.test({
    name: `a mapped recording of a ${clock} clock is the source, whatever its ring`,
    ignore: !KERNEL_MAPS,
    async fn() {
      await using scratch = await Scratch.create();
      const client = await compile("native/mmap_client.c", scratch.path);
      for (const i of RINGS.keys()) await record(scratch, client, i, clock);
    },
  });
}
