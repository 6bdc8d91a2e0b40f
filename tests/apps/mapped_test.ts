// A real program that maps the device and never writes: whatever plays through SDL 1.2's dma driver.

import { assert, assertEquals } from "@std/assert";
import { available, KERNEL_MAPS, readWav, runOssp, Scratch } from "../programs.ts";

const FRAME_BYTES = 4;

/** The sound from its first frame that is not silent. */
function fromFirstSound(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0);
  assert(first >= 0, "nothing was heard");
  return bytes.subarray(first - first % FRAME_BYTES);
}

Deno.test({
  name: "plaympeg through SDL's dma driver is heard to the bit",
  ignore: !KERNEL_MAPS,
  fn: plaympeg,
});

async function plaympeg(): Promise<void> {
  if (!available("plaympeg", "ffmpeg")) return;
  await using scratch = await Scratch.create();
  const place = (name: string) => `${scratch.path}/${name}`;
  const tone = ["-f", "lavfi", "-i", "aevalsrc=0.5*sin(2000*t*t)|0.4*sin(3000*t):s=48000:d=3"];
  const encoded = await new Deno.Command("ffmpeg", {
    args: ["-v", "error", ...tone, "-b:a", "128k", place("tone.mp3")],
  }).output();
  assertEquals(new TextDecoder().decode(encoded.stderr), "");

  // SDL's disk driver writes what a device would be given.
  const player = ["plaympeg", "--novideo", place("tone.mp3")];
  await new Deno.Command(player[0], {
    args: player.slice(1),
    env: {
      SDL_AUDIODRIVER: "disk",
      SDL_DISKAUDIOFILE: place("wanted"),
      SDL_DISKAUDIODELAY: "10",
    },
  }).output();
  const { status } = await runOssp({
    options: ["--frontend", "fuse", "--sink", `wav:${place("heard.wav")}-%n`],
    command: player,
    env: { SDL_AUDIODRIVER: "dma" },
  });
  assertEquals(status, 0);

  const sound = await readWav(`${place("heard.wav")}-1`);
  assertEquals([sound.format, sound.rateHz, sound.channels], ["s16le", 48000, 2]);
  const heard = fromFirstSound(sound.bytes);
  const wanted = fromFirstSound(await Deno.readFile(place("wanted")));
  // It stops when it has decoded the last frame, not when that is heard: SDL 1.2 drops its buffers.
  const end = heard.findLastIndex((byte) => byte !== 0) + 1;
  assert(end > 2.5 * 48000 * FRAME_BYTES, `${end} bytes were heard`);
  const same = heard.findIndex((byte, i) => byte !== wanted[i] && i < end);
  assertEquals(same, -1);
}
