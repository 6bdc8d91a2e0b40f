// A JACK server of a test's own, that keeps its time by a clock, and a sound card for it (jack_card.c).

import { assertEquals } from "@std/assert";
import { compile } from "../compile.ts";
import { exists, Run, until } from "../native/ossp.ts";

/** The rate and the card's channels; samples are floats. */
export const JACK_SOUND = { rateHz: 48000, channels: 2 } as const;

// Long cycles, for who runs the tests may not be allowed real-time scheduling.
const CYCLE_FRAMES = 1024;

/** What the server says of a client that had not done its work when the next cycle began. */
const LATE = /JackEngine::XRun: client (?:= )?(\S+) (?:was not finished|finished after)/;

const S16_SCALE = 32768;

/** What the card has heard. */
export interface HeardByCard {
  /** In stereo. */
  readonly floats: Float32Array<ArrayBuffer>;
  /** The same as S16, which it must be. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** A cycle's first frame and when it began, in milliseconds since the epoch. */
  readonly cycles: readonly { readonly frame: number; readonly atMs: number }[];
  /** How often a cycle was not done in time: then frames are missing, or are heard twice. */
  readonly xruns: number;
}

/** A client that was not done in time. */
export interface Late {
  readonly name: string;
  /** When the server said so, in milliseconds since the epoch. */
  readonly atMs: number;
}

function asS16(floats: Float32Array): Uint8Array<ArrayBuffer> {
  const samples = new Int16Array(floats.length);
  for (let i = 0; i < floats.length; i++) {
    samples[i] = floats[i] * S16_SCALE;
    if (samples[i] === floats[i] * S16_SCALE) continue;
    throw new Error(`${floats[i]} at ${i} is no sample of 16 bits`);
  }
  return new Uint8Array(samples.buffer);
}

/** How a server is started. */
export interface JackOptions {
  /** A file of floats in stereo, which the card records over and over. */
  readonly source?: string;
  /** By default 1024. */
  readonly cycleFrames?: number;
}

/** Server and card. */
export class JackServer implements AsyncDisposable {
  /**
   * Of the server. JACK has place for eight on a machine, and a killed one keeps its place until one of
   * its name starts.
   */
  readonly name = `ossp-test-${Deno.pid}`;
  readonly #folder: string;
  readonly #options: JackOptions;
  /** Who was late, of the servers that there were. */
  readonly late: Late[] = [];
  /** How many of them the server that runs has told of, and the line that it has begun. */
  #lateOfRun = 0;
  #line = "";
  #card = "";
  #runs = 0;
  #ended = true;
  #server!: Run;
  #cardRun!: Run;

  private constructor(folder: string, options: JackOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  /**
   * Starts both.
   *
   * @param folder where files go
   */
  static async start(folder: string, options: JackOptions = {}): Promise<JackServer> {
    const jack = new JackServer(folder, options);
    jack.#card = await compile("apps/jack_card.c", folder, "-ljack");
    await jack.restart();
    return jack;
  }

  /** Starts both again after `kill`; resolves when the card is there. */
  async restart(rateHz: number = JACK_SOUND.rateHz): Promise<void> {
    this.#runs++;
    const { source, cycleFrames = CYCLE_FRAMES } = this.#options;
    const dummy = ["-d", "dummy", "-r", String(rateHz), "-p", String(cycleFrames)];
    const words = ["jackd", "--name", this.name, ...dummy, "-C", "0", "-P", "0"];
    // It would ask for the machine's sound cards over D-Bus.
    this.#ended = false;
    this.#lateOfRun = 0;
    this.#server = new Run(words, {
      env: { JACK_NO_AUDIO_RESERVATION: "1" },
      onStderr: (text) => this.#noteLate(text),
    });
    const running = `/dev/shm/jack_${this.name}_${Deno.uid()}_0`;
    await until(() => exists(running), "jackd's socket");
    const recorded = source === undefined ? [] : [source];
    this.#cardRun = new Run([this.#card, this.name, this.#heardPath, ...recorded]);
    await this.#cardRun.printed("ready");
  }

  get #heardPath(): string {
    return `${this.#folder}/heard-${this.#runs}`;
  }

  /** Resolves when the card has heard something. */
  async hears(): Promise<void> {
    await this.#cardRun.printed("sound");
  }

  /** Sends the server a signal. */
  signal(signal: Deno.Signal): void {
    this.#server.kill(signal);
  }

  #noteLate(text: string): void {
    const lines = (this.#line + text).split("\n");
    this.#line = lines.pop()!;
    for (const line of lines) {
      const name = line.match(LATE)?.[1];
      if (name === undefined) continue;
      this.late.push({ name, atMs: performance.timeOrigin + performance.now() });
      this.#lateOfRun++;
    }
  }

  /** Ends the server, and with it the card. */
  async kill(signal: Deno.Signal = "SIGKILL"): Promise<HeardByCard> {
    await this.#end(signal);
    this.#clear();
    return await this.#heard();
  }

  async #end(signal: Deno.Signal): Promise<void> {
    this.#server.kill(signal);
    await this.#server.end();
    this.#ended = true;
  }

  /** Ends both. */
  async end(): Promise<HeardByCard> {
    this.#cardRun.kill("SIGTERM");
    await this.#cardRun.end();
    await this.#end("SIGTERM");
    return await this.#heard();
  }

  async #heard(): Promise<HeardByCard> {
    assertEquals(await this.#cardRun.end(), 0, this.#cardRun.stderr);
    const said = JSON.parse(this.#cardRun.stdout.trimEnd().split("\n").at(-1)!);
    // The card is told of them with some delay, or not any more.
    const xruns = Math.max(said.xruns, this.#lateOfRun);
    const floats = new Float32Array((await Deno.readFile(this.#heardPath)).buffer);
    const times = (await Deno.readTextFile(`${this.#heardPath}.times`)).trimEnd().split("\n");
    const cycles = times.map((line) => line.split(" ").map(Number))
      .map(([frame, atMs]) => ({ frame, atMs }));
    return {
      floats,
      get bytes() {
        return asS16(floats);
      },
      cycles,
      xruns,
    };
  }

  /** Removes what a killed server leaves on the machine. */
  #clear(): void {
    for (const { name } of Deno.readDirSync("/dev/shm")) {
      if (name.includes(this.name)) Deno.removeSync(`/dev/shm/${name}`);
    }
  }

  /** Ends what is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cardRun?.[Symbol.asyncDispose]();
    if (this.#server && !this.#ended) {
      this.#server.kill("SIGCONT");
      await this.#end("SIGTERM");
    }
    this.#clear();
  }
}
