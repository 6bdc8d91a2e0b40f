// Tones of 44.1 kHz through a device, at servers that are at 48 kHz: whoever resamples them, what the
// server's own tool hears, and what a program records, is the tone and hardly anything else.

import { assert, assertEquals, assertGreaterOrEqual } from "@std/assert";
import { Run, Scratch, sleep, until } from "../native/ossp.ts";
import { available, osspWords, readWav } from "../programs.ts";
import { snr } from "../snr.ts";
import { JackServer } from "./jack_server.ts";
import { PulseServer, SERVER_KINDS } from "./pulse_server.ts";
import { Sndiod } from "./sndio.ts";

const FROM_HZ = 44100;
const TO_HZ = 48000;
const CHANNELS = 2;
const SECONDS = 2;

/** What is left out at both ends, where the tone begins and ends. */
const EDGE_SECONDS = 0.4;

const LEAST_DB = 100;

/** Where the converters differ most: at the upper end of what is heard. */
const TONES_HZ = [1000, 18_000];

/** Who is not given the processor in time leaves a gap in the tone. */
const TRIES = 4;

const SAMPLE_SCALE = 2 ** 31;

/** A tone in stereo, of half of full scale. */
function tone(toneHz: number, rateHz: number, seconds: number): Float64Array<ArrayBuffer> {
  return Float64Array.from({ length: rateHz * seconds * CHANNELS }, (_, i) => {
    const frame = Math.floor(i / CHANNELS);
    return Math.sin(2 * Math.PI * toneHz * frame / rateHz) / 2;
  });
}

/** The same as S32: 16 bits would not hold what is asked for. */
function toneBytes(toneHz: number, rateHz: number, seconds: number): Uint8Array<ArrayBuffer> {
  const samples = tone(toneHz, rateHz, seconds).map((sample) => SAMPLE_SCALE * sample);
  return new Uint8Array(Int32Array.from(samples).buffer);
}

const asSamples = (bytes: Uint8Array<ArrayBuffer>) =>
  new Int32Array(bytes.buffer, 0, bytes.length >> 2);

type Samples = Int32Array<ArrayBuffer> | Float32Array<ArrayBuffer>;

/** The signal to noise of what was heard, in stereo, between the tone's two edges. */
function heardSnr(samples: Samples, toneHz: number, rateHz: number): number {
  const left = samples.filter((_, i) => i % CHANNELS === 0);
  const first = left.findIndex((sample) => sample !== 0);
  const last = left.findLastIndex((sample) => sample !== 0);
  const edge = EDGE_SECONDS * rateHz;
  assert(last - first > 3 * edge, `${last - first} frames of sound`);
  return snr(left.subarray(first + edge, last - edge), toneHz, rateHz);
}

/** Makes takes of each tone until one is as pure as it has to be. */
async function assertPure(
  take: (toneHz: number) => Promise<Samples>,
  rateHz: number,
): Promise<void> {
  for (const toneHz of TONES_HZ) {
    let best = 0;
    for (let tries = 0; tries < TRIES && best < LEAST_DB; tries++) {
      best = Math.max(best, heardSnr(await take(toneHz), toneHz, rateHz));
    }
    console.log(best);
    assertGreaterOrEqual(best, LEAST_DB, `dB at ${toneHz} Hz`);
  }
}

const SOUND = ["--format", "s32le", "--rate", String(FROM_HZ), "--channels", String(CHANNELS)];
const client = (subcommand: string, path: string, ...more: string[]) => [
  ...[...osspWords(), subcommand, "--device", "/dev/dsp", ...SOUND, ...more, path],
];

/** Plays a tone under ossp while the server's own tool records. */
async function play(
  path: string,
  toneHz: number,
  sink: string,
  env: Record<string, string>,
  recorder: Run,
): Promise<Samples> {
  await Deno.writeFile(`${path}/tone`, toneBytes(toneHz, FROM_HZ, SECONDS));
  await using run = Run.ossp(["--sink", sink, "--", ...client("play", `${path}/tone`)], { env });
  assertEquals([await run.end(), run.stderr], [0, ""]);
  await sleep(500); // what was played is still on its way
  recorder.kill("SIGINT");
  await recorder.end();
  return asSamples(await Deno.readFile(`${path}/heard`));
}

/** Records for some time under ossp. */
async function record(
  path: string,
  source: string,
  env: Record<string, string> = {},
): Promise<Samples> {
  const words = client("record", `${path}/recorded`, "--seconds", String(SECONDS));
  await using run = Run.ossp(["--source", source, "--", ...words], { env });
  assertEquals(await run.end(), 0, run.stderr); // it may say that sound was lost
  return asSamples((await readWav(`${path}/recorded`)).bytes);
}

