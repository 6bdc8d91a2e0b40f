// A JACK server that changes while programs play: its cycles, its rate, its graph, its time. Its own
// tools make the changes.

import { assert, assertEquals } from "@std/assert";
import { Run, Scratch, sleep, until } from "../native/ossp.ts";
import { noise } from "../programs.ts";
import { JACK_SOUND, JackServer } from "./jack_server.ts";
import {
  FRAME_BYTES,
  indexIn,
  missedCycles,
  playWords,
  SECOND_BYTES,
  sounding,
  test,
  TRIES,
} from "./jack_sound.ts";

const BEFORE_MS = 1000;
const AWAY_MS = 500;
const SINE_HZ = 1000;

/** As lib/server/jack_voice.ts and jack_server.ts have it. */
const LATENESS_FRAMES = 480;
const CYCLE_FRAMES = 1024;

/** Runs one of the server's tools to its end; what it printed. */
async function tool(jack: JackServer, ...words: string[]): Promise<string> {
  await using run = new Run(words, { env: { JACK_DEFAULT_SERVER: jack.name } });
  await run.end();
  return run.stdout;
}

/** The full names of the ports, and behind each, indented, what is asked for. */
const ports = (jack: JackServer, ...what: string[]) => tool(jack, "jack_lsp", ...what);

/** An ossp and a program that plays a sound through it. */
class Playing implements AsyncDisposable {
  readonly player: Run;

  private constructor(readonly ossp: Run, folder: string) {
    this.player = new Run(playWords(`${folder}/sound`, `${folder}/dev/dsp`));
  }

  static async start(
    scratch: Scratch,
    jack: JackServer,
    sound: Uint8Array,
    ...options: string[]
  ): Promise<Playing> {
    await Deno.writeFile(`${scratch.path}/sound`, sound);
    const sink = ["--sink", `jack:${jack.name}`, "--log-level", "debug"];
    const ossp = Run.ossp(["--dir", `${scratch.path}/dev`, ...sink, ...options]);
    await ossp.printed("serving", "stderr");
    return new Playing(ossp, scratch.path);
  }

  /** Waits for the end of the sound; what ossp has said of it. */
  async end(): Promise<{ xruns: number; lost: number }> {
    assertEquals([await this.player.end(), this.player.stderr], [0, ""]);
    const said = /jack: \w+: (\d+) xruns, (\d+) frames lost/;
    await until(() => said.test(this.ossp.stderr), "the count of xruns");
    const [xruns, lost] = this.ossp.stderr.match(said)!.slice(1).map(Number);
    return { xruns, lost };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.player[Symbol.asyncDispose]();
    await this.ossp[Symbol.asyncDispose]();
  }
}

/** Asserts that a sound is heard to the bit while the server's tools do something. */
async function assertWhole(
  seconds: number,
  change: (jack: JackServer) => Promise<void>,
): Promise<void> {
  for (let left = TRIES - 1;; left--) {
    await using scratch = new Scratch();
    await using jack = await JackServer.start(scratch.path);
    const sound = noise(seconds * SECOND_BYTES, 11);
    await using playing = await Playing.start(scratch, jack, sound);
    await jack.hears();
    await sleep(BEFORE_MS);
    await change(jack);
    const { xruns, lost } = await playing.end();
    const heard = await jack.end();
    const isWhole = indexIn(sounding(heard.bytes), sound) === 0;
    if (heard.xruns > 0 && left > 0 && (xruns > 0 || !isWhole)) continue;
    assertEquals([isWhole, xruns, lost], [true, 0, 0], `${heard.xruns} xruns of the server`);
    return;
  }
}

test("cycles of another length in mid-play cost no frame", () =>
  assertWhole(4, async (jack) => {
    await tool(jack, "jack_bufsize", "2048");
    await sleep(BEFORE_MS);
    await tool(jack, "jack_bufsize", "512");
  }));

test("cycles that become short, and long again, are played in from soon after on", async () => {
  for (let left = TRIES - 1;; left--) {
    await using scratch = new Scratch();
    await using jack = await JackServer.start(scratch.path);
    const sound = noise(6 * SECOND_BYTES, 14);
    await using playing = await Playing.start(scratch, jack, sound);
    await jack.hears();
    await sleep(BEFORE_MS);
    await tool(jack, "jack_bufsize", "256");
    await sleep(2 * BEFORE_MS);
    await tool(jack, "jack_bufsize", "1024");
    await playing.end();
    const heard = await jack.end();
    // Half a second from the time of short cycles, and the sound's last.
    const samples = sounding(heard.bytes);
    const isShort = heard.cycles.findIndex(({ frame }, i) =>
      heard.cycles[i + 1]?.frame - frame === 256
    );
    const shortFrom = (heard.cycles[isShort].frame + JACK_SOUND.rateHz) * FRAME_BYTES;
    const part = heard.bytes.subarray(shortFrom, shortFrom + SECOND_BYTES / 2);
    const areWhole = indexIn(sound, part) > 0 &&
      indexIn(sound, samples.subarray(-SECOND_BYTES / 2)) === sound.length - SECOND_BYTES / 2;
    const xruns = heard.xruns + missedCycles(playing.ossp.stderr);
    if (!areWhole && xruns > 0 && left > 0) continue;
    assert(areWhole, `${xruns} xruns`);
    return;
  }
});

test("freewheeling loses nothing, counts no xrun, and time returns", async () => {
  const seconds = 5;
  let startMs = 0;
  await assertWhole(seconds, async (jack) => {
    startMs = performance.now();
    await tool(jack, "jack_freewheel", "y");
    await sleep(BEFORE_MS);
    await tool(jack, "jack_freewheel", "n");
  });
  // Faster than the time it may be, while JACK is; it never stands.
  const tookMs = performance.now() - startMs;
  assert(tookMs > (seconds - 3) * 1000 && tookMs < (seconds + 8) * 1000, `${tookMs} ms`);
});

