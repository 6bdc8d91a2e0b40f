// GETODELAY against the truth, for each sound server: when a click that a program plays is to be
// heard, as ossp says when it has just been written, and when it arrives at the server's own end.
//
// The ends are sound cards in all that matters here: they take sound at 48 kHz by a clock, and say
// when each frame is due. ALSA has alsa_card.c, PulseAudio its module-pipe-sink with pipe_card.c at
// the pipe's other end, JACK the client of tests/apps/jack_card.c whose ports are physical, sndiod
// what it takes for another sndiod (tests/apps/sndio_card.ts). By this count JACK's frames are heard
// one after the other from the beginning of their cycle on, and sndiod's from that of their round.

import { JackServer } from "../apps/jack_server.ts";
import { PulseServer, SERVER_KINDS } from "../apps/pulse_server.ts";
import { Sndiod } from "../apps/sndio.ts";
import { Run } from "../native/ossp.ts";
import { available } from "../programs.ts";
import { AlsaCard } from "./alsa_card.ts";
import { compile } from "./build.ts";
import { output, startOssp, table } from "./measure.ts";

const CLICKS = 60;
const RATE_HZ = 48000;
const CHANNELS = 2;

/** As alsa_card.c and pipe_card.c have it. */
const SILENT_FRAMES = 1000;

/** The last click has been heard, and its server has told of it, so long after the program's end. */
const LAST_CLICK_LIMIT_MS = 1000;

/** A piece is late by more: there was nothing to hear. */
const GAP_MS = 2;

/** What was said and what was heard are of one click if they are no further apart. */
const PAIR_LIMIT_MS = 80;

/** A server with an end at which clicks are heard. */
interface End extends AsyncDisposable {
  /** For `--sink`. */
  readonly sink: string;
  readonly env: Readonly<Record<string, string>>;
  /** In what steps the server moves sound, in frames. */
  readonly periodFrames: number;
  /** Called once, when all has been played. */
  heard(): Promise<Heard>;
}