for (const [name, kind] of Object.entries(SERVER_KINDS)) {
  Deno.test(`${name}: a tone of 44.1 kHz is heard and recorded with ${LEAST_DB} dB`, async () => {
    if (!available(...kind.executables)) return;
    await using scratch = new Scratch();
    const { path } = scratch;
    await Deno.mkdir(`${path}/server`);
    await using server = new PulseServer(kind, `${path}/server`);
    await server.start();
    const wide = ["format=s32le", `rate=${TO_HZ}`, `channels=${CHANNELS}`, ...kind.sinkOptions];
    await server.client("pactl", "load-module", "module-null-sink", "sink_name=wide", ...wide);
    const env = { ...server.env, PULSE_SINK: "wide", PULSE_SOURCE: "wide.monitor", HOME: path };
    const raw = (program: string, device: string, redirection: string) =>
      new Run([
        ...[
          "sh",
          "-c",
          `exec ${program} --device=${device} --raw --format=s32le ` +
          `--rate=${TO_HZ} --channels=${CHANNELS} --latency-msec=200 ${redirection}`,
        ],
      ], { env });
    await assertPure(async (toneHz) => {
      await Deno.writeFile(`${path}/heard`, new Uint8Array(0));
      await using recorder = raw("parec", "wide.monitor", `>${path}/heard`);
      await until(() => Deno.statSync(`${path}/heard`).size > 0, "the monitor");
      return await play(path, toneHz, "pulse", env, recorder);
    }, TO_HZ);
    await assertPure(async (toneHz) => {
      await Deno.writeFile(`${path}/tone`, toneBytes(toneHz, TO_HZ, 6 * SECONDS));
      await using _speaker = raw("pacat --playback", "wide", `<${path}/tone`);
      await sleep(300);
      return await record(path, "pulse", env);
    }, FROM_HZ);
  });
}

Deno.test(`sndiod: a tone of 44.1 kHz is heard and recorded with ${LEAST_DB} dB`, async () => {
  if (!available("sndiod", "aucat")) return;
  await using scratch = new Scratch();
  const { path } = scratch;
  await using sndiod = Sndiod.create(path);
  await sndiod.start();
  const raw = ["-e", "s32", "-c", "0:1", "-r", String(TO_HZ), "-h", "raw"];
  await assertPure(async (toneHz) => {
    sndiod.card.heard.length = 0;
    const words = ["aucat", "-f", sndiod.device("mon"), ...raw, "-o", `${path}/heard`];
    await using recorder = sndiod.client(...words);
    await until(() => sndiod.card.heard.length > 0, "the recorder's start");
    return await play(path, toneHz, `sndio:${sndiod.device()}`, sndiod.env, recorder);
  }, TO_HZ);
  await assertPure(async (toneHz) => {
    await Deno.writeFile(`${path}/tone`, toneBytes(toneHz, TO_HZ, 6 * SECONDS));
    const words = ["aucat", "-f", sndiod.device(), ...raw, "-i", `${path}/tone`];
    await using _player = sndiod.client(...words);
    await sleep(300);
    return await record(path, `sndio:${sndiod.device("mon")}`, sndiod.env);
  }, FROM_HZ);
});

Deno.test(`ALSA: a tone of 44.1 kHz is heard and recorded at a PCM of 48 kHz with ${LEAST_DB} dB`, async () => {
  if (!available("sox")) return;
  await using scratch = new Scratch();
  const { path } = scratch;
  // A plug that may not resample takes what is behind it takes.
  const config = `pcm.card { type plug slave { pcm file rate ${TO_HZ} format S32_LE } }
    pcm.file { type file slave.pcm { type null } file "${path}/heard" infile "${path}/tone" format raw }`;
  await Deno.writeTextFile(`${path}/asound.conf`, config);
  const env = { ALSA_CONFIG_PATH: `${path}/asound.conf` };
  await assertPure(async (toneHz) => {
    await Deno.writeFile(`${path}/tone`, toneBytes(toneHz, FROM_HZ, SECONDS));
    const options = ["--sink", "alsa:card", "--", ...client("play", `${path}/tone`)];
    await using run = Run.ossp(options, { env });
    assertEquals([await run.end(), run.stderr], [0, ""]);
    return asSamples(await Deno.readFile(`${path}/heard`));
  }, TO_HZ);
  await assertPure(async (toneHz) => {
    await Deno.writeFile(`${path}/tone`, toneBytes(toneHz, TO_HZ, 6 * SECONDS));
    return await record(path, "alsa:card", env);
  }, FROM_HZ);
});

Deno.test(`JACK: a tone of 44.1 kHz is heard and recorded at 48 kHz with ${LEAST_DB} dB`, async () => {
  if (!available("jackd")) return;
  await using scratch = new Scratch();
  const { path } = scratch;
  await assertPure(async (toneHz) => {
    await using jack = await JackServer.start(path);
    await Deno.writeFile(`${path}/tone`, toneBytes(toneHz, FROM_HZ, SECONDS));
    const options = ["--sink", `jack:${jack.name}`, "--", ...client("play", `${path}/tone`)];
    await using run = Run.ossp(options);
    assertEquals([await run.end(), run.stderr], [0, ""]);
    return (await jack.end()).floats;
  }, TO_HZ);
  await assertPure(async (toneHz) => {
    const floats = Float32Array.from(tone(toneHz, TO_HZ, SECONDS));
    await Deno.writeFile(`${path}/source`, new Uint8Array(floats.buffer));
    await using jack = await JackServer.start(path, { source: `${path}/source` });
    return await record(path, `jack:${jack.name}`);
  }, FROM_HZ);
});