/** How often a sound goes up through zero in a second, on the left. */
function pitch(floats: Float32Array, rateHz: number): number {
  const left = floats.filter((_, i) => i % 2 === 0);
  let crossings = 0;
  for (let i = 1; i < left.length; i++) if (left[i - 1] < 0 && left[i] >= 0) crossings++;
  return crossings / (left.length / rateHz);
}

test("a server that comes back with another rate is played to at that rate", async () => {
  await using scratch = new Scratch();
  await using jack = await JackServer.start(scratch.path);
  const sine = Int16Array.from(
    { length: 6 * JACK_SOUND.rateHz * 2 },
    (_, i) => 16000 * Math.sin(2 * Math.PI * SINE_HZ * (i >> 1) / JACK_SOUND.rateHz),
  );
  await using playing = await Playing.start(scratch, jack, new Uint8Array(sine.buffer));
  await jack.hears();
  await sleep(BEFORE_MS);
  await jack.kill();
  await sleep(AWAY_MS);
  const rateHz = 44100;
  await jack.restart(rateHz);
  assert((await playing.end()).lost > 0);
  const { floats } = await jack.end();
  const first = floats.findIndex((sample) => sample !== 0);
  const heard = floats.subarray(first - first % 2).subarray(rateHz, 3 * rateHz); // a second of it
  const hz = pitch(heard, rateHz);
  assert(Math.abs(hz - SINE_HZ) < 5, `${hz} Hz`);
  assert(Math.max(...heard) > 0.45 && Math.max(...heard) < 0.51);
});

test("connections that somebody has made are made again when the server is back", async () => {
  await using scratch = new Scratch();
  await using jack = await JackServer.start(scratch.path);
  const sound = noise(6 * SECOND_BYTES, 12);
  await using playing = await Playing.start(scratch, jack, sound, "--jack-connect", "none");
  while (!(await ports(jack)).includes(":out_2")) await sleep(20);
  const from = (await ports(jack)).split("\n").find((name) => name.endsWith(":out_1"))!;
  await tool(jack, "jack_connect", from, "card:playback_2");
  await jack.hears();
  await sleep(BEFORE_MS);
  await jack.kill();
  await sleep(AWAY_MS);
  await jack.restart();
  await playing.end();
  const { bytes } = await jack.end();
  const samples = new Int16Array(bytes.buffer);
  assert(samples.some((sample, i) => i % 2 === 1 && sample !== 0), "nothing is heard on the right");
  assert(!samples.some((sample, i) => i % 2 === 0 && sample !== 0), "something on the left");
});

test("two programs, a client each, are heard again when their server is back", async () => {
  await using scratch = new Scratch();
  await using jack = await JackServer.start(scratch.path);
  const device = `${scratch.path}/dev`;
  await using ossp = Run.ossp(["--dir", device, "--sink", `jack:${jack.name}`]);
  await ossp.printed("serving", "stderr");
  const dd = () => new Run(["dd", "if=/dev/urandom", `of=${device}/dsp`, "bs=1000"]);
  await using _one = dd();
  await using _other = dd();
  const clients = async () => (await ports(jack)).match(/^dd(-01)?:out_1$/gm)?.length;
  const both = async () => {
    for (let tries = 0; await clients() !== 2; tries++) assert(tries < 100, "not two clients");
    await jack.hears();
  };
  await both();
  for (let times = 0; times < 3; times++) {
    await jack.kill();
    await sleep(AWAY_MS);
    await jack.restart();
    await both();
  }
});

test("what JACK is told of our latency is what there is between program and port", async () => {
  await using scratch = new Scratch();
  await using jack = await JackServer.start(scratch.path);
  await using playing = await Playing.start(scratch, jack, noise(3 * SECOND_BYTES, 13));
  await jack.hears();
  await sleep(BEFORE_MS);
  const said = await ports(jack, "-l");
  // The card's own port hears of it through the connection.
  for (const port of [":out_1", "card:playback_1"]) {
    const [, least, most] = said.slice(said.indexOf(port))
      .match(/capture latency = \[ (\d+) (\d+) \]/)!.map(Number);
    assertEquals([least, most], [LATENESS_FRAMES, CYCLE_FRAMES + 2 * LATENESS_FRAMES], said);
  }
  await playing.end();
});

test("--jack-client: a client a program, of its name, or one for all", async () => {
  await using scratch = new Scratch();
  await using jack = await JackServer.start(scratch.path);
  for (const which of ["program", "shared"]) {
    const device = `${scratch.path}/${which}`;
    const sink = ["--sink", `jack:${jack.name}`, "--jack-client", which];
    await using ossp = Run.ossp(["--dir", device, "--log-level", "info", ...sink]);
    await ossp.printed("serving", "stderr");
    const dd = () => new Run(["dd", "if=/dev/zero", `of=${device}/dsp`, "bs=1000", "count=40"]);
    await using one = dd();
    await using other = dd();
    const wanted = which === "program" ? 2 : 1;
    const clients = async () => {
      const names = (await ports(jack)).split("\n").filter((name) => /out_1$/.test(name));
      return names.length < 2 ? [] : [...new Set(names.map((name) => name.split(":")[0]))].sort();
    };
    let names: string[] = [];
    for (let tries = 0; names.length === 0 && tries < 100; tries++) names = await clients();
    assertEquals(names, wanted === 2 ? ["dd", "dd-01"] : ["ossp"]);
    assertEquals([await one.end(), await other.end()], [0, 0]);
  }
});
