// JACK: whether ossp is in time for a server of short cycles, beside as many trivial clients in C on the
// same server; how soon there is sound again when the server is started anew; and how long a sound is on
// its way from a program through ossp and JACK and back to the program.

import { JackServer } from "../apps/jack_server.ts";
import { missedCycles } from "../apps/jack_sound.ts";
import { Run } from "../native/ossp.ts";
import { available, KERNEL_MAPS } from "../programs.ts";
import { compile as compileTest } from "../compile.ts";
import { compile } from "./build.ts";
import { Scheduling } from "./scheduling.ts";
import {
  cpuSeconds,
  type Figure,
  figureTable,
  type Load,
  load,
  memoryMib,
  output,
  startOssp,
  table,
} from "./measure.ts";

const RATE_HZ = 48000;
const FRAME_BYTES = 4; // S16 in stereo

const CYCLES = [256, 128];

/** How long the server is away in the middle. */
const AWAY_MS = 500;
const BACK_LIMIT_MS = 2000;

const LOOP_CYCLES = [1024, 512, 256, 128, 64];
const LOOP_CLICKS = 40;

/** Of the programs' fragments: 64 frames. */
const LOOP_FRAGMENT_SHIFT = 8;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The clients that ossp has for its programs, and as many in C, as jackd names them. */
const OURS = /^(load|mmap_client)/;
const THEIRS = ["trivial-1", "trivial-2"];

/** Milliseconds since the epoch. */
interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

// A server tells of a cycle that was late when the next ones have begun, and we hear of it some
// milliseconds later.
const TOLD_CYCLES = 3;
const TOLD_MS = 25;

/** The part of a cycle that a processor may stand still without anybody being late. */
const SPARE = 0.6;

/** The part of a cycle that ossp may take itself without being what makes it late. */
const OWN = 0.25;

/** Where cycles are shorter that is less than a millisecond, which a virtual machine's memory may take. */
const LEAST_FRAMES_OWN = 256;

/** What the kernel tells of all threads in a cycle, at most. */
const CYCLE_EVENTS = 40;

/** The parts of this machine's time when a processor stood still, whoever was to run there. */
class Stalls implements AsyncDisposable {
  readonly #run: Run;

  private constructor(run: Run) {
    this.#run = run;
  }

  /** Watches from now on, for those of so long. */
  static async watch(folder: string, leastMs: number): Promise<Stalls> {
    const program = await compile("stalls", folder, "-pthread");
    const run = new Run([program, String(leastMs)]);
    await run.printed("ready");
    return new Stalls(run);
  }

  /** Those so far. */
  get list(): Span[] {
    const lines = this.#run.stdout.trimEnd().split("\n").slice(1);
    return lines.map((line) => line.split(" ").map(Number))
      .map(([_processor, fromMs, toMs]) => ({ fromMs, toMs }));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#run[Symbol.asyncDispose]();
  }
}

/** Tells of a moment when a client was said to be late whether that can be due to one of these. */
function dueTo(spans: readonly Span[], cycleMs: number): (atMs: number) => boolean {
  const withinMs = TOLD_CYCLES * cycleMs + TOLD_MS;
  return (atMs) => spans.some(({ fromMs, toMs }) => fromMs < atMs && toMs > atMs - withinMs);
}

/** Of some seconds that end now, the part of all moments, in per cent, for which something is so. */
function percentOfAll(isSo: (atMs: number) => boolean, seconds: number): number {
  const endMs = Date.now();
  const moments = Array.from({ length: seconds * 100 }, (_, i) => endMs - i * 10);
  return moments.filter(isSo).length / moments.length * 100;
}

/** By how much two counts of what is as frequent may differ: three times the standard deviation. */
const chance = (count: number) => Math.round(3 * Math.sqrt(2 * Math.max(1, count)));

