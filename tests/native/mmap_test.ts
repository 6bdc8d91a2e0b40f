// Programs that map the device and never write, on this kernel: what they put into the mapping is
// heard, to the bit.

import { assert, assertEquals } from "@std/assert";
import { KERNEL_MAPS, noise, runOssp, Scratch } from "../programs.ts";

/** Format, bytes of a frame, rate, channels, log2 of the fragment's bytes, fragments. */
const RINGS: readonly [string, number, number, number, number, number][] = [
  ["U8", 1, 8000, 1, 7, 4], // 64 ms
  ["U8", 1, 8000, 1, 8, 31], // 0.99 s, and its end lies within a page
  ["S16_LE", 4, 22050, 2, 10, 8], // 93 ms
  ["S16_LE", 4, 48000, 2, 11, 4], // 43 ms
  ["S16_LE", 4, 48000, 2, 12, 16], // 341 ms
  ["S32_LE", 8, 96000, 2, 14, 3], // 64 ms
  ["S32_LE", 8, 96000, 2, 16, 12], // 1.02 s
];

async function compile(folder: string): Promise<string> {
  const program = `${folder}/mmap_client`;
  const { stderr } = await new Deno.Command("cc", {
    args: ["-O2", "-Wall", "-Wextra", "-o", program, `${import.meta.dirname}/mmap_client.c`],
  }).output();
  assertEquals(new TextDecoder().decode(stderr), "");
  return program;
}

/** What was heard begins with the sound, and then there is only what lay in the ring. */
function assertHeard(heard: Uint8Array, sound: Uint8Array): void {
  assert(heard.length >= sound.length, `${heard.length} of ${sound.length} bytes were heard`);
  assertEquals(sound.findIndex((byte, i) => byte !== heard[i]), -1);
}

/** A test of mappings, on a kernel that has them. */
function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !KERNEL_MAPS, fn });
}

test("a mapping that is triggered is heard from its first sample on, whatever its ring", async () => {
  await using scratch = await Scratch.create();
  const client = await compile(scratch.path);
  // One after the other: a program that is not given the processor refills its ring too late.
  for (const [i, [format, frameBytes, rate, channels, shift, fragments]] of RINGS.entries()) {
    const place = (name: string) => `${scratch.path}/${name}-${i}`;
    const sound = noise(frameBytes * rate, i + 1);
    await Deno.writeFile(place("sound"), sound);
    const ring = [format, rate, channels, shift, fragments].map(String);
    const play = async () => {
      const { status, stdout, stderr } = await runOssp({
        options: ["--frontend", "fuse", "--sink", `raw:${place("heard")}-%n`],
        command: [client, "/dev/dsp", ...ring, place("sound")],
      });
      assertEquals([status, stderr], [0, ""], ring.join(" "));
      return JSON.parse(stdout);
    };
    let summary = await play();
    for (let again = 0; again < 3 && summary.late_refills > 0; again++) summary = await play();
    assertEquals(summary.late_refills, 0, ring.join(" "));
    assertEquals(summary.ring_bytes, fragments << shift);
    assertHeard(await Deno.readFile(`${place("heard")}-1`), sound);
  }
});

test("mapping programs and one that writes are heard side by side, each by itself", async () => {
  await using scratch = await Scratch.create();
  const client = await compile(scratch.path);
  const sounds = [1, 2, 3].map((seed) => noise(48000 * 4, seed));
  for (const [i, sound] of sounds.entries()) {
    await Deno.writeFile(`${scratch.path}/sound-${i}`, sound);
  }
  const mapped = (i: number) =>
    `${client} /dev/dsp S16_LE 48000 2 11 8 ${scratch.path}/sound-${i} >/dev/null &`;
  const written = `head -c 16000 ${scratch.path}/sound-2 >/dev/dsp`;
  const { status, stderr } = await runOssp({
    options: ["--frontend", "fuse", "--sink", `raw:${scratch.path}/heard-%p`],
    command: ["sh", "-c", `${mapped(0)} ${mapped(1)} ${written}; wait`],
  });
  assertEquals([status, stderr], [0, ""]);
  const heard: Uint8Array[] = [];
  for (const { name } of Deno.readDirSync(scratch.path)) {
    if (name.startsWith("heard-")) heard.push(await Deno.readFile(`${scratch.path}/${name}`));
  }
  assertEquals(heard.length, 3);
  for (const sound of [sounds[0], sounds[1], sounds[2].subarray(0, 16000)]) {
    const own = heard.find((bytes) => sound.subarray(0, 64).every((byte, i) => byte === bytes[i]));
    assert(own);
    assertHeard(own, sound);
  }
});
