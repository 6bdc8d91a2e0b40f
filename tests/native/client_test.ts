// What a client sees of the devices: its blocked calls under signals, its polls, its descriptors
// shared and closed, and its sound in the file behind. The cases are client.c's.

import { assert, assertEquals } from "@std/assert";
import { assertPattern, exists, isTrue, LACKING, Run, samplesOf, Scratch, until } from "./ossp.ts";

const CASES = [
  "interrupted_write",
  "interrupted_without_progress",
  "nonblocking_write",
  "full_buffer",
  "wait_for_room",
  "shared_descriptors",
  "closed_copy",
  "opener_ends",
  "two_writers",
  "close_drains",
  "sync_drains",
  "reset_drops",
  "killed_in_close",
  "killed_in_sync",
  "killed_in_write",
  "killed_elsewhere",
  "terminated_in_write",
];

const WAV_HEADER_BYTES = 44;

// As many clients at once as leave their times alone on two processors.
const AT_ONCE = 4;

Deno.test({
  name: "clients",
  ignore: LACKING,
  async fn(test) {
    await using scratch = new Scratch();
    const client = await scratch.client();
    const heard = `${scratch.path}/%c.wav`;
    const devices = `${scratch.path}/devices`;
    await using daemon = Run.ossp(["--dir", devices, "--sink", `wav:${heard}`]);
    await daemon.printed("serving", "stderr");

    // The file is called after the program, so each case runs under a name of its own.
    const play = async (name: string, i: number) => {
      await Deno.symlink(client, `${scratch.path}/case-${i}`);
      await using run = new Run([`${scratch.path}/case-${i}`, name, `${devices}/dsp`]);
      assertEquals([await run.end(), run.stderr], [0, ""], run.stdout);
      const bytes = Number(run.stdout.trimEnd().split("\n").at(-1));
      const file = `${scratch.path}/case-${i}.wav`;
      // Whoever closes last but has not opened the device does not wait for the sound.
      await until(
        () => Deno.statSync(file).size >= WAV_HEADER_BYTES + bytes && isTrue(file),
        "the rest of the sound",
      );
      const samples = samplesOf(file);
      if (name !== "two_writers") assertPattern(samples);
      if (bytes >= 0) assertEquals(samples.length, bytes);
    };
    const waiting = [...CASES.entries()];
    const worker = async () => {
      for (let next; (next = waiting.shift());) {
        const [i, name] = next;
        await test.step({
          name: name.replaceAll("_", " "),
          fn: () => play(name, i),
          sanitizeOps: false,
          sanitizeResources: false,
          sanitizeExit: false,
        });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));

    await test.step("what a shell redirects is one stream without a pause", async () => {
      const sound = new Uint8Array(4096).map((_, i) => i ^ i >> 8);
      await Deno.writeFile(`${scratch.path}/a`, sound.subarray(0, 2048)); // the buffer: 256 ms
      await Deno.writeFile(`${scratch.path}/b`, sound.subarray(2048));
      const script = `(cat a; touch between; cat b) > ${devices}/dsp`;
      await using run = new Run(["sh", "-c", script], { cwd: scratch.path });
      await until(() => exists(`${scratch.path}/between`), "the end of the first cat");
      const startMs = performance.now();
      assertEquals(await run.end(), 0);
      // Had the first cat waited for its sound, only the second one's would be left.
      assert(performance.now() - startMs > 400, `${performance.now() - startMs} ms`);
      assertEquals(samplesOf(`${scratch.path}/sh.wav`), sound);
    });

    await test.step("the PCM volume scales what follows, by its cube", async () => {
      await Deno.symlink(client, `${scratch.path}/mixer`);
      await using run = new Run([`${scratch.path}/mixer`, "mixer", `${devices}/dsp`]);
      assertEquals(await run.end(), 0, run.stdout);
      const samples = new Int16Array(samplesOf(`${scratch.path}/mixer.wav`).buffer);
      const levels = [...samples].map((sample, i) => i % 2 === 0 ? sample : -sample);
      assertEquals(levels.length, 16000);
      assert(levels.slice(0, 8000).every((level) => level === 8000));
      assert(levels.slice(8000).every((level) => level === 1000));
    });

    daemon.kill("SIGTERM");
    assertEquals(await daemon.end(), 0, daemon.stderr);
  },
});
