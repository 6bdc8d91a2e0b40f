// The time as one turn of the loop sees it. Asking the system costs a system call on some machines,
// and most requests do not care.

/** Reads the time when it is first asked for, and says the same until the next turn. */
export class TurnClock {
  #nowMs = -1;

  /** The time, in `performance.now()`'s milliseconds. */
  now(): number {
    if (this.#nowMs < 0) this.#nowMs = performance.now();
    return this.#nowMs;
  }

  /** How long the loop may sleep before a due time; Infinity for until something is read. */
  delayMs(dueMs: number): number {
    return dueMs - this.now();
  }

  /** Another turn, or another request, begins. */
  next(): void {
    this.#nowMs = -1;
  }
}