/** Times in milliseconds since the epoch. */
interface Heard {
  readonly clicks: readonly number[];
  /** When the server had nothing for its end though it should have had. */
  readonly gaps: readonly number[];
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** What there is in the pieces, each with its time, that a card has heard. */
function heardIn(pieces: readonly { atMs: number; samples: Int16Array }[]): Heard {
  const clicks: number[] = [];
  const gaps: number[] = [];
  let silent = 0;
  let nextMs = Infinity;
  for (const { atMs, samples } of pieces) {
    if (atMs - nextMs > GAP_MS) gaps.push(nextMs);
    nextMs = atMs + samples.length / CHANNELS * 1000 / RATE_HZ;
    for (let at = 0; at < samples.length; at += CHANNELS) {
      if (samples[at] === 0) {
        silent++;
        continue;
      }
      if (silent >= SILENT_FRAMES) clicks.push(atMs + at / CHANNELS * 1000 / RATE_HZ);
      silent = 0;
    }
  }
  return { clicks, gaps };
}

async function alsaEnd(folder: string): Promise<End> {
  const card = await AlsaCard.create(folder);
  return {
    sink: `alsa:${card.pcm}`,
    env: card.env,
    periodFrames: 480, // as lib/server/alsa_pcm.ts asks for it
    heard: () => Promise.resolve({ clicks: card.clicks(), gaps: card.gaps() }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function pulseEnd(folder: string): Promise<End> {
  const program = await compile("pipe_card", folder);
  const fifo = `${folder}/pipe`;
  await using stack = new AsyncDisposableStack();
  const server = stack.use(new PulseServer(SERVER_KINDS.PulseAudio, folder));
  await server.start();
  const words = ["rate=48000", "format=s16le", "channels=2", `file=${fifo}`];
  await server.client("pactl", "load-module", "module-pipe-sink", "sink_name=card", ...words);
  const card = stack.use(new Run([program, fifo]));
  await card.printed("ready");
  const running = stack.move();
  const values = (name: string) =>
    card.stdout.split("\n").map((line) => line.split(" ")).filter(([word]) => word === name)
      .map(([, ms]) => Number(ms));
  return {
    sink: "pulse",
    env: { ...server.env, PULSE_SINK: "card" },
    periodFrames: 1024, // a page of the pipe
    heard: () => Promise.resolve({ clicks: values("click"), gaps: values("gap") }),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function jackEnd(folder: string): Promise<End> {
  const server = await JackServer.start(folder);
  return {
    sink: `jack:${server.name}`,
    env: {},
    periodFrames: 1024, // as tests/apps/jack_server.ts has it
    async heard() {
      const { bytes, cycles } = await server.end();
      const samples = new Int16Array(bytes.buffer);
      const pieces = cycles.map(({ frame, atMs }, i) => ({
        atMs,
        samples: samples.subarray(frame * CHANNELS, (cycles[i + 1]?.frame ?? Infinity) * CHANNELS),
      }));
      return heardIn(pieces);
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function sndioEnd(folder: string): Promise<End> {
  const server = Sndiod.create(folder);
  await server.start();
  return {
    sink: `sndio:${server.device()}`,
    env: server.env,
    periodFrames: 480, // as tests/apps/sndio_card.ts has it
    heard: () => {
      const pieces = server.card.heard.map(({ atMs, bytes }) => ({
        atMs,
        samples: new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2),
      }));
      return Promise.resolve(heardIn(pieces));
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** The ends, and the programs that each needs. */
const ENDS = {
  pulse: { start: pulseEnd, programs: ["pulseaudio", "pactl"] },
  jack: { start: jackEnd, programs: ["jackd"] },
  alsa: { start: alsaEnd, programs: ["cc"] },
  sndio: { start: sndioEnd, programs: ["sndiod"] },
};

/** When it was asked, and what it said, in milliseconds since the epoch. */
type Said = readonly [askedMs: number, heardMs: number];

/**
 * What was said too late, or less than 0 too soon, of each click that has been heard. Left out are those
 * before which there was a gap after they had been asked for: nobody can know of it.
 */
function errors(said: readonly Said[], { clicks, gaps }: Heard): number[] {
  return said.flatMap(([askedMs, saidMs]) => {
    const heardMs = clicks.find((ms) => ms > saidMs - PAIR_LIMIT_MS);
    const isHeard = heardMs !== undefined && heardMs < saidMs + PAIR_LIMIT_MS;
    if (!isHeard || gaps.some((ms) => ms > askedMs && ms < heardMs)) return [];
    return [saidMs - heardMs];
  });
}

async function row(name: keyof typeof ENDS, folder: string, client: string): Promise<string[]> {
  await using end = await ENDS[name].start(folder);
  const directory = `${folder}/dev`;
  let said: Said[];
  {
    const options = ["--frontend", "fuse", "--dir", directory, "--sink", end.sink];
    await using _ossp = await startOssp(options, { env: end.env });
    said = await output<Said[]>(client, `${directory}/dsp`, CLICKS);
    await sleep(LAST_CLICK_LIMIT_MS);
  }
  const off = errors(said, await end.heard());
  if (off.length === 0) throw new Error(`${name}: no click has been heard when it was said to be`);
  const mean = off.reduce((sum, value) => sum + value, 0) / off.length;
  const jitter = Math.sqrt(off.reduce((sum, value) => sum + (value - mean) ** 2, 0) / off.length);
  const median = off.toSorted((a, b) => a - b)[off.length >> 1];
  const most = Math.max(...off.map(Math.abs));
  const periods = (ms: number) => (ms * RATE_HZ / 1000 / end.periodFrames).toFixed(2);
  return [
    ...[name, `${off.length}`, mean.toFixed(2), median.toFixed(2), jitter.toFixed(2)],
    ...[most.toFixed(2), `${end.periodFrames}`, periods(mean), periods(jitter)],
  ];
}

/**
 * Measures each server that is there and prints a table.
 *
 * @param folder where files and mount points go
 */
export async function delay(folder: string): Promise<void> {
  console.log(`\nGETODELAY less the truth, of ${CLICKS} clicks, in ms; 48 kHz stereo S16\n`);
  const client = await compile("delay_client", folder);
  const rows = [];
  for (const name of Object.keys(ENDS) as (keyof typeof ENDS)[]) {
    if (!available(...ENDS[name].programs)) continue;
    const own = `${folder}/delay-${name}`;
    await Deno.mkdir(own);
    rows.push(await row(name, own, client));
  }
  console.log(table([
    ["", "clicks", "mean", "median", "jitter", "most", "period", "mean in it", "jitter"],
    ...rows,
  ]));
}
