// Real programs through the real character device /dev/dsp: what they play is heard to the bit.

import { assertEquals, assertGreater } from "@std/assert";
import { hearPlanes, makePlanes } from "../../planes.ts";
import {
  available,
  availablePrograms,
  makeTake,
  playToFiles,
  programNamed,
  readWav,
  runOssp,
  Scratch,
  type Take,
  together,
} from "../../programs.ts";

const CUSE = ["--frontend", "cuse", "--clock", "real"];

// Each once, then what starts quickly: here mplayer takes 6 s to start, ffmpeg 2 s, sox 0.2 s.
const TEN = [
  ...["mplayer", "ffmpeg", "mpg123", "sox", "sox with 8 bit", "play", "cat", "dd"],
  ...["sox", "dd"],
];

Deno.test("cuse: ten programs at once, a file each", async () => {
  await using scratch = await Scratch.create();
  const takes: Take[] = [];
  for (const [seed, program] of availablePrograms(TEN.map(programNamed)).entries()) {
    takes.push(await makeTake(program, scratch.path, seed));
  }
  const folder = `${scratch.path}/heard`;
  await Deno.mkdir(folder);
  assertEquals(await playToFiles(takes, CUSE, folder), []);
});

Deno.test("cuse: a mix of four programs is their sum", async () => {
  if (!available("sox")) return;
  await using scratch = await Scratch.create();
  const takes = await makePlanes([programNamed("sox")], 4, scratch.path);
  const { status, stderr } = await runOssp({
    options: [...CUSE, "--sink", `wav:${scratch.path}/mix.wav`],
    command: together(takes),
  });
  assertEquals([status, stderr], [0, ""]);
  const { wrong, most } = hearPlanes(await readWav(`${scratch.path}/mix.wav`), takes);
  assertEquals(wrong, []);
  assertGreater(most, 1);
});
