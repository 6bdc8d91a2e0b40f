// When the threads of a process were woken, when they had a processor, and which other thread of the
// same process they waited for, as the kernel's own trace tells (Documentation/trace/events.rst).

import { TextLineStream } from "@std/streams";
import { Run } from "../native/ossp.ts";

// Of an event in the kernel's buffer.
const EVENT_BYTES = 80;

// Priorities as the kernel counts, the least the most urgent. Below 100 is what is real-time, and JACK's
// threads, and those that serve its cycles, are the last twenty of that.
const isJacks = (priority: string) => `(${priority} >= 80 && ${priority} < 100)`;

// That a futex has been waited for is told because a switch from the idle task may not be (Linux 6.18
// here, on one of two processors): the thread has begun when anything is told of it.
const EVENTS = {
  "sched/sched_waking": isJacks("prio"),
  "sched/sched_switch": `${isJacks("prev_prio")} || ${isJacks("next_prio")}`,
  "syscalls/sys_exit_futex": "0",
};

const EVENT = /-(\d+) +\[\d+\] \S+ +(\d+\.\d+): (\w+):? (.*)/;
const WAKING = /pid=(\d+) prio=(\d+) /;
const SWITCH = /prev_pid=(\d+) .*prev_state=(\S+) ==> .*next_pid=(\d+) /;

/** From a thread's waking to its next sleep. */
export interface Turn {
  /** Milliseconds since the epoch. */
  readonly fromMs: number;
  readonly toMs: number;
  /** How long of that it, or another thread of its process that it waited for, had a processor. */
  readonly ownMs: number;
}

/** A turn that has not ended. */
interface Open {
  readonly wokenS: number;
  begunS: number;
  ownS: number;
}

/** A trace of a process's threads. */
export class Scheduling implements AsyncDisposable {
  readonly #mount: string;
  readonly #instance: string;
  readonly #pid: number;
  readonly #threads = new Set<string>();

  private constructor(mount: string, pid: number) {
    this.#mount = mount;
    this.#instance = `${mount}/instances/ossp-bench-${Deno.pid}`;
    this.#pid = pid;
  }

  /**
   * Traces a process from now on.
   *
   * @param folder where the kernel's trace is mounted
   * @param events for how many there must be place, of one processor
   * @throws {Error} where the kernel has no trace, or does not let us
   */
  static async watch(pid: number, folder: string, events: number): Promise<Scheduling> {
    const mount = `${folder}/tracing`;
    await Deno.mkdir(mount);
    await using run = new Run(["mount", "-t", "tracefs", "ossp-bench", mount]);
    if (await run.end() !== 0) throw new Error(run.stderr);
    const trace = new Scheduling(mount, pid);
    await Deno.mkdir(trace.#instance);
    trace.#put("trace_clock", "mono");
    trace.#put("buffer_size_kb", String(Math.ceil(events * EVENT_BYTES / 1024)));
    for (const [event, filter] of Object.entries(EVENTS)) {
      trace.#put(`events/${event}/filter`, filter);
      trace.#put(`events/${event}/enable`, "1");
    }
    const epochMs = performance.timeOrigin + performance.now();
    trace.#put("trace_marker", String(epochMs));
    return trace;
  }

  #put(file: string, text: string): void {
    Deno.writeTextFileSync(`${this.#instance}/${file}`, text);
  }

  /** Notes which threads the process has; to be called before some of them end. */
  note(): void {
    for (const { name } of Deno.readDirSync(`/proc/${this.#pid}/task`)) this.#threads.add(name);
  }

  /**
   * Ends the trace.
   *
   * @returns those turns of the most urgent threads of which the process had so much itself
   */
  async end(leastOwnMs: number): Promise<Turn[]> {
    this.#put("tracing_on", "0");
    this.note();
    for (const { name } of Deno.readDirSync(`${this.#instance}/per_cpu`)) {
      const stats = Deno.readTextFileSync(`${this.#instance}/per_cpu/${name}/stats`);
      if (!/^overrun: 0$/m.test(stats)) throw new Error(`the trace had no place: ${stats}`);
    }
    let epochMs = 0;
    let urgent = Infinity;
    let turns: Turn[] = [];
    const open = new Map<string, Open>();
    /** Since when threads of the process have a processor, where it was told. */
    const running = new Map<string, number>();
    const file = await Deno.open(`${this.#instance}/trace`);
    const lines = file.readable.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream());
    for await (const line of lines) {
      const [, current, time, event, fields] = line.match(EVENT) ?? [];
      const timeS = Number(time);
      const unseen = open.get(current);
      if (unseen && !unseen.begunS) unseen.begunS = timeS;
      if (event === "tracing_mark_write") epochMs = Number(fields) - timeS * 1000;
      if (event === "sched_waking") {
        const [, thread, priority] = fields.match(WAKING)!;
        if (!this.#threads.has(thread) || Number(priority) > urgent) continue;
        if (Number(priority) < urgent) {
          turns = [];
          open.clear();
        }
        urgent = Number(priority);
        if (!running.has(thread)) open.set(thread, { wokenS: timeS, begunS: 0, ownS: 0 });
      }
      if (event !== "sched_switch") continue;
      const [, previous, state, next] = fields.match(SWITCH)!;
      const begun = open.get(next);
      if (begun) {
        begun.begunS = timeS;
        if (this.#threads.has(previous)) {
          begun.ownS += timeS - Math.max(running.get(previous) ?? 0, begun.wokenS);
        }
      }
      running.delete(previous);
      if (this.#threads.has(next)) running.set(next, timeS);
      const turn = open.get(previous);
      if (!turn) continue;
      turn.ownS += timeS - turn.begunS;
      turn.begunS = 0;
      if (state.startsWith("R")) continue; // another has its processor
      open.delete(previous);
      if (turn.ownS * 1000 < leastOwnMs) continue;
      turns.push({
        fromMs: epochMs + turn.wokenS * 1000,
        toMs: epochMs + timeS * 1000,
        ownMs: turn.ownS * 1000,
      });
    }
    return turns;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#instance);
    await using run = new Run(["umount", this.#mount]);
    await run.end();
    await Deno.remove(this.#mount);
  }
}
