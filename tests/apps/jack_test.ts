// Sound to and from a real JACK server, compared to the bit with what a client of its own hears and
// plays there.

import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { O_RDWR } from "../../ffi/libc.ts";
import { OssDevice } from "../../lib/cli/oss_device.ts";
import { AudioBufInfo, IOR } from "../../lib/oss/soundcard.ts";
import { probe } from "../../lib/server/jack.ts";
import { compile } from "../compile.ts";
import { Run, Scratch, sleep } from "../native/ossp.ts";
import { KERNEL_MAPS, noise, osspWords, readWav, runOssp } from "../programs.ts";
import { type HeardByCard, JackServer } from "./jack_server.ts";
import {
  FRAME_BYTES,
  indexIn,
  missedCycles,
  playWords,
  quote,
  SECOND_BYTES,
  sounding,
  test,
  TRIES,
} from "./jack_sound.ts";

/**
 * How long a call on a device may take, whatever happens behind it: 99 of 100, and any, for the caller
 * too may not be given the processor.
 */
const CALL_LIMIT_MS = 50;
const ANY_CALL_LIMIT_MS = 300;

/** How soon there must be sound again once there can be. */
const BACK_LIMIT_MS = 2000;

/** How long the server is away. */
const AWAY_MS = 700;

/** How long the sound lasts meanwhile, and how much of it is heard before. */
const INTERRUPTED_SECONDS = 8;
const BEFORE_MS = 1200;

/** What is left of what was heard behind one of the sounds; undefined if that is not what comes next. */
function behind(heard: Uint8Array, wanted: Uint8Array): Uint8Array | undefined {
  const first = heard.findIndex((byte) => byte !== 0);
  const start = first - first % FRAME_BYTES;
  return first >= 0 && indexIn(heard.subarray(start, start + wanted.length), wanted) === 0
    ? heard.subarray(start + wanted.length)
    : undefined;
}

/**
 * Has a command play, and asserts that sounds are heard one after the other, each to the bit from its
 * first frame to its last, and nothing else.
 */
async function assertPlayed(
  folder: string,
  sounds: readonly Uint8Array[],
  command: readonly string[],
  cycleFrames?: number,
): Promise<void> {
  for (let left = TRIES - 1;; left--) {
    await using jack = await JackServer.start(folder, { cycleFrames });
    const { status, stderr } = await runOssp({
      options: ["--frontend", "fuse", "--sink", `jack:${jack.name}`, "--log-level", "debug"],
      command,
    });
    assertEquals(status, 0, stderr);
    const heard = await jack.end();
    const xruns = heard.xruns + missedCycles(stderr);
    let rest: Uint8Array | undefined = heard.bytes;
    for (const sound of sounds) rest = rest && behind(rest, sound);
    const after = rest?.findIndex((byte) => byte !== 0);
    // A cycle that is not done in time is heard again.
    if (after !== -1 && xruns > 0 && left > 0) continue;
    assertEquals(after, -1, `not heard as it was played; ${xruns} xruns`);
    return;
  }
}

// By a gate and by a relay (lib/server/jack_client.ts).
for (const cycleFrames of [1024, 256]) {
  const cycles = `in cycles of ${cycleFrames} frames`;
  test(`what is written is heard at the server to the bit, ${cycles}`, () => {
    return assertWrittenIsHeard(cycleFrames);
  });
  test(`what the server records is read to the bit, by two programs at once, ${cycles}`, () => {
    return assertRecordedIsRead(cycleFrames);
  });
}

async function assertWrittenIsHeard(cycleFrames: number): Promise<void> {
  await using scratch = new Scratch();
  const place = (name: string) => `${scratch.path}/${name}`;
  const stereo = noise(1.5 * SECOND_BYTES, 1);
  const mono = noise(0.25 * SECOND_BYTES, 2);
  const short = noise(100 * FRAME_BYTES, 3); // less than a cycle
  await Deno.writeFile(place("stereo"), stereo);
  await Deno.writeFile(place("mono"), mono);
  await Deno.writeFile(place("short"), short);
  const samples = new Int16Array(mono.buffer, 0, mono.length / 2);
  const both = Int16Array.from({ length: 2 * samples.length }, (_, i) => samples[i >> 1]);
  const players = [
    playWords(place("stereo")),
    playWords(place("mono"), "/dev/dsp", 1),
    playWords(place("short")),
  ];
  const sounds = [stereo, new Uint8Array(both.buffer), short];
  const command = ["sh", "-c", players.map(quote).join(" && ")];
  await assertPlayed(scratch.path, sounds, command, cycleFrames);
}

