// The fragments that a pointer completes, as count_info has them ("blocks") and as poll(2) waits for
// them.

import type { Parameters } from "./parameters.ts";

/** Counts the fragments of one pointer, a number of bytes that only grows until `reset`. */
export class Blocks {
  readonly #parameters: Parameters;
  readonly #bytes: () => number;
  #reported = 0;
  #polled = 0;

  /** @param bytes where the pointer is */
  constructor(parameters: Parameters, bytes: () => number) {
    this.#parameters = parameters;
    this.#bytes = bytes;
  }

  /** Fragments completed so far. */
  get completed(): number {
    return Math.floor(this.#bytes() / this.#parameters.fragmentBytes);
  }

  /** Fragments completed since this was last asked. */
  take(): number {
    const { completed } = this;
    const since = completed - this.#reported;
    this.#reported = completed;
    return Math.max(0, since);
  }

  /** Whether a fragment has been completed since `polled`. */
  get ready(): boolean {
    return this.completed > this.#polled;
  }

  /** Poll(2) has said that it is ready. */
  polled(): void {
    this.#polled = this.completed;
  }

  /** The pointer begins anew. */
  reset(): void {
    this.#reported = this.#polled = 0;
  }
}
