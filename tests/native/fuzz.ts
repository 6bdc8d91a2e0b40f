// Runs the hostile client (fuzz_client.c) on the devices of an `ossp run` and judges the daemon by
// what it says, by its memory, and by a tune that is played after it all. For the fuse front end on
// this kernel and for cuse wherever there is /dev/cuse; as a program of its own:
//
// Usage: fuzz.ts FRONTEND CALLS [CLIENT], where CLIENT is a fuzz_client that is compiled already.

import { DSP_CALLS } from "../../lib/oss/calls.ts";
import { IOR } from "../../lib/oss/soundcard.ts";
import { fuzzRandom, type Random } from "../random.ts";
import { compile } from "../compile.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/** A file system without a disk, where there is one. */
const MEMORY = "/dev/shm";

const SAMPLE_MS = 25;
// Between the first and the last quarter of a run the daemon's memory may grow by this: V8 lets up to
// 64 MiB of dropped stream buffers stand before it collects them. That nothing leaks but slowly is
// the unit test's to find, which can force a collection.
const MEMORY_GROWTH_KB = 64 << 10;
/** Files of the client's streams; a killed client's name is not to be had any more. */
const CLIENT_SOUND = /^(fuzz_client|unknown)\./;
/** Requests that no device has. */
const UNKNOWN_REQUESTS = [IOR("P", 99), IOR("X", 7, 4096)];

/** What a run is to be. */
export interface FuzzOptions {
  readonly frontend: "fuse" | "cuse";
  readonly clock: "real" | "free";
  /** How many system calls the client makes. */
  readonly calls: number;
  readonly random: Random;
  /** A compiled fuzz_client, as `compileFuzzClient` makes it. */
  readonly client: string;
  /** Then everything is killed. */
  readonly timeoutSeconds: number;
}

/** How a run went. */
export interface FuzzReport {
  /** What is wrong, a sentence each; none if all is well. */
  readonly complaints: readonly string[];
  /** The daemon's memory in KiB: the median of the first and of the last quarter of the run. */
  readonly rssKb: readonly [first: number, last: number];
  readonly anonymousKb: readonly [first: number, last: number];
}

/** Compiles the client into a folder; returns its path. */
export function compileFuzzClient(folder: string): Promise<string> {
  return compile("native/fuzz_client.c", folder, "-O1", "-g", "-pthread");
}