for (const cycleFrames of [1024, 256]) {
  const cycles = `in cycles of ${cycleFrames} frames`;
  test(`an ossp that ends in the middle of a sound is silent from then on, ${cycles}`, async () => {
    for (let left = TRIES - 1;; left--) {
      await using scratch = new Scratch();
      await using jack = await JackServer.start(scratch.path, { cycleFrames });
      const [file, devices] = [`${scratch.path}/sound`, `${scratch.path}/dev`];
      const sound = noise(5 * SECOND_BYTES, 8);
      await Deno.writeFile(file, sound);
      const sink = ["--sink", `jack:${jack.name}`, "--log-level", "debug"];
      await using ossp = Run.ossp(["--dir", devices, ...sink]);
      await ossp.printed("serving", "stderr");
      await using _player = new Run(playWords(file, `${devices}/dsp`));
      await jack.hears();
      await sleep(BEFORE_MS);
      ossp.kill("SIGTERM");
      await ossp.end();
      await sleep(AWAY_MS);
      const heard = await jack.end();
      const xruns = heard.xruns + missedCycles(ossp.stderr);
      const at = indexIn(sound, sounding(heard.bytes));
      if (at !== 0 && xruns > 0 && left > 0) continue;
      assertEquals(at, 0, `something else was heard; ${xruns} xruns`);
      return;
    }
  });
}

test("what a program puts into a mapping is heard at the server to the bit", async () => {
  await using scratch = new Scratch();
  const client = await compile("native/mmap_client.c", scratch.path);
  const file = `${scratch.path}/sound`;
  const sound = noise(1.5 * SECOND_BYTES, 4);
  await Deno.writeFile(file, sound);
  // It ends when the pointer is at the file's end, which drops what is still on its way then.
  await Deno.writeFile(file, new Uint8Array(0.5 * SECOND_BYTES), { append: true });
  const ring = ["S16_LE", "48000", "2", "11", "16"];
  await assertPlayed(scratch.path, [sound], [client, "/dev/dsp", ...ring, file]);
}, !KERNEL_MAPS);

async function assertRecordedIsRead(cycleFrames: number): Promise<void> {
  await using scratch = new Scratch();
  const sound = noise(2.5 * SECOND_BYTES, 5);
  const source = `${scratch.path}/source`;
  const floats = Float32Array.from(new Int16Array(sound.buffer), (sample) => sample / 32768);
  await Deno.writeFile(source, new Uint8Array(floats.buffer));
  const twice = Buffer.concat([sound, sound]);
  for (let left = TRIES - 1;; left--) {
    await using jack = await JackServer.start(scratch.path, { source, cycleFrames });
    const recorder = (name: string) =>
      quote([
        ...[...osspWords(), "record", "--seconds", "1", "--format", "s16le"],
        `${scratch.path}/${name}`,
      ]);
    const { status, stderr } = await runOssp({
      options: ["--frontend", "fuse", "--source", `jack:${jack.name}`],
      command: ["sh", "-c", `${recorder("a.wav")} & ${recorder("b.wav")}; wait $!`],
    });
    assertEquals([status, stderr], [0, ""]);
    const { xruns } = await jack.end();
    const takes = [await readWav(`${scratch.path}/a.wav`), await readWav(`${scratch.path}/b.wav`)];
    for (const { bytes } of takes) assertEquals(bytes.length, SECOND_BYTES);
    const areExact = takes.every(({ bytes }) => indexIn(twice, bytes) >= 0);
    if (!areExact && xruns > 0 && left > 0) continue;
    assert(areExact);
    return;
  }
}

/** A run on which a sound is played while the server is away for a time. */
class Interrupted implements AsyncDisposable {
  readonly sound = noise(INTERRUPTED_SECONDS * SECOND_BYTES, 6);
  readonly #run: Run;
  readonly #device: string;
  readonly #player: Run;
  readonly #callsMs: Promise<number[]>;
  #goesOn = true;

  private constructor(folder: string, run: Run) {
    this.#run = run;
    this.#device = `${folder}/dev/dsp`;
    this.#player = new Run(playWords(`${folder}/sound`, this.#device));
    this.#callsMs = this.#callAlways();
  }

  static async start(scratch: Scratch, jack: JackServer): Promise<Interrupted> {
    const sink = ["--sink", `jack:${jack.name}`];
    const run = Run.ossp(["--dir", `${scratch.path}/dev`, "--log-level", "info", ...sink]);
    await run.printed("serving", "stderr");
    await Deno.writeFile(`${scratch.path}/sound`, noise(INTERRUPTED_SECONDS * SECOND_BYTES, 6));
    return new Interrupted(scratch.path, run);
  }

  // A second open: what it asks has nothing to do with the server.
  async #callAlways(): Promise<number[]> {
    const callsMs: number[] = [];
    using device = new OssDevice(this.#device, O_RDWR);
    while (this.#goesOn) {
      const startMs = performance.now();
      device.call("SNDCTL_DSP_GETOSPACE", IOR("P", 12, AudioBufInfo.$size));
      callsMs.push(performance.now() - startMs);
      await sleep(5);
    }
    return callsMs.sort((a, b) => a - b);
  }

  /** Waits for a line of the log. */
  async logged(text: string): Promise<void> {
    await this.#run.printed(text, "stderr");
  }

