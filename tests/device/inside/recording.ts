// Recording through a real character device: what a program reads is the source, to the bit.

import { assertEquals } from "@std/assert";
import { noise, runOssp, Scratch, writeWav } from "../../programs.ts";

Deno.test("cuse: dd reads the source from its first sample on", async () => {
  await using scratch = await Scratch.create();
  const bytes = noise(12_000, 5);
  const sound = { format: "u8", rateHz: 8000, channels: 1, bytes };
  await writeWav(`${scratch.path}/source.wav`, sound);
  const { status, stderr } = await runOssp({
    options: ["--frontend", "cuse", "--source", `wav:${scratch.path}/source.wav`],
    command: ["dd", "if=/dev/dsp", `of=${scratch.path}/heard`, "bs=1000", "count=8", "status=none"],
  });
  assertEquals([status, stderr], [0, ""]);
  assertEquals(await Deno.readFile(`${scratch.path}/heard`), bytes.slice(0, 8000));
});
