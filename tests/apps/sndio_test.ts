// Sound through sndiod, a real one: what is played arrives to the bit, at the server's own tool and at
// its card; what the server has is recorded; and whatever becomes of it, programs notice nothing.

import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { compile } from "../compile.ts";
import { LACKING, OSSP, Run, Scratch, sleep, until } from "../native/ossp.ts";
import { available, KERNEL_MAPS, noise, writeWav } from "../programs.ts";
import { Sndiod } from "./sndio.ts";
import { CARD_SOUND, ROUND_MS } from "./sndio_card.ts";

/** sox's OSS driver takes whole blocks of 16 KiB. */
const TAKE_BYTES = 20 * 16384;

const FRAME_BYTES = 4;

const MOST_TAKES = 4;

const PATIENCE_MS = 10_000;

/** How long a server is away. */
const AWAY_MS = 800;

/** How soon a server that has come back must be heard. */
const BACK_MS = 2000;

/** What is heard reaches a recorder's file by then, and a recording has begun. */
const RECORDER_MS = 400;

/** Less than a call takes that waits for a server that is away. Others may have to wait for the
 * processor. */
const BLOCKED_MS = 500;

/** What aucat is told of the sound: the card's. */
const AS_CARD = ["-e", "s16", "-c", "0:1", "-r", "48000"];

function ossp(sndiod: Sndiod, options: readonly string[], command: readonly string[]): Run {
  return Run.ossp(["--log-level", "info", ...options, "--", ...command], { env: sndiod.env });
}

/** Where a sound begins in what was heard. */
function indexOf(heard: Uint8Array, sound: Uint8Array): number {
  return Buffer.from(heard.buffer, heard.byteOffset, heard.length).indexOf(sound);
}

/** What was heard without the frames of silence: the sounds here have none. */
function withoutSilence(heard: Uint8Array<ArrayBuffer>): Uint8Array {
  const frames = new Uint32Array(heard.buffer, heard.byteOffset, heard.length / FRAME_BYTES);
  return new Uint8Array(frames.filter((frame) => frame !== 0).buffer);
}

/** Asserts that a sound was heard to the bit, and nothing else but silence. */
function assertHeard(heard: Uint8Array<ArrayBuffer>, sound: Uint8Array): void {
  const sounding = withoutSilence(heard);
  const wrong = sound.findIndex((byte, i) => byte !== sounding[i]);
  assertEquals(wrong, -1, "the first byte that is not the sound's");
  assertEquals(sounding.length, sound.length);
}

/**
 * Plays or records until it is heard in one piece: who is not given the processor in time leaves a
 * gap in the sound, or takes the server for lost. Nothing else may ever be wrong with it.
 *
 * @param take returns what was heard, undefined if the server was taken for lost
 */
async function assertHeardWhole(
  take: () => Promise<Uint8Array<ArrayBuffer> | undefined>,
  sound: Uint8Array,
): Promise<void> {
  for (let takes = 1;; takes++) {
    const heard = await take();
    if (heard) assertHeard(heard, sound);
    if (heard && indexOf(heard, sound) >= 0) return;
    assert(takes < MOST_TAKES, `${takes} takes, and all of them have gaps`);
  }
}

/** Lines of ossp's log that are about the server. */
function told(run: Run): string[] {
  return run.stderr.split("\n").filter((line) => line.includes("sndio:"));
}

/** A test with a sndiod that runs. */
function test(
  name: string,
  fn: (sndiod: Sndiod, folder: string) => Promise<void>,
  needs: { mapping?: boolean } = {},
): void {
  Deno.test({
    name,
    ignore: LACKING || (needs.mapping && !KERNEL_MAPS),
    async fn() {
      if (!available("sndiod", "aucat", "sox", "setpriv")) return;
      await using scratch = new Scratch();
      await using sndiod = Sndiod.create(scratch.path);
      await sndiod.start();
      await fn(sndiod, scratch.path);
    },
  });
}

