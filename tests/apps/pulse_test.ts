// The sinks and sources that are PulseAudio's and PipeWire's: real servers without hardware, and real
// programs on /dev/dsp.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Prober } from "../../lib/daemon/prober.ts";
import { probe } from "../../lib/server/pulse.ts";
import { compile } from "../compile.ts";
import { Run, sleep, until } from "../native/ossp.ts";
import { available, KERNEL_MAPS, makeTake, noise, programNamed, Scratch } from "../programs.ts";
import { PulseServer, SERVER_KINDS, SERVER_SOUND } from "./pulse_server.ts";

const FRAME_BYTES = 4;
const SECOND_BYTES = SERVER_SOUND.rateHz * FRAME_BYTES;

/** How soon sound is to be heard again when the server is back. */
const RETURN_MS = 2000;

/** How long the server is away. */
const AWAY_MS = 800;

/** How long it stands still: it is not called lost at once. */
const STOPPED_MS = 3000;

/** How many of the calls on a device may be slow meanwhile, as on a busy machine. */
const SLOW_CALLS = 0.01;

/** What is under way to the server when a mapping's pointer, and with it the program, is at its end. */
const UNDER_WAY_BYTES = 0.5 * SECOND_BYTES;

type KindName = keyof typeof SERVER_KINDS;

/** A server in a folder of the test's, and what the test needs of both. */
class Bench implements AsyncDisposable {
  private constructor(readonly server: PulseServer, readonly scratch: Scratch) {}

  static async create(name: KindName): Promise<Bench> {
    const scratch = await Scratch.create();
    await Deno.mkdir(`${scratch.path}/server`);
    const bench = new Bench(
      new PulseServer(SERVER_KINDS[name], `${scratch.path}/server`),
      scratch,
    );
    try {
      await bench.server.start();
    } catch (error) {
      await bench[Symbol.asyncDispose]();
      throw error;
    }
    return bench;
  }

  path(name: string): string {
    return `${this.scratch.path}/${name}`;
  }

  ossp(options: readonly string[], ...command: string[]): Run {
    return Run.ossp([...options, "--", ...command], { env: this.server.env });
  }

  /** Runs a command under ossp to its end, which must be a good one; what it printed. */
  async play(options: readonly string[], ...command: string[]): Promise<string> {
    await using run = this.ossp(options, ...command);
    assertEquals([await run.end(), run.stderr], [0, ""], command.join(" "));
    return run.stdout;
  }

  /** What the server was heard to play while something was done. */
  async heardDuring(act: () => Promise<unknown>): Promise<Uint8Array<ArrayBuffer>> {
    const path = this.path("heard");
    await using hearing = this.server.hear(path);
    await until(() => sizeOf(path) > 0, "the monitor");
    await act();
    await sleep(400); // what was played is still on its way
    hearing.kill("SIGKILL");
    await hearing.end();
    return await Deno.readFile(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.scratch[Symbol.asyncDispose]();
  }
}

function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch {
    return 0;
  }
}

/** Where the first frame lies that is not silent. */
function firstSound(heard: Uint8Array): number {
  const first = heard.findIndex((byte) => byte !== 0);
  assert(first >= 0, `nothing but silence in ${heard.length} bytes`);
  return first - first % FRAME_BYTES;
}

/** Asserts that there was silence, then a sound from its first byte to its last; returns what followed. */
function assertHeard(heard: Uint8Array, sound: Uint8Array): Uint8Array {
  const start = firstSound(heard);
  const wrong = sound.findIndex((byte, i) => byte !== heard[start + i]);
  assertEquals(wrong, -1, `the first byte of ${sound.length} that was not heard`);
  return heard.subarray(start + sound.length);
}

/** One after the other at one server: the last ends it for a while. */
const STEPS: readonly Step[] = [
  ["what a program writes is heard to the bit, then silence", ["sox"], playWritten],
  ["what lies in a mapping is heard to the bit", ["cc"], playMapped],
  ["a sound after a reset or a pause is heard from its first frame on", ["cc"], playParts],
  ["what the server's source gives is recorded to the bit", ["ffmpeg"], record],
  ["a stream has its program's name, and is heard on when it is moved or its sink suspended", [
    "cc",
  ], playMoved],
  ["a program plays on while the server is killed, restarted, stopped", ["cc"], playThrough],
];

/** What it shows, the programs that it needs, and how it goes. */
type Step = readonly [string, readonly string[], (bench: Bench) => Promise<void>];

for (const kind of Object.keys(SERVER_KINDS) as KindName[]) {
  Deno.test(kind, async (context) => {
    if (!available(...SERVER_KINDS[kind].executables)) return;
    await using bench = await Bench.create(kind);
    for (const [name, executables, run] of STEPS) {
      const ignore = !available(...executables) || (run === playMapped && !KERNEL_MAPS);
      await context.step({ name, ignore, fn: () => run(bench) });
    }
  });
}