/** Runs the client once. */
export async function fuzzDevice(options: FuzzOptions): Promise<FuzzReport> {
  // A busy disk would hold up whoever closes its sound's file, as it may.
  const dir = exists(MEMORY) ? MEMORY : undefined;
  const folder = await Deno.makeTempDir({ dir, prefix: "ossp-fuzz-" });
  try {
    return await fuzzIn(folder, options);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function fuzzIn(folder: string, options: FuzzOptions): Promise<FuzzReport> {
  const { frontend, clock, calls, random, client, timeoutSeconds } = options;
  const tune = Uint8Array.from({ length: 60_000 }, () => random.u32());
  await Deno.writeFile(`${folder}/tune`, tune);
  const deno = [Deno.execPath(), "run", "--allow-all", "--no-lock", "--quiet", MAIN];
  const requests = [...DSP_CALLS.keys(), ...UNKNOWN_REQUESTS].map(String);
  const fuzz = [client, String(random.u32()), String(calls), "/dev/dsp", "/dev/mixer", ...requests];
  const play = [...deno, "play", "--format", "s16le", `${folder}/tune`];
  const words = (list: readonly string[]) =>
    list.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
  // The folder's marks say when the client runs; the streams' files begin with the program's name.
  const script = `cd ${words([folder])} && touch began && ${words(fuzz)}; status=$?
    touch ended; ${words(play)} && exit $status`;
  const [program, ...args] = [
    ...[...deno, "run", "--frontend", frontend, "--clock", clock],
    ...["--sink", `raw:${folder}/%c.%n`, "--", "sh", "-c", script],
  ];
  const child = new Deno.Command(program, { args, stdin: "null", stderr: "piped" }).spawn();
  const complaints: string[] = [];
  const timer = setTimeout(() => {
    complaints.push(`no end after ${timeoutSeconds} s: ${sleepers()}`);
    child.kill("SIGKILL");
  }, timeoutSeconds * 1000);
  const samples: Memory[] = [];
  const sampler = setInterval(() => {
    if (exists(`${folder}/began`) && !exists(`${folder}/ended`)) samples.push(memoryOf(child.pid));
    // The client's sound is of no interest, and there may be a lot of it.
    for (const { name } of Deno.readDirSync(folder)) {
      if (CLIENT_SOUND.test(name)) Deno.removeSync(`${folder}/${name}`);
    }
  }, SAMPLE_MS);
  const stderr = await new Response(child.stderr).text();
  const { code } = await child.status;
  clearTimeout(timer);
  clearInterval(sampler);

  if (code !== 0) complaints.push(`exit status ${code}`);
  if (stderr !== "") complaints.push(`on standard error: ${stderr}`);
  const heard = [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => name.includes(".") && !CLIENT_SOUND.test(name));
  if (heard.length !== 1) complaints.push(`the tune came in these files: ${heard.join(" ")}`);
  else if (!equal(await Deno.readFile(`${folder}/${heard[0]}`), tune)) {
    complaints.push("the tune is not what was played");
  }
  const rssKb = quarters(samples.map(({ rssKb }) => rssKb));
  const anonymousKb = quarters(samples.map(({ anonymousKb }) => anonymousKb));
  for (const [what, [first, last]] of Object.entries({ RSS: rssKb, anonymous: anonymousKb })) {
    // A run of a few calls is over before there is anything to compare.
    if (samples.length >= 4 && !(last - first < MEMORY_GROWTH_KB)) {
      complaints.push(`${what} memory grew from ${first} to ${last} KiB`);
    }
  }
  return { complaints, rssKb, anonymousKb };
}

interface Memory {
  readonly rssKb: number;
  readonly anonymousKb: number;
}

function memoryOf(pid: number): Memory {
  const text = Deno.readTextFileSync(`/proc/${pid}/smaps_rollup`);
  const field = (name: string) => Number(text.match(`\n${name}:\\s+(\\d+) kB\n`)?.[1]);
  return { rssKb: field("Rss"), anonymousKb: field("Anonymous") };
}

/** The medians of the first and of the last quarter; NaN without four values. */
function quarters(values: readonly number[]): [first: number, last: number] {
  const quarter = Math.floor(values.length / 4);
  const median = (part: readonly number[]) =>
    part.toSorted((a, b) => a - b)[Math.floor(part.length / 2)] ?? NaN;
  return [median(values.slice(0, quarter)), median(values.slice(values.length - quarter))];
}

/** The clients that there are, and what in the kernel each of their threads sleeps in. */
function sleepers(): string {
  const found: string[] = [];
  for (const { name: pid } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      if (Deno.readTextFileSync(`/proc/${pid}/comm`).trim() !== "fuzz_client") continue;
      for (const { name: tid } of Deno.readDirSync(`/proc/${pid}/task`)) {
        const task = `/proc/${pid}/task/${tid}`;
        const state = Deno.readTextFileSync(`${task}/stat`).replace(/.*\) /, "")[0];
        found.push(`${tid} ${state} ${Deno.readTextFileSync(`${task}/wchan`)}`);
      }
    } catch {
      // It has ended in the meantime.
    }
  }
  return found.join(", ") || "no client is left";
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

if (import.meta.main) {
  const [frontend, calls, client] = Deno.args;
  const folder = await Deno.makeTempDir();
  try {
    const report = await fuzzDevice({
      frontend: frontend as FuzzOptions["frontend"],
      clock: "real",
      calls: Number(calls),
      random: fuzzRandom(),
      client: client ?? await compileFuzzClient(folder),
      timeoutSeconds: 300,
    });
    console.log(JSON.stringify(report));
    Deno.exitCode = report.complaints.length === 0 ? 0 : 1;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
