// GStreamer's elements for OSS 4, which look for the devices by SYSINFO and AUDIOINFO, and play and
// record only where OSS_GETVERSION says 4.0.3 or more.

import { assert, assertEquals } from "@std/assert";
import { formatByName } from "../../lib/pcm/format.ts";
import { wavHeader, wavSizes } from "../../lib/pcm/wav.ts";
import { available, noise, readWav, runOssp, Scratch } from "../programs.ts";

const BYTES = 48000 * 4;

async function writeWav(path: string, sound: Uint8Array<ArrayBuffer>): Promise<void> {
  const header = wavHeader(formatByName("s16le")!, 48000, 2);
  wavSizes(header, sound.length);
  await Deno.writeFile(path, header.bytes);
  await Deno.writeFile(path, sound, { append: true });
}

for (const device of [undefined, "/dev/dsp"]) {
  Deno.test(`oss4sink on ${device ?? "the device that it finds"} is heard to the bit`, async () => {
    if (!available("gst-launch-1.0")) return;
    await using scratch = await Scratch.create();
    const { path } = scratch;
    const sound = noise(BYTES, 1);
    await writeWav(`${path}/sound.wav`, sound);
    const sink = device ? ["oss4sink", `device=${device}`] : ["oss4sink"];
    const source = ["filesrc", `location=${path}/sound.wav`, "!", "wavparse"];
    const { status, stderr } = await runOssp({
      options: ["--frontend", "fuse", "--sink", `wav:${path}/heard.wav`],
      command: ["gst-launch-1.0", "-q", ...source, "!", ...sink],
    });
    assertEquals([status, stderr], [0, ""]);
    const heard = (await readWav(`${path}/heard.wav`)).bytes;
    assertEquals(heard.subarray(0, BYTES), sound);
    // Then it plays its own buffer out, of silence.
    assert(heard.subarray(BYTES).every((byte) => byte === 0));
  });
}

Deno.test("oss4src records to the bit", async () => {
  if (!available("gst-launch-1.0")) return;
  await using scratch = await Scratch.create();
  const { path } = scratch;
  const sound = noise(BYTES, 2);
  await writeWav(`${path}/sound.wav`, sound);
  const caps = "audio/x-raw,format=S16LE,rate=48000,channels=2";
  const { status, stderr } = await runOssp({
    options: ["--frontend", "fuse", "--sink", "null", "--source", `wav:${path}/sound.wav`],
    command: [
      ...["gst-launch-1.0", "-q", "oss4src", "num-buffers=30", "!", caps, "!"],
      ...["filesink", `location=${path}/heard`],
    ],
  });
  assertEquals([status, stderr], [0, ""]);
  const heard = await Deno.readFile(`${path}/heard`);
  assert(heard.length >= 30 * 1024, `${heard.length} bytes`);
  assertEquals(heard, Uint8Array.from(heard, (_, i) => sound[i % BYTES]));
});
