// A sndiod of a test's own, with a sound card that the test hears.

import { Run, sleep, until } from "../native/ossp.ts";
import { SndioCard } from "./sndio_card.ts";

/** sndiod listens at this port and its unit's number. */
const PORT = 11025;
const MOST_UNIT = 15;

/** The unit at which sndiod finds its card. */
const CARD_UNIT = 0;

/** What waits in sndiod's device, in frames. */
const DEVICE_FRAMES = 1920;

/** The daemon. */
export class Sndiod implements AsyncDisposable {
  readonly card: SndioCard;
  /** What its clients need in their environment. */
  readonly env: Record<string, string>;
  readonly #words: readonly string[];
  #run: Run | undefined;

  private constructor(
    readonly folder: string,
    readonly sockets: string,
    readonly unit: number,
    uid: number,
  ) {
    this.card = new SndioCard(`${sockets}/sock${CARD_UNIT}`);
    Deno.chmodSync(`${sockets}/sock${CARD_UNIT}`, 0o666);
    this.env = { HOME: folder };
    this.#words = [
      ...["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--"],
      ...["sndiod", "-dd", "-U", String(unit), "-L", "127.0.0.1", "-q", "rmidi/9"],
      ...["-b", String(DEVICE_FRAMES), "-z", "480", "-f", `snd,${CARD_UNIT}/default`],
      ...["-s", "default", "-m", "mon", "-s", "mon"],
    ];
  }

  /**
   * Makes everything that it needs, and does not start it yet.
   *
   * @param folder where its clients' files go
   */
  static create(folder: string): Sndiod {
    // A user of its own has a folder of sockets of its own.
    const uid = 100_000 + crypto.getRandomValues(new Uint32Array(1))[0] % 1_000_000_000;
    const sockets = `/tmp/sndio-${uid}`;
    Deno.mkdirSync(sockets, { mode: 0o700 });
    Deno.chownSync(sockets, uid, uid);
    return new Sndiod(folder, sockets, freeUnit(), uid);
  }

  /** The name of one of its sub-devices, as clients have it. */
  device(name = "default"): string {
    return `snd@127.0.0.1,${this.unit}/${name}`;
  }

  /** Starts it; resolves when clients can connect. */
  async start(): Promise<void> {
    this.#run = new Run(this.#words, { env: this.env });
    await until(() => this.#listens(), `sndiod: ${this.#run.stderr}`);
  }

  #listens(): boolean {
    const local = `0100007F:${(PORT + this.unit).toString(16).toUpperCase()} `;
    return Deno.readTextFileSync("/proc/net/tcp").split("\n")
      .some((line) => line.includes(`${local}00000000:0000 0A`));
  }

  /** What it says. */
  get log(): string {
    return this.#run?.stderr ?? "";
  }

  signal(signal: Deno.Signal): void {
    this.#run!.kill(signal);
  }

  /** Kills it, and waits for its end. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.#run!.end();
  }

  /** Runs a program that is its client. */
  client(...words: string[]): Run {
    return new Run(words, { env: this.env });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#run?.[Symbol.asyncDispose]();
    this.card[Symbol.dispose]();
    await sleep(0);
    await Deno.remove(this.sockets, { recursive: true });
  }
}

/** A unit whose port nobody has. */
function freeUnit(): number {
  for (let unit = MOST_UNIT; unit > CARD_UNIT; unit--) {
    try {
      Deno.listen({ hostname: "127.0.0.1", port: PORT + unit }).close();
      return unit;
    } catch {
      // Another test has it.
    }
  }
  throw new Error("all units of sndiod are taken");
}
