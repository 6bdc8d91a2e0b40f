// Programs that map the device and never write, on this kernel: what they put into the mapping is
// heard, to the bit.

import { assert, assertEquals } from "@std/assert";
import { KERNEL_MAPS, noise, runOssp } from "../programs.ts";
import { Scratch } from "./ossp.ts";

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

/** What was heard begins with the sound, and then there is only what lay in the ring. */
function assertHeard(heard: Uint8Array, sound: Uint8Array): void {
  assert(heard.length >= sound.length, `${heard.length} of ${sound.length} bytes were heard`);
  assertEquals(sound.findIndex((byte, i) => byte !== heard[i]), -1);
}

/** What a client says of its own run. */
interface Summary {
  readonly ring_bytes: number;
  readonly fragment_bytes: number;
  readonly looks: number;
  readonly min_lead_bytes: number;
  readonly pages_out?: number;
}

// When a fragment is fetched, before its time: LEAD_MS of lib/oss.
const FETCH_LEAD_MS = 4;

/**
 * Plays on all rings at once, and asserts that each is heard. Each client keeps its ring full: what
 * lies behind the pointer is overwritten at once. One that was not given the processor in time, so
 * that its next fragment may have been fetched unfinished, says so and plays again.
 *
 * @param options of mmap_client
 * @returns what each client said
 */
async function playRings(
  folder: string,
  client: string,
  seconds: number,
  options: readonly string[] = [],
): Promise<Summary[]> {
  const summaries: Summary[] = [];
  const sounds = RINGS.map(([_, frameBytes, rate], i) => noise(frameBytes * rate * seconds, i + 1));
  const commands: string[] = [];
  for (const [i, [format, , ...ring]] of RINGS.entries()) {
    const [, , shift, fragments] = ring;
    const place = `${folder}/ring-${i}`;
    // The file is called after the program.
    await Deno.symlink(client, place);
    await Deno.writeFile(`${place}.sound`, sounds[i]);
    const ahead = ["--ahead", fragments << shift];
    const words = [place, "/dev/dsp", format, ...ring, `${place}.sound`, ...ahead, ...options];
    commands.push(`${words.join(" ")} >${place}.summary &`);
  }
  let waiting = [...RINGS.keys()];
  for (let attempt = 0; waiting.length > 0 && attempt < 4; attempt++) {
    const { status, stderr } = await runOssp({
      options: ["--frontend", "fuse", "--sink", `raw:${folder}/%c.heard`],
      command: ["sh", "-c", `${waiting.map((i) => commands[i]).join(" ")} wait`],
    });
    assertEquals([status, stderr], [0, ""]);
    for (const i of waiting) {
      summaries[i] = JSON.parse(await Deno.readTextFile(`${folder}/ring-${i}.summary`));
    }
    waiting = waiting.filter((i) => {
      const [, frameBytes, rate] = RINGS[i];
      const { min_lead_bytes, fragment_bytes } = summaries[i];
      return min_lead_bytes < fragment_bytes + frameBytes * rate * FETCH_LEAD_MS / 1000;
    });
  }
  assertEquals(waiting, [], "these clients were late each time");
  for (const [i, [, , , , shift, fragments]] of RINGS.entries()) {
    assertEquals(summaries[i].ring_bytes, fragments << shift);
    assertHeard(await Deno.readFile(`${folder}/ring-${i}.heard`), sounds[i]);
  }
  return summaries;
}

/** A test of mappings, on a kernel that has them. */
function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !KERNEL_MAPS, fn });
}

test("a mapping that is triggered is heard from its first sample on, whatever its ring", async () => {
  await using scratch = new Scratch();
  await playRings(scratch.path, await scratch.client("mmap_client"), 10);
});

test("pages that the kernel drops, as it does when memory is short, are heard all the same", async () => {
  await using scratch = new Scratch();
  const client = await scratch.client("mmap_client");
  for (const { looks, pages_out } of await playRings(scratch.path, client, 3, ["--page-out"])) {
    assert(pages_out! >= looks / 4, `${pages_out} pages at ${looks} looks`);
  }
});

test("mapping programs and one that writes are heard side by side, each by itself", async () => {
  await using scratch = new Scratch();
  const client = await scratch.client("mmap_client");
  const sounds = [1, 2, 3].map((seed) => noise(48000 * 4, seed));
  for (const [i, sound] of sounds.entries()) {
    await Deno.writeFile(`${scratch.path}/sound-${i}`, sound);
  }
  const mapped = (i: number) =>
    `${client} /dev/dsp S16_LE 48000 2 12 16 ${scratch.path}/sound-${i} >/dev/null &`;
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