  /** Asserts that the program has noticed nothing, and that the log has what it should. */
  async assertUnnoticed(why: string): Promise<void> {
    assertEquals([await this.#player.end(), this.#player.stderr], [0, ""]);
    this.#goesOn = false;
    const callsMs = await this.#callsMs;
    const [most, any] = [callsMs[Math.floor(callsMs.length * 0.99)], callsMs.at(-1)!];
    assert(most < CALL_LIMIT_MS && any < ANY_CALL_LIMIT_MS, `calls took ${most} and ${any} ms`);
    this.#run.kill("SIGTERM");
    await this.#run.end();
    const lines = this.#run.stderr.split("\n").filter((line) => line.includes("jack:"));
    assertEquals(lines.length, 2, this.#run.stderr);
    assert(lines[0].includes(why) && lines[1].includes("there again"), this.#run.stderr);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#goesOn = false;
    await this.#player[Symbol.asyncDispose]();
    await this.#run[Symbol.asyncDispose]();
  }
}

/** Asserts that from soon after a time on what is heard is the rest of the sound, to its end. */
function assertBack({ bytes, cycles, xruns }: HeardByCard, sinceMs: number, sound: Uint8Array) {
  const from = cycles.find(({ atMs }) => atMs >= sinceMs)!.frame * FRAME_BYTES;
  const first = bytes.findIndex((byte, at) => byte !== 0 && at >= from);
  assert(first >= 0, "nothing was heard any more");
  const backMs = (first - from) / SECOND_BYTES * 1000;
  assert(backMs < BACK_LIMIT_MS, `sound after ${backMs} ms`);
  const rest = sounding(bytes.subarray(from));
  // Where it has just come back there may be another gap.
  const tail = xruns > 0 ? rest.subarray(-SECOND_BYTES / 2) : rest.subarray(-SECOND_BYTES);
  assertEquals(indexIn(sound, tail), sound.length - tail.length);
}

for (const [how, signal] of [["is killed", "SIGKILL"], ["shuts down", "SIGTERM"]] as const) {
  test(`a server that ${how} is waited for, and heard again when it is back`, async () => {
    await using scratch = new Scratch();
    await using jack = await JackServer.start(scratch.path);
    await using run = await Interrupted.start(scratch, jack);
    await jack.hears();
    await sleep(BEFORE_MS);
    const before = await jack.kill(signal);
    assert(indexIn(run.sound, sounding(before.bytes).subarray(0, SECOND_BYTES / 4)) === 0);
    await sleep(AWAY_MS);
    await jack.restart();
    await run.assertUnnoticed("has gone");
    assertBack(await jack.end(), 0, run.sound);
  });
}

test("a stopped server is waited for, and heard again when it goes on", async () => {
  await using scratch = new Scratch();
  await using jack = await JackServer.start(scratch.path);
  await using run = await Interrupted.start(scratch, jack);
  await jack.hears();
  await sleep(BEFORE_MS);
  jack.signal("SIGSTOP");
  await sleep(AWAY_MS);
  const sinceMs = Date.now();
  jack.signal("SIGCONT");
  await run.assertUnnoticed("does not answer");
  assertBack(await jack.end(), sinceMs, run.sound);
});

test("the first streams wait for a server that comes later", async () => {
  for (let left = TRIES - 1;; left--) {
    await using scratch = new Scratch();
    await using jack = await JackServer.start(scratch.path);
    await jack.kill();
    assert(probe(jack.name)?.includes(jack.name));
    await using run = await Interrupted.start(scratch, jack);
    await run.logged("is not there");
    await jack.restart();
    assertEquals(probe(jack.name), undefined);
    await run.assertUnnoticed("is not there");
    const heard = await jack.end();
    try {
      return assertBack(heard, 0, run.sound);
    } catch (error) {
      // A cycle that the server itself had no time for is not heard.
      if (heard.xruns === 0 || left === 0) throw error;
    }
  }
});

test("--jack-connect says which ports a program is heard at", async () => {
  await using scratch = new Scratch();
  const mono = noise(SECOND_BYTES / 4, 8);
  await Deno.writeFile(`${scratch.path}/sound`, mono);
  const samples = new Int16Array(mono.buffer, 0, mono.length / 2);
  const right = Int16Array.from({ length: 2 * samples.length }, (_, i) => i % 2 && samples[i >> 1]);
  for (let left = TRIES - 1;; left--) {
    await using jack = await JackServer.start(scratch.path);
    for (const ports of ["none", "^card:playback_2$"]) {
      const { status, stderr } = await runOssp({
        options: ["--frontend", "fuse", "--sink", `jack:${jack.name}`, "--jack-connect", ports],
        command: playWords(`${scratch.path}/sound`, "/dev/dsp", 1),
      });
      assertEquals([status, stderr], [0, ""]);
    }
    const { bytes, xruns } = await jack.end();
    assertEquals(bytes.find((byte, i) => i % FRAME_BYTES < 2 && byte !== 0), undefined);
    const rest = behind(bytes, new Uint8Array(right.buffer));
    if (!rest && xruns > 0 && left > 0) continue;
    assert(rest, `not heard on the right; ${xruns} xruns`);
    return;
  }
});
