// Who has to be called when: the next of a set of due times. It keeps no timer of its own.

/** Something that wants to be called at a time of its own choosing. */
export interface Scheduled {
  /** When, in `performance.now()`'s milliseconds; Infinity for never. Changes at each call. */
  readonly dueMs: number;
  /** The call; `dueMs` has moved on after it. */
  run(): void;
}

/** A set of scheduled things. There are tens of them, so it looks at each. */
export class Schedule {
  readonly #items: Scheduled[] = [];
  #nextMs = Infinity;

  /** The earliest due time, or one a little before it; Infinity for none. */
  get nextMs(): number {
    return this.#nextMs;
  }

  add(item: Scheduled): void {
    this.#items.push(item);
    this.update(item);
  }

  remove(item: Scheduled): void {
    const index = this.#items.indexOf(item);
    if (index < 0) return;
    const last = this.#items.pop()!;
    if (index < this.#items.length) this.#items[index] = last;
  }

  /** Notes that an item's due time may have become earlier. */
  update(item: Scheduled): void {
    if (item.dueMs < this.#nextMs) this.#nextMs = item.dueMs;
  }

  /** Calls everything that is due. */
  run(nowMs: number): void {
    if (nowMs < this.#nextMs) return;
    // An item may remove itself, which puts the last one in its place.
    for (let i = this.#items.length - 1; i >= 0; i--) {
      const item = this.#items[i];
      if (item.dueMs <= nowMs) item.run();
    }
    this.#nextMs = Infinity;
    for (let i = 0; i < this.#items.length; i++) this.update(this.#items[i]);
  }
}
