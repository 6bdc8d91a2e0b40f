// A disk that stands still: whoever plays to a file on it, or records from one, waits for it, nobody
// else does, and what comes in the end is what was played, or is in the file.

import { assert, assertEquals } from "@std/assert";
import { O_RDWR } from "../../ffi/libc.ts";
import { OssDevice } from "../../lib/cli/oss_device.ts";
import { IOR } from "../../lib/oss/soundcard.ts";
import { noise, writeWav } from "../programs.ts";
import { exists, LACKING, OSSP, Run, samplesOf, Scratch, sleep, until } from "./ossp.ts";

const DISK_MIB = 64;
const STILL_MS = 1500;
// A call's answer: it includes that both processors may have something else to do.
const ANSWER_MS = 50;

const FORMAT = "s32le";
const RATE_HZ = 192_000;
const CHANNELS = 2;
const FRAME_BYTES = 8;
const SECONDS = 3;

async function command(...words: string[]) {
  const { success, stderr } = await new Deno.Command(words[0], { args: words.slice(1) }).output();
  assert(success, `${words.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

/** Has a script stop something, and let it go on after STILL_MS, whatever becomes of us. */
async function standStill(script: string, what: string): Promise<Run> {
  const run = new Run(["sh", "-c", script, what, `${STILL_MS / 1000}`]);
  await run.printed("still");
  return run;
}

/** A file system of its own on a file. */
class Disk implements AsyncDisposable {
  private constructor(readonly path: string) {}

  static async create(scratch: Scratch): Promise<Disk> {
    const image = `${scratch.path}/image`;
    const disk = new Disk(`${scratch.path}/disk`);
    await Deno.mkdir(disk.path);
    await command("truncate", "-s", `${DISK_MIB}M`, image);
    await command("mkfs.ext4", "-q", image);
    await command("mount", "-o", "loop", image, disk.path);
    return disk;
  }

  /** Makes it stand still for STILL_MS; resolves when it does. */
  freeze(): Promise<Run> {
    return standStill('fsfreeze -f "$0" && echo still && sleep "$1"; fsfreeze -u "$0"', this.path);
  }

  async [Symbol.asyncDispose]() {
    await command("umount", this.path);
  }
}

/** The same, read-only, served by a process, which can stand still for readers too. */
class ServedDisk implements AsyncDisposable {
  readonly #server: Run;

  private constructor(readonly path: string, server: Run) {
    this.#server = server;
  }

  /** @param files a folder of what is on it */
  static async create(scratch: Scratch, files: string): Promise<ServedDisk> {
    const [image, path] = [`${scratch.path}/served.image`, `${scratch.path}/served`];
    await Deno.mkdir(path);
    await command("truncate", "-s", `${DISK_MIB}M`, image);
    await command("mkfs.ext4", "-q", "-d", files, image);
    const server = new Run(["fuse2fs", "-f", "-o", "ro", image, path]);
    await until(() => exists(`${path}/lost+found`), "fuse2fs");
    return new ServedDisk(path, server);
  }

  /** Makes it stand still for STILL_MS; resolves when it does. */
  freeze(): Promise<Run> {
    const script = 'kill -STOP "$0" && echo still && sleep "$1"; kill -CONT "$0"';
    return standStill(script, String(this.#server.pid));
  }

  async [Symbol.asyncDispose]() {
    await command("umount", this.path);
    await this.#server[Symbol.asyncDispose]();
  }
}

/** Asks a device something for so long; the longest that an answer took, in milliseconds. */
async function longestAnswerMs(path: string, ms: number): Promise<number> {
  using device = new OssDevice(path, O_RDWR);
  let longestMs = 0;
  for (const endMs = performance.now() + ms; performance.now() < endMs;) {
    const startMs = performance.now();
    device.call("SOUND_MIXER_READ_VOLUME", IOR("M", 0, 4));
    longestMs = Math.max(longestMs, performance.now() - startMs);
    await sleep(1);
  }
  return longestMs;
}

Deno.test({
  name:
    "a disk that stands still is waited for by nobody but its player, and gets all of the sound",
  ignore: LACKING,
  async fn(test) {
    await using scratch = new Scratch();
    await using disk = await Disk.create(scratch);
    const sound = noise(SECONDS * RATE_HZ * FRAME_BYTES, 1);
    const tune = `${scratch.path}/tune`;
    await Deno.writeFile(tune, sound);
    const play = (device: string) => {
      const parameters = ["--format", FORMAT, "--rate", `${RATE_HZ}`, "--channels", `${CHANNELS}`];
      return new Run([...OSSP, "play", "--device", device, ...parameters, tune]);
    };
    const mixed = ["--format", FORMAT, "--rate", `${RATE_HZ}`];
    const sinks: [name: string, options: string[], file: string][] = [
      ["a file a stream", ["--sink", `wav:${disk.path}/%n.wav`], "1.wav"],
      ["a file of all streams", ["--sink", `wav:${disk.path}/all.wav`, ...mixed], "all.wav"],
    ];
    for (const [i, [name, options, file]] of sinks.entries()) {
      await test.step(name, async () => {
        const devices = `${scratch.path}/devices-${i}`;
        await using daemon = Run.ossp(["--dir", devices, ...options]);
        await daemon.printed("serving", "stderr");
        const path = `${disk.path}/${file}`;
        const answers = async () => {
          const longestMs = await longestAnswerMs(`${devices}/mixer`, STILL_MS * 0.8);
          assert(longestMs < ANSWER_MS, `an answer took ${longestMs} ms`);
        };
        // First the file cannot even be made, and then not be written.
        let freeze = await disk.freeze();
        await using player = play(`${devices}/dsp`);
        await answers();
        assert(!exists(path));
        assertEquals(await freeze.end(), 0, freeze.stderr);
        await until(() => exists(path) && Deno.statSync(path).size > 0, "sound");
        freeze = await disk.freeze();
        const { size } = Deno.statSync(path);
        await answers();
        assertEquals(Deno.statSync(path).size, size, "the disk was to stand still");
        assertEquals(await freeze.end(), 0, freeze.stderr);
        assertEquals(await player.end(), 0, player.stderr);
        assertEquals(samplesOf(path), sound);
        daemon.kill("SIGTERM");
        assertEquals(await daemon.end(), 0, daemon.stderr);
      });
    }
  },
});

Deno.test({
  name: "a disk that stands still is waited for by nobody but who records from it",
  ignore: LACKING,
  async fn() {
    await using scratch = new Scratch();
    const sound = noise(2 * SECONDS * RATE_HZ * FRAME_BYTES, 2);
    const files = `${scratch.path}/files`;
    await Deno.mkdir(files);
    const parameters = { format: FORMAT, rateHz: RATE_HZ, channels: CHANNELS };
    await writeWav(`${files}/sound.wav`, { ...parameters, bytes: sound });
    await using disk = await ServedDisk.create(scratch, files);
    const devices = `${scratch.path}/devices`;
    await using daemon = Run.ossp(["--dir", devices, "--source", `wav:${disk.path}/sound.wav`]);
    await daemon.printed("serving", "stderr");
    const take = `${scratch.path}/take.wav`;
    const wanted = ["--format", FORMAT, "--rate", `${RATE_HZ}`, "--channels", `${CHANNELS}`];
    const words = ["record", "--device", `${devices}/dsp`, ...wanted, "--seconds", `${SECONDS}`];
    await using recorder = new Run([...OSSP, ...words, take]);
    await until(() => exists(take) && Deno.statSync(take).size > FRAME_BYTES * RATE_HZ, "sound");
    const freeze = await disk.freeze();
    let longestMs = await longestAnswerMs(`${devices}/mixer`, STILL_MS * 0.6);
    const { size } = Deno.statSync(take);
    longestMs = Math.max(longestMs, await longestAnswerMs(`${devices}/mixer`, STILL_MS * 0.2));
    assert(longestMs < ANSWER_MS, `an answer took ${longestMs} ms`);
    assertEquals(Deno.statSync(take).size, size, "the disk was to stand still");
    assertEquals(await freeze.end(), 0, freeze.stderr);
    assertEquals(await recorder.end(), 0, recorder.stderr);
    const taken = samplesOf(take);
    assertEquals(taken.length, SECONDS * RATE_HZ * FRAME_BYTES);
    assertEquals(taken, sound.subarray(0, taken.length));
    daemon.kill("SIGTERM");
    assertEquals(await daemon.end(), 0, daemon.stderr);
  },
});
