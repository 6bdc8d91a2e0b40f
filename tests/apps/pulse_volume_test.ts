// A stream's volume is one and the same on OSS's mixer and at a PulseAudio server, whoever moves it:
// real servers without hardware, their own pactl, and our own mixer.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { compile } from "../compile.ts";
import { LACKING, OSSP, Run, Scratch, sleep, until } from "../native/ossp.ts";
import { available } from "../programs.ts";
import { PulseServer, SERVER_KINDS } from "./pulse_server.ts";

const NAME = "steady_client";

/** What the client plays in every frame, on both sides. */
const SAMPLE = 16_000;

/** How soon a move on one side is to be seen on the other, on a busy machine. */
const MOVE_MS = 10_000;

type KindName = keyof typeof SERVER_KINDS;

/** A server, ossp at it, and a client that plays. */
class Bench implements AsyncDisposable {
  readonly devices: string;

  private constructor(
    readonly server: PulseServer,
    readonly scratch: Scratch,
    readonly stack: AsyncDisposableStack,
  ) {
    this.devices = `${scratch.path}/devices`;
  }

  static async create(kind: KindName): Promise<Bench> {
    await using stack = new AsyncDisposableStack();
    const scratch = stack.use(new Scratch());
    const folder = `${scratch.path}/server`;
    await Deno.mkdir(folder);
    const server = stack.use(new PulseServer(SERVER_KINDS[kind], folder));
    await server.start();
    const bench = new Bench(server, scratch, stack.move());
    try {
      const options = ["--dir", bench.devices, "--sink", "pulse", "--log-level", "info"];
      const daemon = bench.stack.use(Run.ossp(options, { env: server.env }));
      await daemon.printed("serving", "stderr");
      const sound = new Int16Array(2 * 48000).fill(SAMPLE);
      await Deno.writeFile(`${scratch.path}/sound`, new Uint8Array(sound.buffer));
      await compile("apps/steady_client.c", scratch.path);
      return bench;
    } catch (error) {
      await bench[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A client that plays, heard or not. */
  async play(): Promise<Run> {
    const words = [`${this.scratch.path}/steady_client`, `${this.devices}/dsp`];
    const run = new Run([...words, `${this.scratch.path}/sound`, "60000"]);
    await this.untilIs(() => this.atServer(), /Volume/);
    return run;
  }

  /** Runs `ossp mixer`; what that printed. */
  async mixer(...words: string[]): Promise<string> {
    await using run = new Run([...OSSP, "mixer", "--device", `${this.devices}/mixer`, ...words]);
    assertEquals([await run.end(), run.stderr], [0, ""], words.join(" "));
    return run.stdout.trim();
  }

  /** What the server says of the client's stream, from its number to its volume; empty if it has none. */
  async atServer(): Promise<string> {
    const text = await this.server.client("pactl", "list", "sink-inputs");
    const part = text.split("Sink Input #").find((part) => part.includes(NAME)) ?? "";
    return part.slice(0, part.indexOf("balance"));
  }

  /** Moves something of the client's stream at the server. */
  async moveAtServer(what: string, ...value: string[]): Promise<void> {
    const number = (await this.atServer()).match(/^\d+/)![0];
    await this.server.client("pactl", `set-sink-input-${what}`, number, ...value);
  }

  /** Resolves when what somebody says has come to match. */
  async untilIs(say: () => Promise<string>, wanted: RegExp): Promise<void> {
    const startMs = performance.now();
    let said: string;
    while (!wanted.test(said = await say())) {
      if (performance.now() - startMs > MOVE_MS) assertMatch(said, wanted);
      await sleep(50);
    }
  }

  /** The loudest sample of each side that is heard now. */
  async heard(): Promise<[left: number, right: number]> {
    const path = `${this.scratch.path}/heard`;
    await Deno.writeFile(path, new Uint8Array(0));
    await using _hearing = this.server.hear(path);
    const size = 48000; // a quarter of a second
    await until(() => Deno.statSync(path).size > 2 * size, "the monitor");
    const bytes = (await Deno.readFile(path)).slice(-size & ~3);
    const samples = new Int16Array(bytes.buffer, 0, size / 2);
    const peak = (side: number) =>
      samples.reduce((most, sample, i) => i % 2 === side ? Math.max(most, sample) : most, 0);
    return [peak(0), peak(1)];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stack[Symbol.asyncDispose]();
  }
}

function assertNear(heard: readonly number[], percent: readonly number[]): void {
  percent.forEach((value, side) => {
    const wanted = SAMPLE * (value / 100) ** 3;
    assert(Math.abs(heard[side] - wanted) < 0.03 * SAMPLE * (value / 100) ** 2, `${heard}`);
  });
}

for (const kind of Object.keys(SERVER_KINDS) as KindName[]) {
  Deno.test({ name: `volumes shared with ${kind}`, ignore: LACKING, fn: () => share(kind) });
}

async function share(kind: KindName): Promise<void> {
  if (!available(...SERVER_KINDS[kind].executables)) return;
  await using bench = await Bench.create(kind);
  const atServer = () => bench.atServer();
  const atMixer = () => bench.mixer("get", NAME);
  {
    await using _client = await bench.play();
    assertEquals(await atMixer(), "100:100 on");

    // A move on the mixer is one at the server, and heard once.
    await bench.mixer("set", NAME, "80:50");
    await bench.untilIs(atServer, /front-left: \d+ \/ +80% .*front-right: \d+ \/ +50% /);
    assertNear(await bench.heard(), [80, 50]);
    await bench.mixer("set", NAME, "mute");
    await bench.untilIs(atServer, /Mute: yes/);
    assertEquals(await bench.heard(), [0, 0]);
    await bench.mixer("set", NAME, "unmute");
    await bench.untilIs(atServer, /Mute: no/);

    // The card's volume is none of the stream's.
    await bench.mixer("set", "vol", "50");
    await sleep(500); // what is on its way is as loud as it was
    assertNear(await bench.heard(), [40, 25]);
    assertMatch(await atServer(), /front-left: \d+ \/ +80% /);
    await bench.mixer("set", "vol", "100");

    // A move at the server is one on the mixer.
    await bench.moveAtServer("volume", "60%", "30%");
    await bench.untilIs(atMixer, /^60:30 on$/);
    await bench.moveAtServer("mute", "1");
    await bench.untilIs(atMixer, /^60:30 muted$/);
    await bench.moveAtServer("mute", "0");
    await bench.untilIs(atMixer, /^60:30 on$/);
    await bench.moveAtServer("volume", "130%");
    await bench.untilIs(atMixer, /^100:100 on$/);
    await bench.moveAtServer("volume", "70%");
    await bench.untilIs(atMixer, /^70:70 on$/);

    // A server that comes back gets it again.
    await bench.server.kill();
    await bench.server.start();
    await bench.untilIs(atServer, /front-left: \d+ \/ +70% /);
    assertEquals(await atMixer(), "70:70 on");
  }
  // The program's next stream begins as the last one was.
  await bench.untilIs(() => bench.mixer(), /^((?!steady_client).)*$/s);
}
