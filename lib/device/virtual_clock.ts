// The time of a script: it stands while one of its processes works, and jumps to what is due next when
// all of them sleep in the kernel. So a script's times are exact, and nobody waits for them.

import type { Watcher } from "../fuse/watcher.ts";
import { TurnClock } from "./turn_clock.ts";

/** One of the script's processes, each of which has one thread that makes calls. */
interface Process {
  /** Requests of its that wait for their answer: one, or none. */
  readonly parked: Set<number>;
  /** What its poll(2) has asked in vain: the control device and one more, then it sleeps. */
  readonly polls: Set<number>;
}

const POLLED_AT_ONCE = 2;

/** Time for a loop whose clients are the processes of a script. */
export class VirtualClock extends TurnClock implements Watcher {
  /** How much too late the next thing that is due comes, once. */
  lateMs = 0;

  /** When a process was last woken. */
  wokenMs = 0;

  /** Whether the kernel owes no answer that does not depend on the time. */
  settled: () => boolean = () => true;

  readonly #processes = new Map<number, Process>();
  /** Whose request it is, and how it is answered when nothing else will. */
  readonly #parked = new Map<number, { pid: number; interrupt: () => void }>();
  #nowMs = 0;

  override now(): number {
    return this.#nowMs;
  }

  override next(): void {}

  /** Nobody sleeps for any time: it jumps, or it stands until a process has called. */
  override delayMs(dueMs: number): number {
    if (!this.everybodySleeps()) return Infinity;
    this.#nowMs = Math.max(this.#nowMs, dueMs + this.lateMs);
    this.lateMs = 0;
    return 0;
  }

  /** A process makes itself known. */
  enter(pid: number): void {
    this.#processes.set(pid, { parked: new Set(), polls: new Set() });
  }

  leave(pid: number): void {
    this.#processes.delete(pid);
  }

  /** A process's poll(2) begins anew. */
  polls(pid: number): void {
    this.#processes.get(pid)?.polls.clear();
  }

  /** Whether no process works, and none will before some time has passed. */
  everybodySleeps(): boolean {
    for (const { parked, polls } of this.#processes.values()) {
      if (parked.size === 0 && polls.size < POLLED_AT_ONCE) return false;
    }
    return this.settled();
  }

  /** Wakes all who wait for an answer, as a signal would: it will not come. */
  interruptAll(): void {
    for (const { interrupt } of [...this.#parked.values()]) interrupt();
  }

  parked(unique: number, pid: number, interrupt: () => void): void {
    this.#parked.set(unique, { pid, interrupt });
    this.#processes.get(pid)?.parked.add(unique);
  }

  answered(unique: number): void {
    this.wokenMs = this.#nowMs;
    const pid = this.#parked.get(unique)?.pid;
    this.#parked.delete(unique);
    if (pid !== undefined) this.#processes.get(pid)?.parked.delete(unique);
  }

  polled(pid: number, handle: number, events: number): void {
    const polls = this.#processes.get(pid)?.polls;
    if (events === 0) polls?.add(handle);
    else polls?.clear();
  }

  notified(handle: number): void {
    this.wokenMs = this.#nowMs;
    for (const { polls } of this.#processes.values()) if (polls.has(handle)) polls.clear();
  }
}