/** Two programs, one of which maps, and the server's restart in the middle. */
async function inTime(
  frames: number,
  folder: string,
  seconds: number,
): Promise<Figure[]> {
  const own = `${folder}/jack-${frames}`;
  const cycleMs = frames * 1000 / RATE_HZ;
  await Deno.mkdir(own);
  const trivialPath = await compile("jack_client", own, "-ljack");
  const writer = await compile("load", own);
  const mapper = await compileTest("native/mmap_client.c", own);
  const silence = `${own}/silence`;
  await Deno.writeFile(silence, new Uint8Array(0));
  await Deno.truncate(silence, seconds * RATE_HZ * FRAME_BYTES);
  await using stalls = await Stalls.watch(own, cycleMs * SPARE);
  await using jack = await JackServer.start(own, { cycleFrames: frames });
  const startTrivial = async () => {
    const clients = new AsyncDisposableStack();
    for (const name of THEIRS) {
      await clients.use(new Run([trivialPath, jack.name, name])).printed("ready");
    }
    return clients;
  };
  await using trivial = await startTrivial();
  const options = ["--frontend", "fuse", "--dir", `${own}/dev`, "--sink", `jack:${jack.name}`];
  let missed = 0;
  const onLine = (line: string) => missed += missedCycles(line);
  await using ossp = await startOssp([...options, "--log-level", "debug"], { onLine });
  const device = `${own}/dev/dsp`;
  const events = CYCLE_EVENTS * seconds * 1000 / cycleMs;
  await using scheduling = await Scheduling.watch(ossp.pid, own, events);
  const before = cpuSeconds(ossp.pid);
  const written: Promise<Load> = load(writer, device, 1, RATE_HZ, seconds);
  const ring = ["S16_LE", RATE_HZ, 2, 12, 16, silence];
  const mapped = KERNEL_MAPS
    ? output<{ late_refills: number }>(mapper, device, ...ring)
    : Promise.resolve({ late_refills: 0 });
  await sleep(seconds * 500);
  scheduling.note();
  await jack.kill();
  await trivial.disposeAsync();
  await sleep(AWAY_MS);
  await jack.restart();
  const backMs = Date.now();
  await using trivialAgain = await startTrivial();
  const { underruns } = await written;
  await mapped;
  const { anonymous } = memoryMib(ossp.pid);
  const cpu = (cpuSeconds(ossp.pid) - before) / seconds * 100;
  const turns = await scheduling.end(cycleMs * OWN);
  const { bytes, cycles, xruns } = await jack.end();
  await trivialAgain.disposeAsync();
  const first = bytes.findIndex((byte) => byte !== 0) / FRAME_BYTES;
  const heardMs = cycles.findLast(({ frame }) => frame <= first)?.atMs ?? Infinity;
  const isExplained = dueTo(stalls.list, cycleMs);
  const isOurs = dueTo(turns, cycleMs);
  const late = jack.late.filter(({ name }) => OURS.test(name));
  const theirs = jack.late.filter(({ name }) => THEIRS.includes(name));
  const limit = theirs.length + chance(theirs.length);
  const unexplained = late.filter(({ atMs }) => !isExplained(atMs));
  const theirsUnexplained = theirs.filter(({ atMs }) => !isExplained(atMs)).length;
  const there = `cycles of ${frames} frames, ${seconds} s`;
  return [
    { what: `${there}: late, two programs of ossp's`, value: late.length, limit },
    { what: "there: late, two clients in C", value: theirs.length },
    {
      what: "there: ossp's, where no processor had stood still",
      value: unexplained.length,
      limit: theirsUnexplained + chance(theirsUnexplained),
    },
    {
      what: "there: of these, where ossp had a quarter of the cycle",
      value: unexplained.filter(({ atMs }) => isOurs(atMs)).length,
      limit: frames >= LEAST_FRAMES_OWN ? 0 : undefined,
    },
    {
      what: "there: those in C, where none had stood still",
      value: theirsUnexplained,
    },
    {
      what: "there: % of all moments soon after a standstill",
      value: percentOfAll(isExplained, seconds),
    },
    {
      what: "there: cycles of which ossp had a quarter, whatever the reason",
      value: turns.length,
    },
    { what: "there: silent for want of sound, both programs", value: missed, limit },
    { what: "there: xruns of the server's second half, whoever's", value: xruns },
    { what: "there: underruns of the program that writes", value: underruns },
    {
      what: "there: ms from the server's return to sound",
      value: heardMs - backMs,
      limit: BACK_LIMIT_MS,
    },
    { what: "there: CPU of ossp, % of one", value: cpu },
    { what: "there: anonymous memory of ossp, MiB", value: anonymous },
  ];
}