test("what is played is recorded by sndiod's own tool to the bit", async (sndiod, folder) => {
  const sound = { ...CARD_SOUND, bytes: noise(TAKE_BYTES, 1) };
  await writeWav(`${folder}/take.wav`, sound);
  const taken = `${folder}/taken.raw`;
  const sox = ["sox", "-q", `${folder}/take.wav`, "-t", "oss", "/dev/dsp"];
  await assertHeardWhole(async () => {
    sndiod.card.heard.length = 0;
    await using recorder = sndiod.client(
      ...["aucat", "-f", sndiod.device("mon"), ...AS_CARD, "-h", "raw", "-o", taken],
    );
    await until(() => sndiod.card.heard.length > 0, "the recorder's start");
    await using run = ossp(sndiod, ["--sink", `sndio:${sndiod.device()}`], sox);
    assertEquals(await run.end(), 0, run.stderr);
    await sleep(RECORDER_MS);
    recorder.kill("SIGINT");
    await recorder.end();
    return told(run).length > 0 ? undefined : await Deno.readFile(taken);
  }, sound.bytes);
  assertHeard(sndiod.card.bytes, sound.bytes);
  assert(sndiod.log.includes("sox0: 48000Hz, s16le, play 0:1"), sndiod.log);
});

test("a mapping is heard at sndiod to the bit", async (sndiod, folder) => {
  const client = await compile("native/mmap_client.c", folder);
  const sound = noise(48000 * FRAME_BYTES, 2);
  await Deno.writeFile(`${folder}/sound`, sound);
  const command = [client, "/dev/dsp", "S16_LE", "48000", "2", "12", "16", `${folder}/sound`];
  await assertHeardWhole(async () => {
    sndiod.card.heard.length = 0;
    await using run = ossp(sndiod, ["--sink", `sndio:${sndiod.device()}`], command);
    assertEquals(await run.end(), 0, run.stderr);
    if (told(run).length > 0) return undefined;
    // What follows is what lay in the ring.
    const { bytes } = sndiod.card;
    const last = indexOf(bytes, sound.subarray(-64));
    assert(last >= 0, "the last of the sound is not heard");
    return bytes.slice(0, last + 64);
  }, sound);
}, { mapping: true });

test("what sndiod has is recorded to the bit", async (sndiod, folder) => {
  const sound = noise(48000 * FRAME_BYTES, 3);
  await Deno.writeFile(`${folder}/sound.raw`, sound);
  const record = [
    ...["sox", "-q", "-t", "oss", "-e", "signed", "-b", "16", "-c", "2", "-r", "48000"],
    ...["/dev/dsp", `${folder}/taken.raw`, "trim", "0", "3"],
  ];
  await assertHeardWhole(async () => {
    sndiod.card.heard.length = 0;
    await using run = ossp(sndiod, ["--source", `sndio:${sndiod.device("mon")}`], record);
    await until(() => sndiod.card.heard.length > 0, "the recording's start");
    await sleep(RECORDER_MS);
    await using player = sndiod.client(
      ...["aucat", "-f", sndiod.device(), ...AS_CARD, "-h", "raw", "-i", `${folder}/sound.raw`],
    );
    assertEquals([await player.end(), await run.end()], [0, 0], run.stderr);
    return told(run).length > 0 ? undefined : await Deno.readFile(`${folder}/taken.raw`);
  }, sound);
});

test("who plays what he records keeps step with a card that is slower than the source", async (
  sndiod,
  folder,
) => {
  const [seconds, settled, slowPpm] = [30, 6, 900];
  const client = await compile("apps/duplex_client.c", folder);
  sndiod.card.roundMs = ROUND_MS * (1 + slowPpm / 1e6);
  const ways = ["--sink", `sndio:${sndiod.device()}`, "--source", "tone:440"];
  await using run = ossp(sndiod, ways, [client, "/dev/dsp", String(seconds)]);
  assertEquals(await run.end(), 0, run.stderr);
  const ahead: number[] = JSON.parse(run.stdout);
  const drift = slowPpm / 1e6 * (seconds - settled) * CARD_SOUND.rateHz;
  const gained = ahead.at(-1)! - ahead[settled - 1];
  assert(Math.abs(gained) < drift * 0.7, `${drift} frames of drift: ${run.stdout}`);
});

