// Whether a loop looks a little longer for the next request before it goes to sleep.

// How long to look for the next request before going to sleep: a program that makes one call after
// the other makes the next within microseconds of the answer. On a single processor, looking for it
// keeps the program from making it.
const SPIN_MS = navigator.hardwareConcurrency > 1 ? 0.02 : 0;

// What is read so soon after something was written was caused by it.
const HOT_MS = 0.05;

/** Knows whether it pays to look for the next request before going to sleep. */
export class Spinner {
  #wroteMs = -Infinity;
  #wrote = false;
  #hot = false;

  /** Notes that something was written. */
  wrote(): void {
    this.#wrote = true;
  }

  /** Notes that something was read. */
  read(): void {
    if (SPIN_MS > 0) this.#hot = performance.now() - this.#wroteMs < HOT_MS;
  }

  /** Until when to look, in `performance.now()`'s milliseconds; 0 for not at all. */
  untilMs(): number {
    if (SPIN_MS === 0 || !this.#wrote) return 0;
    this.#wrote = false;
    this.#wroteMs = performance.now();
    return this.#hot ? this.#wroteMs + SPIN_MS : 0;
  }
}
