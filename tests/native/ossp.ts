// An ossp under test: a run of the real program, everything that descends from it, and the sound
// that arrives behind it.

import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { parseWav } from "../../lib/pcm/wav.ts";
import { compile } from "../compile.ts";
import { NO_SERVER } from "../programs.ts";

/** The words that run ossp from its sources; a subcommand follows. */
export const OSSP: readonly string[] = [
  Deno.execPath(),
  "run",
  "--allow-all",
  "--quiet",
  fileURLToPath(new URL("../../main.ts", import.meta.url)),
];

/** The words that run a program as an ordinary user. */
export const AS_USER: readonly string[] = [
  "setpriv",
  "--reuid=1000",
  "--regid=1000",
  "--clear-groups",
  "--",
];

/** Whether this machine lacks what these tests need. CI's may not: there they run, and fail. */
export const LACKING = Deno.env.get("CI") !== "true" &&
  (Deno.uid() !== 0 || !exists("/dev/fuse") || !exists("/usr/bin/cc"));

/** How long the end of one side may take to reach the other, and whatever else is "at once". */
export const SOON_MS = 1000;

/** Longer than a run takes to bring its devices up on a busy machine. */
const PATIENCE_MS = 60_000;

/** Whether a file, of whatever kind, is there. */
export function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Resolves when `done` says so; throws when that takes too long. */
export async function until(done: () => boolean, what: string, limitMs = PATIENCE_MS) {
  const startMs = performance.now();
  while (!done()) {
    assert(performance.now() - startMs < limitMs, `${what}: not within ${limitMs} ms`);
    await sleep(10);
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A folder of the test's own, open to every user; mounts that are left in it go with it. */
export class Scratch implements AsyncDisposable {
  readonly path = Deno.makeTempDirSync({ prefix: "ossp-test-" });

  constructor() {
    Deno.chmodSync(this.path, 0o777);
  }

  /** Compiles client.c, or another C program of this folder; returns the path of the program. */
  client(name = "client"): Promise<string> {
    return compile(`native/${name}.c`, this.path);
  }

  /** The mounts in this namespace that a run has made in the folder or on /dev. */
  mounts(): string[] {
    return Deno.readTextFileSync("/proc/self/mountinfo").split("\n").filter((line) => {
      const [mountPoint, source] = [line.split(" ")[4], line.split(" - ")[1]?.split(" ")[1]];
      return source === "ossp" &&
        (mountPoint.startsWith(this.path) || mountPoint.startsWith("/dev"));
    });
  }

  async [Symbol.asyncDispose]() {
    for (const line of this.mounts()) {
      await new Deno.Command("umount", { args: ["--lazy", line.split(" ")[4]] }).output();
    }
    await Deno.remove(this.path, { recursive: true });
  }
}

/** How a run is started, beside its words. */
export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  readonly stdin?: string;
  /** Takes what comes on standard error, as it comes. */
  readonly onStderr?: (text: string) => void;
  /** Words before ossp's own. */
  readonly by?: readonly string[];
  /** Ossp's own, if not `OSSP`. */
  readonly ossp?: readonly string[];
}

/** A program that runs, what it prints, and its family: whoever has its environment. */
export class Run implements AsyncDisposable {
  stdout = "";
  stderr = "";
  readonly #child: Deno.ChildProcess;
  readonly #marker = `OSSP_TEST_RUN=${crypto.randomUUID()}`;
  readonly #pumped: Promise<unknown>;
  #ended = false;

  constructor(words: readonly string[], run: RunOptions = {}) {
    const { cwd, env = {}, stdin = "", onStderr } = run;
    const [name, value] = this.#marker.split("=");
    this.#child = new Deno.Command(words[0], {
      args: words.slice(1),
      cwd,
      env: { ...env, [name]: value },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const pump = async (stream: ReadableStream<Uint8Array>, name: "stdout" | "stderr") => {
      const decoder = new TextDecoder();
      for await (const bytes of stream) {
        const text = decoder.decode(bytes, { stream: true });
        this[name] += text;
        if (name === "stderr") onStderr?.(text);
      }
    };
    this.#pumped = Promise.all([
      pump(this.#child.stdout, "stdout"),
      pump(this.#child.stderr, "stderr"),
      // A run that is refused reads nothing.
      ReadableStream.from([new TextEncoder().encode(stdin)]).pipeTo(this.#child.stdin).catch(
        () => {},
      ),
    ]).finally(() => this.#ended = true);
  }

  /** `ossp run` through the fuse front end. */
  static ossp(args: readonly string[], run: RunOptions = {}): Run {
    const { by = [], ossp = OSSP, ...options } = run;
    return new Run([...by, ...ossp, "run", "--frontend", "fuse", ...NO_SERVER, ...args], options);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Resolves when standard output, or standard error, has come to hold a text. */
  async printed(text: string, stream: "stdout" | "stderr" = "stdout"): Promise<void> {
    await until(() => this[stream].includes(text) || this.#ended, `"${text}" on ${stream}`);
    assert(this[stream].includes(text), `no "${text}": ${this.stdout}${this.stderr}`);
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /**
   * Its exit status, 128 and the signal's number if a signal ended it, when all that it started has
   * closed its output too.
   */
  async end(limitMs = PATIENCE_MS): Promise<number> {
    const timer = setTimeout(() => this.#killFamily(), limitMs);
    await this.#pumped;
    const { code } = await this.#child.status;
    clearTimeout(timer);
    return code;
  }

  /** Ends whatever of it is left, as after a failed assertion. */
  async [Symbol.asyncDispose]() {
    this.#killFamily();
    await this.end();
  }

  // A process that has begun to exit has no environment any more, and
  // follows when those that it waits for are gone.
  #killFamily(): void {
    for (const pid of this.family()) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch {
        // It has ended.
      }
    }
  }

  /** The ids of the family's processes. */
  family(): number[] {
    return processes().filter((pid) =>
      readProc(pid, "environ")?.split("\0").includes(this.#marker)
    );
  }

  /** The family's process that runs the program of a name. */
  member(command: string): number {
    const pid = this.family().find((pid) => readProc(pid, "comm")?.trimEnd() === command);
    assert(pid !== undefined, `no process of the run is called ${command}`);
    return pid;
  }
}

function processes(): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((pid) => pid > 0);
}

function readProc(pid: number, file: string): string | undefined {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/${file}`);
  } catch {
    return undefined;
  }
}

/** Asserts that processes end soon, none of them stuck in the kernel. Zombies have ended. */
export async function assertGone(pids: readonly number[]) {
  const left = () =>
    pids.map((pid) => readProc(pid, "stat")).filter((stat) => stat && !/^\d+ \(.*\) Z/.test(stat));
  const startMs = performance.now();
  while (left().length > 0 && performance.now() - startMs < SOON_MS) await sleep(10);
  assertEquals(left(), [], "processes left behind");
}

/** Whether a WAV file's header tells its size: it is written after the samples. */
export function isTrue(path: string): boolean {
  return missing(Deno.readFileSync(path)) === 0;
}

/** How many bytes a WAV file has behind what its header tells of. */
function missing(bytes: Uint8Array<ArrayBuffer>): number {
  const { dataOffset } = parseWav(bytes);
  const view = new DataView(bytes.buffer);
  const length = view.getUint32(dataOffset - 4, true);
  assertEquals(view.getUint32(4, true), dataOffset + length - 8, "the RIFF chunk's size");
  return bytes.length - dataOffset - length;
}

/**
 * The samples of a WAV file whose header must be true: no byte more or less than it says.
 *
 * @param cut the file's writer was killed, and the last samples may have no header yet
 */
export function samplesOf(path: string, cut = false): Uint8Array<ArrayBuffer> {
  const bytes = Deno.readFileSync(path);
  const more = missing(bytes);
  assert(cut ? more >= 0 : more === 0, `${path} has ${more} bytes more than its header says`);
  return bytes.slice(parseWav(bytes).dataOffset);
}

/** Asserts that samples are the beginning of what client.c plays. */
export function assertPattern(samples: Uint8Array): void {
  const wrong = samples.findIndex((sample, i) => sample !== ((i ^ i >> 8 ^ i >> 16) & 0xff));
  assertEquals(wrong, -1, "the first sample that is not the client's");
}