/** Plays steadily while something happens to the server; asserts that it is heard before and after. */
async function playThrough(
  sndiod: Sndiod,
  folder: string,
  happens: (heard: () => number) => Promise<void>,
): Promise<void> {
  const client = await compile("apps/steady_client.c", folder);
  const sound = noise(30 * 48000 * 4, 4);
  await Deno.writeFile(`${folder}/sound`, sound);
  await using run = ossp(sndiod, ["--sink", `sndio:${sndiod.device()}`], [
    ...[client, "/dev/dsp", `${folder}/sound`, "5000"],
  ]);
  const sounding = () => sndiod.card.heard.filter(({ bytes }) => bytes.some((byte) => byte !== 0));
  await until(() => sounding().length > 20, "the sound");
  await happens(() => sounding().length);
  assertEquals(await run.end(), 0, run.stderr);
  const { calls, slow_calls: slow, worst_call_ms: worstMs } = JSON.parse(run.stdout);
  assert(slow < calls / 100 && worstMs < BLOCKED_MS, run.stdout);
  assertEquals(told(run).length, 2, run.stderr);
  assert(told(run)[1].endsWith("sndio: it is back"), run.stderr);
  const late = sounding().at(-20)!;
  assert(indexOf(sound, late.bytes) > 0, "what is heard at last is not the sound");
}

async function heardAgain(rounds: () => number): Promise<void> {
  const before = rounds();
  await until(() => rounds() > before, "sound from the server that is back", BACK_MS);
}

test("sndiod is killed and started again, and the program plays on", async (sndiod, folder) => {
  await playThrough(sndiod, folder, async (rounds) => {
    await sndiod.kill();
    await sleep(AWAY_MS);
    await sndiod.start();
    await heardAgain(rounds);
  });
});

test("sndiod stands still and goes on, and so does the program", async (sndiod, folder) => {
  await playThrough(sndiod, folder, async (rounds) => {
    sndiod.signal("SIGSTOP");
    await sleep(AWAY_MS);
    sndiod.signal("SIGCONT");
    await heardAgain(rounds);
  });
});

test("programs play and record before there is a sndiod", async (sndiod, folder) => {
  await sndiod.kill();
  await Deno.writeFile(`${folder}/sound`, noise(4000, 5));
  const programs =
    `cat ${folder}/sound >/dev/dsp; head -c 4000 /dev/dsp | od -v -A n -t x1 -w1 | uniq`;
  const server = `sndio:${sndiod.device()}`;
  const startMs = performance.now();
  await using run = ossp(sndiod, ["--sink", server, "--source", server], ["sh", "-c", programs]);
  assertEquals([await run.end(), run.stdout], [0, " 80\n"], run.stderr);
  assert(performance.now() - startMs < PATIENCE_MS);
  assertEquals(told(run).length, 1, run.stderr);
});

test("auto and doctor find sndiod where there is nothing else", async (sndiod, folder) => {
  const env = {
    ...sndiod.env,
    XDG_RUNTIME_DIR: folder,
    PULSE_SERVER: `unix:${folder}/pulse`,
    DBUS_SESSION_BUS_ADDRESS: "disabled:",
    JACK_DEFAULT_SERVER: `none-${crypto.randomUUID()}`,
    ALSA_CONFIG_PATH: `${folder}/asoundrc`,
    AUDIODEVICE: sndiod.device(),
  };
  await Deno.writeTextFile(env.ALSA_CONFIG_PATH, "");
  await using doctor = new Run([...OSSP, "doctor"], { env });
  assertEquals(await doctor.end(), 0, doctor.stdout);
  const sound = noise(TAKE_BYTES, 6);
  await writeWav(`${folder}/take.wav`, { ...CARD_SOUND, bytes: sound });
  const sox = ["sox", "-q", `${folder}/take.wav`, "-t", "oss", "/dev/dsp"];
  await assertHeardWhole(async () => {
    sndiod.card.heard.length = 0;
    await using run = Run.ossp(["--log-level", "info", "--sink", "auto", "--", ...sox], { env });
    assertEquals(await run.end(), 0, run.stderr);
    assert(run.stderr.includes("sound goes by sndio"), run.stderr);
    return told(run).length > 0 ? undefined : sndiod.card.bytes;
  }, sound);
});
