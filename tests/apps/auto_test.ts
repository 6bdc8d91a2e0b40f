// --sink auto: the first server that there is, in order; one that comes later; another one when the
// first is gone for long.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { compile } from "../compile.ts";
import { Run, Scratch, sleep, until } from "../native/ossp.ts";
import { available, noise } from "../programs.ts";
import { JackServer } from "./jack_server.ts";
import { PulseServer, SERVER_KINDS } from "./pulse_server.ts";

/** It looks for a server every two seconds, and leaves one that is gone for ten. */
const FOUND_MS = 5000;
const LEFT_MS = 10_000;

/** A PulseAudio, and an ALSA whose default PCM plays to a file, or is none. */
class Bench implements AsyncDisposable {
  readonly #scratch: Scratch;
  readonly pulse: PulseServer;
  readonly #client: string;

  private constructor(scratch: Scratch, client: string) {
    this.#scratch = scratch;
    Deno.mkdirSync(`${scratch.path}/server`);
    this.pulse = new PulseServer(SERVER_KINDS.PulseAudio, `${scratch.path}/server`);
    this.#client = client;
    Deno.writeFileSync(`${scratch.path}/sound`, noise(200_000, 1));
  }

  static async create(): Promise<Bench> {
    const scratch = new Scratch();
    return new Bench(scratch, await compile("apps/steady_client.c", scratch.path));
  }

  /** Plays for so long, by auto; `others` are variables of the environment. */
  play(ms: number, withAlsa: boolean, others: Readonly<Record<string, string>> = {}): Run {
    const { path } = this.#scratch;
    const pcm =
      `pcm.!default { type file slave.pcm { type null } file "${this.heard}" format raw }`;
    Deno.writeTextFileSync(`${path}/asound.conf`, withAlsa ? pcm : "");
    const env = {
      ...this.pulse.env,
      XDG_RUNTIME_DIR: path,
      DBUS_SESSION_BUS_ADDRESS: "disabled:",
      JACK_DEFAULT_SERVER: `none-${crypto.randomUUID()}`,
      ALSA_CONFIG_PATH: `${path}/asound.conf`,
      AUDIODEVICE: "snd,14/none",
      ...others,
    };
    const words = ["--sink", "auto", "--source", "silence", "--log-level", "info", "--"];
    return Run.ossp([...words, this.#client, "/dev/dsp", `${path}/sound`, String(ms)], { env });
  }

  /** A folder for others' files. */
  get folder(): string {
    return this.#scratch.path;
  }

  /** What ALSA has heard. */
  get heard(): string {
    return `${this.#scratch.path}/heard`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pulse[Symbol.asyncDispose]();
    await this.#scratch[Symbol.asyncDispose]();
  }
}

function test(name: string, fn: (bench: Bench) => Promise<void>): void {
  Deno.test(name, async () => {
    if (!available(...SERVER_KINDS.PulseAudio.executables, "cc")) return;
    await using bench = await Bench.create();
    await fn(bench);
  });
}

test("auto takes PulseAudio before ALSA, and ALSA when PulseAudio is gone for long", async (bench) => {
  await bench.pulse.start();
  await using run = bench.play(LEFT_MS + 2 * FOUND_MS, true);
  await run.printed("sound goes by pulse", "stderr");
  await sleep(500);
  await bench.pulse.kill();
  const startMs = performance.now();
  await until(() => run.stderr.includes("sound goes by alsa"), "ALSA", LEFT_MS + FOUND_MS);
  assert(performance.now() - startMs > LEFT_MS, "it is left too soon");
  assertEquals(await run.end(), 0, run.stderr);
  const heard = await Deno.readFile(bench.heard);
  assert(heard.some((byte) => byte !== 0), "ALSA has heard nothing");
});

test("auto takes a server that comes later, and says so once", async (bench) => {
  await using run = bench.play(2 * FOUND_MS, false);
  await run.printed("nothing is heard until there is a sound server", "stderr");
  await bench.pulse.start();
  await until(() => run.stderr.includes("sound goes by pulse"), "PulseAudio", FOUND_MS);
  assertEquals(await run.end(), 0, run.stderr);
  assertEquals(run.stderr.match(/nothing is heard/g)?.length, 1, run.stderr);
  assertStringIncludes(run.stderr, "pulse: ");
});

test("auto takes jackd where there is no PulseAudio", async (bench) => {
  if (!available("jackd")) return;
  await using jack = await JackServer.start(bench.folder);
  await using run = bench.play(FOUND_MS, true, { JACK_DEFAULT_SERVER: jack.name });
  await run.printed("sound goes by jack", "stderr");
  await jack.hears();
  assertEquals(await run.end(), 0, run.stderr);
});

test("auto goes on to ALSA when PulseAudio stands still", async (bench) => {
  await bench.pulse.start();
  bench.pulse.signal("SIGSTOP");
  await using run = bench.play(FOUND_MS, true);
  await until(() => run.stderr.includes("sound goes by alsa"), "ALSA", FOUND_MS);
  bench.pulse.signal("SIGCONT");
  assertEquals(await run.end(), 0, run.stderr);
});

test("a JACK server that stands still keeps auto from no other", async (bench) => {
  if (!available("jackd")) return;
  await using jack = await JackServer.start(bench.folder);
  jack.signal("SIGSTOP");
  await using run = bench.play(2 * FOUND_MS, false, { JACK_DEFAULT_SERVER: jack.name });
  await run.printed("nothing is heard until there is a sound server", "stderr");
  assertMatch(run.stderr, /jack: no answer in/);
  await bench.pulse.start();
  await until(() => run.stderr.includes("sound goes by pulse"), "PulseAudio", FOUND_MS);
  assertEquals(await run.end(), 0, run.stderr);
});
