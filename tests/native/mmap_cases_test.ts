// What can happen to a mapping that plays, on this kernel: what its program sees, and what is heard
// of it. The cases are mmap_cases.c's.

import { assert, assertEquals } from "@std/assert";
import { KERNEL_MAPS } from "../programs.ts";
import { assertGone, exists, LACKING, Run, Scratch, SOON_MS, until } from "./ossp.ts";

const CASES = [
  "larger_than_the_ring",
  "unaligned_offset",
  "windows",
  "child_feeds_parent_waits",
  "child_feeds_parent_exits",
  "unmap_and_write",
  "reset_while_running",
  "trigger_off_while_running",
  "poll_fragments",
  "set_fragments",
  "sync_while_running",
];

// As many clients at once as leave their times alone on two processors.
const AT_ONCE = 4;

const ignore = LACKING || !KERNEL_MAPS;

const step = { sanitizeOps: false, sanitizeResources: false, sanitizeExit: false };

/** How many bytes from the start are what mmap_cases.c plays. */
function soundLength(bytes: Uint8Array): number {
  const wrong = bytes.findIndex((byte, i) => byte !== ((i ^ i >> 8 ^ i >> 16) & 0xff));
  return wrong < 0 ? bytes.length : wrong;
}

/** Asserts that a file holds what a case's last line says: its sound, its other one, nothing else. */
function assertReported(file: string, stdout: string): void {
  const line = stdout.trimEnd().split("\n").at(-1)!;
  const report = line.match(/^(\d+) (\d+) (\d+) (\d+)$/);
  assert(report, stdout);
  const [least, most, otherLeast, otherMost] = report.slice(1).map(Number);
  if (most === 0) return assert(!exists(file), "something was heard");
  const bytes = Deno.readFileSync(file);
  const inverted = bytes.map((byte) => byte ^ 0xff);
  const wrong = soundLength(bytes);
  let length = wrong;
  let other = soundLength(inverted.subarray(length));
  // Where the other sound begins, the one before may seem to go on for some bytes.
  while (length > least && length + other < bytes.length) {
    other = soundLength(inverted.subarray(--length));
  }
  assertEquals(length + other, bytes.length, `byte ${wrong} is of neither sound`);
  assert(length <= most && length >= least, `${length} bytes of the sound heard; ${line}`);
  assert(other <= otherMost && other >= otherLeast, `${other} bytes of the other one; ${line}`);
}

/** A daemon whose streams become files called after the process that opened the device. */
class Served implements AsyncDisposable {
  readonly #runs: Run[] = [];

  private constructor(
    readonly scratch: Scratch,
    readonly client: string,
    readonly daemon: Run,
  ) {}

  static async start(...options: string[]): Promise<Served> {
    const scratch = new Scratch();
    const client = await scratch.client("mmap_cases");
    const sink = `raw:${scratch.path}/heard-%p`;
    const daemon = Run.ossp(["--dir", `${scratch.path}/devices`, "--sink", sink, ...options]);
    await daemon.printed("serving", "stderr");
    return new Served(scratch, client, daemon);
  }

  run(name: string): Run {
    const run = new Run([this.client, name, `${this.scratch.path}/devices/dsp`]);
    this.#runs.push(run);
    return run;
  }

  file({ pid }: Run): string {
    return `${this.scratch.path}/heard-${pid}`;
  }

  /** Resolves when something of a run has been heard. */
  async heard(run: Run): Promise<void> {
    const file = this.file(run);
    await until(() => exists(file) && Deno.statSync(file).size > 8192, `sound of ${run.pid}`);
  }

  async [Symbol.asyncDispose]() {
    // The daemon first: a killed client waits for it to take the pages that it has changed.
    await this.daemon[Symbol.asyncDispose]();
    for (const run of this.#runs) await run[Symbol.asyncDispose]();
    await this.scratch[Symbol.asyncDispose]();
  }
}

/** Runs a case to its end, and compares what was heard with what it says. */
async function play(served: Served, name: string): Promise<void> {
  const run = served.run(name);
  assertEquals([await run.end(), run.stderr], [0, ""], run.stdout);
  assertReported(served.file(run), run.stdout);
}

// A free clock has no time of its own: a mapping then keeps it by itself.
for (const clock of ["real", "free"]) {
  Deno.test({
    name: `programs that map the device in all ways, with a ${clock} clock`,
    ignore,
    async fn(test) {
      await using served = await Served.start("--clock", clock);
      const waiting = [...CASES];
      const worker = async () => {
        for (let name: string | undefined; (name = waiting.shift());) {
          const fn = () => play(served, name!);
          await test.step({ name: name.replaceAll("_", " "), fn, ...step });
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      served.daemon.kill("SIGTERM");
      assertEquals(await served.daemon.end(), 0);
      assertEquals(served.daemon.stderr.trimEnd().split("\n").length, 1, served.daemon.stderr);
    },
  });
}

Deno.test({
  name: "a mapping program that is killed has been heard till then, and leaves the others alone",
  ignore,
  async fn() {
    // No more streams than run at a time: a place that is not given back is missed.
    await using served = await Served.start("--max", "2");
    const kill = async () => {
      for (let round = 0; round < 5; round++) {
        const run = served.run("play_on");
        await served.heard(run);
        run.kill("SIGKILL");
        assertEquals(await run.end(), 137, run.stdout);
        await assertGone([run.pid]);
        const heard = Deno.readFileSync(served.file(run));
        assertEquals(soundLength(heard), heard.length);
      }
    };
    await Promise.all([play(served, "poll_fragments"), kill()]);
  },
});

for (const signal of ["SIGKILL", "SIGTERM"] as const) {
  Deno.test({
    name: `programs whose mappings outlive the daemon, ended by ${signal}, see errors, and end`,
    ignore,
    async fn() {
      await using served = await Served.start();
      const runs = Array.from({ length: 4 }, () => served.run("outlive_the_daemon"));
      await Promise.all(runs.map((run) => served.heard(run)));
      served.daemon.kill(signal);
      const startMs = performance.now();
      for (const run of runs) assertEquals([await run.end(), run.stderr], [0, ""], run.stdout);
      assert(performance.now() - startMs < SOON_MS, "the clients heard of it too late");
      await assertGone([served.daemon.pid, ...runs.map(({ pid }) => pid)]);
      for (const run of runs) assertReported(served.file(run), run.stdout);
    },
  });
}