async function playWritten(bench: Bench): Promise<void> {
  const { command, sound } = await makeTake(programNamed("sox"), bench.scratch.path, 1);
  const heard = await bench.heardDuring(() => bench.play(["--sink", "pulse"], ...command));
  const rest = assertHeard(heard, sound.bytes);
  assertEquals(rest.findIndex((byte) => byte !== 0), -1, "sound after the end");
}

async function playMapped(bench: Bench): Promise<void> {
  const client = await compile("native/mmap_client.c", bench.scratch.path);
  const sound = noise(SECOND_BYTES + UNDER_WAY_BYTES, 2);
  await Deno.writeFile(bench.path("sound"), sound);
  const ring = ["S16_LE", "48000", "2", "12", "16"];
  const words = [client, "/dev/dsp", ...ring, bench.path("sound")];
  const heard = await bench.heardDuring(async () => {
    const summary = JSON.parse(await bench.play(["--sink", "pulse"], ...words));
    assertEquals(summary.late_refills, 0);
  });
  assertHeard(heard, sound.subarray(0, SECOND_BYTES));
}

async function playParts(bench: Bench): Promise<void> {
  const client = await compile("apps/parts_client.c", bench.scratch.path);
  const sound = noise(SECOND_BYTES, 5);
  await Deno.writeFile(bench.path("sound"), sound);
  const words = [client, "/dev/dsp", bench.path("sound")];
  let heard: Uint8Array = await bench.heardDuring(() => bench.play(["--sink", "pulse"], ...words));

  const partBytes = SECOND_BYTES / 4; // the client's
  const start = firstSound(heard);
  const reset = sound.findIndex((byte, i) => byte !== heard[start + i]);
  assert(reset > 0 && reset < partBytes, `${reset} bytes before the reset`);
  heard = heard.subarray(start + reset);
  for (let at = 0; at < sound.length; at += partBytes) {
    heard = assertHeard(heard, sound.subarray(at, at + partBytes));
  }
}

async function record(bench: Bench): Promise<void> {
  const sound = noise(SECOND_BYTES, 3);
  await Deno.writeFile(bench.path("said"), sound);
  const input = ["-f", "oss", "-sample_rate", "48000", "-channels", "2", "-i", "/dev/dsp"];
  const output = ["-t", "2", "-f", "s16le", bench.path("recorded")];
  const command = ["ffmpeg", "-v", "fatal", "-nostdin", ...input, ...output];
  await using recorder = bench.ossp(["--source", "pulse"], ...command);
  while ((await bench.server.client("pactl", "list", "short", "source-outputs")) === "") {
    await sleep(20);
  }
  await using speaker = bench.server.say(bench.path("said"));
  assertEquals([await speaker.end(), speaker.stderr], [0, ""]);
  assertEquals([await recorder.end(), recorder.stderr], [0, ""]);
  assertHeard(await Deno.readFile(bench.path("recorded")), sound);
}

/** How long a sink is suspended: so short that the sound only stands still, and so long that time goes on. */
const SUSPENDED_MS = [300, 2500];

/** How much longer than before a frame may take until it is heard. */
const DELAY_DRIFT_FRAMES = 0.1 * SERVER_SOUND.rateHz;

async function playMoved(bench: Bench): Promise<void> {
  const { server } = bench;
  const client = await compile("apps/steady_client.c", bench.scratch.path);
  await Deno.writeFile(bench.path("sound"), noise(SECOND_BYTES, 6));
  await server.client(...["pactl", "load-module", "module-null-sink", "sink_name=other"]);
  const words = [client, "/dev/dsp", bench.path("sound"), "15000", bench.path("log")];
  await using run = bench.ossp(["--sink", "pulse", "--log-level", "info"], ...words);
  await untilHeard(bench);

  const described = await server.client("pactl", "list", "sink-inputs");
  const pid = run.member("steady_client");
  for (
    const property of [
      'application.name = "steady_client"',
      'application.process.binary = "steady_client"',
      `application.process.id = "${pid}"`,
      'application.icon_name = "applications-multimedia"',
    ]
  ) assertStringIncludes(described, property);

  const [number] = (await server.client("pactl", "list", "short", "sink-inputs")).split("\t");
  await move(server, number, "other");
  await untilHeard(bench, undefined, "other");
  await move(server, number, "out");
  await untilHeard(bench);
  for (const ms of SUSPENDED_MS) {
    await server.client("pactl", "suspend-sink", "out", "1");
    await sleep(ms);
    await server.client("pactl", "suspend-sink", "out", "0");
    await untilHeard(bench);
  }
  assertEquals(await run.end(), 0, run.stderr);
  const lines = await delays(bench);
  const [before, after] = [lines.slice(0, 40), lines.slice(-40)].map(median);
  const drift = Math.abs(after - before);
  assert(drift < DELAY_DRIFT_FRAMES, `${drift} frames of delay more or less than before`);
  // PipeWire resumes what is played to at once.
  const told = run.stderr.split("\n").filter((line) => line.startsWith("ossp: pulse"));
  assert(told.every((line) => /is suspended|there again/.test(line)), run.stderr);
}

/** How often a stream is moved until it is there, and how often it is looked whether it is. */
const MOVES = 3;
const MOVED_LOOKS = 20;

