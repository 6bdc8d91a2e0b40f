// A JACK server of a test's own, that keeps its time by a clock, and a sound card for it (jack_card.c).

import { assert, assertEquals } from "@std/assert";
import { compile } from "../compile.ts";
import { exists, Run, until } from "../native/ossp.ts";

/** The rate and the card's channels; samples are floats. */
export const JACK_SOUND = { rateHz: 48000, channels: 2 } as const;

// Long cycles, for who runs the tests may not be allowed real-time scheduling.
const CYCLE_FRAMES = 1024;

const S16_SCALE = 32768;

/** What the card has heard. */
export interface HeardByCard {
  /** As S16 in stereo: nothing else was played. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** A cycle's first frame and when it began, in milliseconds since the epoch. */
  readonly cycles: readonly { readonly frame: number; readonly atMs: number }[];
  /** How often the server had no time for a cycle: then frames are missing. */
  readonly xruns: number;
}

/** Server and card. */
export class JackServer implements AsyncDisposable {
  /**
   * Of the server. JACK has place for eight on a machine, and a killed one keeps its place until one of
   * its name starts.
   */
  readonly name = `ossp-test-${Deno.pid}`;
  readonly #folder: string;
  readonly #source: string | undefined;
  #card = "";
  #runs = 0;
  #ended = true;
  #server!: Run;
  #cardRun!: Run;

  private constructor(folder: string, source: string | undefined) {
    this.#folder = folder;
    this.#source = source;
  }

  /**
   * Starts both.
   *
   * @param folder where files go
   * @param source a file of S16 in stereo, which the card records over and over
   */
  static async start(folder: string, source?: string): Promise<JackServer> {
    const jack = new JackServer(folder, source);
    jack.#card = await compile("apps/jack_card.c", folder, "-ljack");
    await jack.restart();
    return jack;
  }

  /** Starts both again after `kill`; resolves when the card is there. */
  async restart(): Promise<void> {
    this.#runs++;
    const dummy = ["-d", "dummy", "-r", String(JACK_SOUND.rateHz), "-p", String(CYCLE_FRAMES)];
    const words = ["jackd", "--name", this.name, ...dummy, "-C", "0", "-P", "0"];
    // It would ask for the machine's sound cards over D-Bus.
    this.#ended = false;
    this.#server = new Run(words, { env: { JACK_NO_AUDIO_RESERVATION: "1" } });
    const running = `/dev/shm/jack_${this.name}_${Deno.uid()}_0`;
    await until(() => exists(running), "jackd's socket");
    const source = this.#source === undefined ? [] : [this.#source];
    this.#cardRun = new Run([this.#card, this.name, this.#heardPath, ...source]);
    await this.#cardRun.printed("ready");
  }

  get #heardPath(): string {
    return `${this.#folder}/heard-${this.#runs}`;
  }

  /** Sends the server a signal. */
  signal(signal: Deno.Signal): void {
    this.#server.kill(signal);
  }

  /** Kills the server, and with it the card. */
  async kill(): Promise<HeardByCard> {
    this.#server.kill("SIGKILL");
    await this.#server.end();
    this.#ended = true;
    this.#clear();
    return await this.#heard();
  }

  /** Ends both. */
  async end(): Promise<HeardByCard> {
    this.#cardRun.kill("SIGTERM");
    const heard = await this.#heard();
    this.#server.kill("SIGTERM");
    await this.#server.end();
    this.#ended = true;
    return heard;
  }

  async #heard(): Promise<HeardByCard> {
    assertEquals(await this.#cardRun.end(), 0, this.#cardRun.stderr);
    const { xruns } = JSON.parse(this.#cardRun.stdout.split("\n")[1]);
    const floats = new Float32Array((await Deno.readFile(this.#heardPath)).buffer);
    const samples = new Int16Array(floats.length);
    for (let i = 0; i < floats.length; i++) {
      samples[i] = floats[i] * S16_SCALE;
      assert(samples[i] === floats[i] * S16_SCALE, `${floats[i]} at ${i} is no sample of 16 bits`);
    }
    const times = (await Deno.readTextFile(`${this.#heardPath}.times`)).trimEnd().split("\n");
    const cycles = times.map((line) => line.split(" ").map(Number))
      .map(([frame, atMs]) => ({ frame, atMs }));
    return { bytes: new Uint8Array(samples.buffer), cycles, xruns };
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
      this.#server.kill("SIGTERM");
      await this.#server.end();
    }
    this.#clear();
  }
}
