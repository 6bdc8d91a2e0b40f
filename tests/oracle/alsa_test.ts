// ossp on an ALSA card: snd-aloop, which brings what is played on one end out of the other.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { noise, writeWav } from "../programs.ts";
import { bootQemu, qemuMissing } from "./qemu.ts";

const TIMEOUT_SECONDS = 150;

const SOUND = { format: "s16le", rateHz: 48000, channels: 2 } as const;
const ALSA_SOUND = "-t raw -f S16_LE -r 48000 -c 2 --buffer-time=2000000";

// Where a card is unplugged and plugged in.
const DRIVER = "/sys/bus/platform/drivers/snd_aloop";

/** How soon there must be sound again once there can be. */
const BACK_LIMIT_MS = 2500;

// sox's OSS driver wants whole blocks.
const BLOCK = 16384;

/** Noise in one byte of each sample, none of it 0, and 0 in the other. */
function halfNoise(bytes: number, seed: number, half: 0 | 1): Uint8Array<ArrayBuffer> {
  const mask = half === 0 ? 0x7f : 0xff;
  return noise(bytes, seed).map((byte, i) => i % 2 === half ? byte & mask || 1 : 0);
}

/** The bytes of one half of the samples that are not 0. */
function heardOf(samples: Uint8Array, half: 0 | 1): Uint8Array {
  return samples.filter((byte, i) => i % 2 === half && byte !== 0);
}

Deno.test({
  name:
    "a card plays to the bit, alone and two programs at once, records to the bit, and comes back",
  ignore: qemuMissing() !== undefined && Deno.env.get("CI") !== "true",
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "ossp-" });
    try {
      const warm = noise(8 * BLOCK, 1);
      const alone = noise(24 * BLOCK, 2);
      const together = [halfNoise(24 * BLOCK, 3, 0), halfNoise(24 * BLOCK, 4, 1)];
      const long = noise(80 * BLOCK, 5);
      for (const [i, bytes] of [warm, alone, ...together, long].entries()) {
        await writeWav(`${folder}/${i}.wav`, { ...SOUND, bytes });
      }
      const source = noise(20 * 48000 * 4, 6);
      await Deno.writeFile(`${folder}/source`, source);
      const play = (i: number) => `sox -q ${i}.wav -t oss /dev/dsp`;
      // The first sound is for the emulated machine, slow until it has seen all of our code.
      const programs = `
        ${play(0)}; ${play(1)}; ${play(2)} & ${play(3)}; wait
        aplay -q -D hw:Loopback,0,1 ${ALSA_SOUND} source & pid=$!
        sox -q -t oss -r 48000 -c 2 -b 16 -e signed /dev/dsp -t raw recorded trim 0 2; kill $pid
        ${play(4)} & pid=$!; sleep 3; echo snd_aloop.0 >${DRIVER}/unbind
        sleep 1; echo snd_aloop.0 >${DRIVER}/bind; echo bound; wait $pid`;
      const times = new Map<string, number>();
      const { status, output } = await bootQemu({
        script: `repository=$PWD; cd ${folder}
          arecord -q -D hw:Loopback,1,0 ${ALSA_SOUND} heard 2>/dev/null &
          deno run -A $repository/main.ts run --frontend fuse --log-level debug \\
            --sink alsa:hw:Loopback,0,0 --source alsa:hw:Loopback,1,1 -- sh -c '${programs}'`,
        folders: [folder],
        timeoutSeconds: TIMEOUT_SECONDS,
        onLine: (line) => times.set(line, performance.now()),
      });
      assertEquals(status, 0, output);

      const heard = await Deno.readFile(`${folder}/heard`);
      const place = Buffer.from(heard.buffer).indexOf(alone);
      assert(place >= 0, output);
      // The machine may be too slow for the card here and there, which is then silent for a while.
      const rest = heard.subarray(place + alone.length);
      for (const half of [0, 1] as const) {
        const wanted = heardOf(together[half], half);
        const length = wanted.length;
        assertEquals(heardOf(rest, half).subarray(0, length), wanted, output);
      }
      const recorded = await Deno.readFile(`${folder}/recorded`);
      assertEquals(recorded.length, 2 * 48000 * 4);
      assert(Buffer.from(source.buffer).indexOf(recorded) >= 0, output);

      // The second of the two at once was added to the first.
      const before = output.slice(0, output.indexOf("Loopback,1,1"));
      assertEquals(before.match(/ is open for sox: s16le 48000 Hz × 2$/gm)?.length, 3, output);
      assertMatch(output, /Loopback,0,0 is lost: .*No such device$/m);
      const [bound, back] = ["bound", "ossp: alsa: hw:Loopback,0,0 is back"];
      const backMs = times.get(back)! - times.get(bound)!;
      assert(backMs < BACK_LIMIT_MS, `${backMs} ms: ${output}`);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
