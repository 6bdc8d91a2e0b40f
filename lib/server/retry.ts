// When to try again what has failed: soon at first, then later and later.

const FIRST_MS = 100;

/** A back-off that doubles. Times are milliseconds. */
export class Retry {
  /** When it may be tried again: at any time before a failure. */
  dueMs = 0;
  readonly #mostMs: number;
  #stepMs = FIRST_MS;

  /** @param mostMs the longest that it waits */
  constructor(mostMs: number) {
    this.#mostMs = mostMs;
  }

  /** It waits, longer than the last time. */
  failed(nowMs: number): void {
    this.dueMs = nowMs + this.#stepMs;
    this.#stepMs = Math.min(2 * this.#stepMs, this.#mostMs);
  }

  /** It has not failed yet: it succeeded, or is another thing now. */
  reset(): void {
    this.dueMs = 0;
    this.#stepMs = FIRST_MS;
  }
}