/** The first two columns of one of pactl's short lists. */
async function listed(server: PulseServer, what: string): Promise<string[][]> {
  const lines = (await server.client("pactl", "list", "short", what)).trimEnd().split("\n");
  return lines.map((line) => line.split("\t").slice(0, 2));
}

/** Moves a stream to a sink; WirePlumber forgets that now and then, the stream plays on where it was. */
async function move(server: PulseServer, number: string, sink: string): Promise<void> {
  const [index] = (await listed(server, "sinks")).find(([, name]) => name === sink)!;
  const isThere = async () =>
    (await listed(server, "sink-inputs")).some(([n, at]) => n === number && at === index);
  for (let tries = 1;; tries++) {
    await server.client("pactl", "move-sink-input", number, sink);
    for (let looks = 0; looks < MOVED_LOOKS; looks++) {
      if (await isThere()) return;
      await sleep(20);
    }
    assert(tries < MOVES, `${sink} has not got the stream`);
  }
}

/** What GETODELAY said after each write, in frames, when the sound had begun. */
async function delays({ scratch }: Bench): Promise<number[]> {
  const log = (await Deno.readTextFile(`${scratch.path}/log`)).trimEnd().split("\n");
  return log.map((line) => Number(line.split(" ")[2])).slice(20);
}

function median(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
}

async function playThrough(bench: Bench): Promise<void> {
  const client = await compile("apps/steady_client.c", bench.scratch.path);
  await Deno.writeFile(bench.path("sound"), noise(SECOND_BYTES, 4));
  const options = ["--sink", "pulse", "--log-level", "info"];
  await using run = bench.ossp(options, client, "/dev/dsp", bench.path("sound"), "10000");
  const { server } = bench;
  await untilHeard(bench);

  await server.kill();
  await sleep(AWAY_MS);
  await server.start();
  await untilHeard(bench, RETURN_MS);

  server.signal("SIGSTOP");
  await sleep(STOPPED_MS);
  server.signal("SIGCONT");
  await untilHeard(bench, RETURN_MS);

  assertEquals(await run.end(), 0, run.stderr);
  const { calls, slow_calls, worst_call_ms } = JSON.parse(
    run.stdout.slice(run.stdout.indexOf("{")),
  );
  assert(slow_calls <= SLOW_CALLS * calls, run.stdout);
  assert(worst_call_ms < AWAY_MS / 2, run.stdout);
  const told = run.stderr.split("\n").filter((line) => line.startsWith("ossp: pulse"));
  assertEquals(told.length, 4, run.stderr);
  for (const i of [0, 2]) assertStringIncludes(told[i], "nothing is heard until");
  for (const i of [1, 3]) assertStringIncludes(told[i], "there again");
}

/** Resolves when the server is heard to play something. */
async function untilHeard(
  { server, scratch }: Bench,
  limitMs?: number,
  sink?: string,
): Promise<void> {
  const path = `${scratch.path}/heard`;
  await Deno.writeFile(path, new Uint8Array(0));
  await using _hearing = server.hear(path, sink);
  await until(() => isHeard(path), "sound", limitMs);
}

/** Whether there is sound in the newest part of a raw file. */
function isHeard(path: string): boolean {
  const size = sizeOf(path);
  if (size < 4096) return false;
  using file = Deno.openSync(path);
  file.seekSync(size - 4096, Deno.SeekMode.Start);
  const bytes = new Uint8Array(4096);
  file.readSync(bytes);
  return bytes.some((byte) => byte !== 0);
}

Deno.test("a probe tells whether there is a server", async () => {
  if (!available(...SERVER_KINDS.PulseAudio.executables)) return;
  await using bench = await Bench.create("PulseAudio");
  const { server } = bench;
  const name = server.env.PULSE_SERVER;
  assertEquals(probe(name), undefined);
  await server.kill();
  assertEquals(probe(name), "Connection refused (start PulseAudio or PipeWire)");
});

Deno.test("who looks for a server that stands still is told so in a second, and of others meanwhile", async () => {
  if (!available(...SERVER_KINDS.PulseAudio.executables)) return;
  await using bench = await Bench.create("PulseAudio");
  const { server } = bench;
  const env = { PULSE_SERVER: server.env.PULSE_SERVER, AUDIODEVICE: "snd,14/none" };
  for (const [name, value] of Object.entries(env)) Deno.env.set(name, value);
  const prober = new Prober();
  try {
    assertEquals(await prober.probe("pulse"), undefined);
    server.signal("SIGSTOP");
    const startMs = performance.now();
    const late = prober.probe("pulse");
    assertMatch((await prober.probe("sndio"))!, /start sndiod/);
    assertMatch((await late)!, /^no answer/);
    assert(performance.now() - startMs < 1500, "it is waited for");
    assertMatch((await prober.probe("pulse"))!, /^no answer/);
    server.signal("SIGCONT");
    assertEquals(await prober.probe("pulse"), undefined);
    await server.kill();
    assertMatch((await prober.probe("pulse"))!, /refused/);
  } finally {
    prober.end();
    for (const name of Object.keys(env)) Deno.env.delete(name);
  }
});
