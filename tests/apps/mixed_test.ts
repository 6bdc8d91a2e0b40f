// Real programs mixed into one file: it is their sum, saturated.

import { assertEquals, assertGreater } from "@std/assert";
import { hearPlanes, makePlanes, mixSamples, mixTake } from "../planes.ts";
import {
  available,
  difference,
  programNamed,
  readWav,
  runOssp,
  Scratch,
  type Sound,
  type Take,
  together,
} from "../programs.ts";

const SOX = programNamed("sox");
const FFMPEG = programNamed("ffmpeg");

/** Plays takes at once into one file. */
async function mix(takes: readonly Take[], clock: string, folder: string): Promise<Sound> {
  const { status, stderr } = await runOssp({
    options: ["--frontend", "fuse", "--clock", clock, "--sink", `wav:${folder}/mix.wav`],
    command: together(takes),
  });
  assertEquals([status, stderr], [0, ""]);
  return await readWav(`${folder}/mix.wav`);
}

for (const clock of ["real", "free"]) {
  Deno.test(`a mix of one program is what it played, clock ${clock}`, async () => {
    if (!available("sox")) return;
    await using scratch = await Scratch.create();
    const takes = await makePlanes([SOX], 1, scratch.path);
    assertEquals(difference(await mix(takes, clock, scratch.path), takes[0].sound), undefined);
  });

  Deno.test(`a mix of ten programs is their sum, clock ${clock}`, async () => {
    if (!available("sox", "ffmpeg")) return;
    await using scratch = await Scratch.create();
    const takes = await makePlanes([SOX, FFMPEG], 10, scratch.path);
    const { wrong, most, silentFrames } = hearPlanes(await mix(takes, clock, scratch.path), takes);
    assertEquals(wrong, []);
    // On a free clock one may have ended before the next begins, but no time passes in between.
    if (clock === "real") assertGreater(most, 1);
    else assertEquals(silentFrames, 0);
  });
}

Deno.test("a sum beyond 16 bit is the largest or the smallest sample", async () => {
  if (!available("sox")) return;
  await using scratch = await Scratch.create();
  const frames = 40960;
  const loud = new Int16Array(2 * frames).map((_, i) => i % 2 === 0 ? 20000 : -20000);
  const takes = [
    await mixTake(SOX, "one", loud, scratch.path),
    await mixTake(SOX, "other", loud, scratch.path),
  ];
  const heard = mixSamples(await mix(takes, "real", scratch.path));
  const frameCounts = new Map<string, number>();
  for (let i = 0; i < heard.length; i += 2) {
    const frame = `${heard[i]} ${heard[i + 1]}`;
    frameCounts.set(frame, (frameCounts.get(frame) ?? 0) + 1);
  }
  const alone = frameCounts.get("20000 -20000") ?? 0;
  const both = frameCounts.get("32767 -32768") ?? 0;
  assertGreater(both, 0);
  assertEquals(alone + 2 * both, 2 * frames);
  assertEquals(alone + both, heard.length / 2);
});
