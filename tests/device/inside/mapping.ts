// Mapped playback on a kernel before 6.6, which refuses to map a direct-I/O file: opens that are made
// for mapping play what is put into it, to the bit, and say what they cannot do.

import { assert, assertEquals } from "@std/assert";
import { noise, runOssp, Scratch } from "../../programs.ts";

/** tests/native/mmap_client.c; device_test.ts puts it there. */
const CLIENT = `${Deno.env.get("OSSP_EXCHANGE")}/mmap_client`;
const RING = ["S16_LE", "48000", "2", "13", "8"]; // 341 ms
const SECOND_BYTES = 48000 * 4;

/** A folder with the mapping client and a sound for it to play. */
async function prepare(seconds: number, name = "mmap_client") {
  const scratch = await Scratch.create();
  const client = `${scratch.path}/${name}`;
  const sound = noise(seconds * SECOND_BYTES, 6);
  await Deno.writeFile(`${scratch.path}/sound`, sound);
  await Deno.copyFile(CLIENT, client);
  const play = (...options: string[]) =>
    runOssp({
      options: ["--frontend", "fuse", "--sink", `raw:${scratch.path}/heard-%n`, ...options],
      command: [client, "/dev/dsp", ...RING, `${scratch.path}/sound`],
    });
  const heard = () => Deno.readFile(`${scratch.path}/heard-1`);
  return { scratch, sound, play, heard };
}

Deno.test("--mmap: ten seconds of a mapping are heard to the bit on Linux 6.1", async () => {
  const { scratch, sound, play, heard } = await prepare(10);
  await using _ = scratch;
  const { status, stdout, stderr } = await play("--mmap");
  assertEquals([status, stderr], [0, ""]);
  assertEquals(JSON.parse(stdout).late_refills, 0);
  const bytes = await heard();
  assertEquals(sound.findIndex((byte, i) => byte !== bytes[i]), -1);
});

Deno.test("without --mmap GETCAPS does not claim it there, but for programs known to map", async () => {
  const NOT_CLAIMED = 3;
  {
    const { scratch, play } = await prepare(1);
    await using _ = scratch;
    const { status, stderr } = await play();
    assertEquals(status, NOT_CLAIMED, stderr);
  }
  const { scratch, sound, play, heard } = await prepare(1, "quake3.x86");
  await using _ = scratch;
  const { status, stderr } = await play();
  assertEquals([status, stderr], [0, ""]);
  const bytes = await heard();
  assertEquals(sound.findIndex((byte, i) => byte !== bytes[i]), -1);
});

Deno.test("an open for mapping plays what is written, and its read fails with ENODEV", async () => {
  await using scratch = await Scratch.create();
  const sound = noise(8000, 7);
  await Deno.writeFile(`${scratch.path}/sound`, sound);
  const { status, stdout, stderr } = await runOssp({
    options: [
      ...["--frontend", "fuse", "--mmap", "--log-level", "info"],
      ...["--sink", `raw:${scratch.path}/heard-%n`],
    ],
    command: [
      "perl",
      "-e",
      `open my $dsp, "+<", "/dev/dsp" or die $!;
      open my $file, "<", $ARGV[0]; sysread $file, my $sound, 8000;
      defined sysread $dsp, my $read, 4096 and die "it reads";
      print $! + 0, "\\n";
      for (my $at = 0; $at < 8000; $at += 500) { syswrite $dsp, $sound, 500, $at }`,
      `${scratch.path}/sound`,
    ],
  });
  const ENODEV = 19;
  assertEquals([status, stdout], [0, `${ENODEV}\n`], stderr);
  assert(stderr.includes("can map the device, but not record from it"), stderr);
  assertEquals(await Deno.readFile(`${scratch.path}/heard-1`), sound);
});