/** A row of the table of round trips. */
async function roundTrip(cycleFrames: number, program: string, folder: string): Promise<string[]> {
  const own = `${folder}/loop-${cycleFrames}`;
  await Deno.mkdir(own);
  await using jack = await JackServer.start(own, { cycleFrames });
  const name = `jack:${jack.name}`;
  const server = ["--sink", name, "--source", name, "--jack-connect", "none"];
  await using _ossp = await startOssp(["--frontend", "fuse", "--dir", `${own}/dev`, ...server]);
  await using loop = new Run([
    program,
    `${own}/dev/dsp`,
    String(LOOP_CLICKS),
    `${LOOP_FRAGMENT_SHIFT}`,
  ]);
  await loop.printed("loop ready");
  let ports: string[] = [];
  const list = async () => {
    await using run = new Run(["jack_lsp", "-s", jack.name]);
    await run.end();
    ports = run.stdout.split("\n").filter((name) => /jack_loop.*_1$/.test(name));
  };
  for (let tries = 0; ports.length < 2 && tries < 100; tries++) await list();
  const end = (side: string) => ports.find((name) => name.endsWith(`${side}_1`))!;
  await using connect = new Run(["jack_connect", "-s", jack.name, end("out"), end("in")]);
  await connect.end();
  if (await loop.end() !== 0) throw new Error(loop.stderr);
  const trips: [number, number][] = JSON.parse(loop.stdout.slice(loop.stdout.indexOf("[")));
  const sorted = (column: 0 | 1) => trips.map((trip) => trip[column]).sort((a, b) => a - b);
  const [frames, ms] = [sorted(0), sorted(1)];
  const median = frames[frames.length >> 1];
  return [
    ...[`${cycleFrames}`, `${median}`, `${frames.at(-1)}`, (median / cycleFrames).toFixed(2)],
    ...[ms[ms.length >> 1].toFixed(1), ms.at(-1)!.toFixed(1)],
  ];
}

async function roundTrips(folder: string): Promise<void> {
  const fragment = 2 ** LOOP_FRAGMENT_SHIFT / FRAME_BYTES;
  console.log(
    `\nFrom a write through JACK back to a read, ${LOOP_CLICKS} clicks, fragments of ` +
      `${fragment} frames\n`,
  );
  const program = await compile("jack_loop", folder);
  const rows = [];
  for (const cycle of LOOP_CYCLES) rows.push(await roundTrip(cycle, program, folder));
  console.log(table([["cycle", "frames", "most", "in cycles", "ms", "most"], ...rows]));
}

/**
 * Measures JACK and prints tables.
 *
 * @param folder where programs, files and mount points go
 * @param seconds how long two programs play, with each length of cycle
 */
export async function jack(folder: string, seconds: number): Promise<Figure[]> {
  if (!available("jackd", "jack_lsp", "jack_connect")) return [];
  await roundTrips(folder);
  console.log("\nJACK's dummy driver at 48 kHz, a program that writes and one that maps\n");
  const figures: Figure[] = [];
  for (const cycle of CYCLES) figures.push(...await inTime(cycle, folder, seconds));
  console.log(figureTable(figures));
  return figures;
}
