// A byte ring of fixed capacity: one end writes, the other reads, in order.

/** A first-in, first-out buffer of bytes. */
export class RingBuffer {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #readAt = 0;
  #length = 0;

  /** @param capacity in bytes */
  constructor(readonly capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** The bytes that wait to be read. */
  get length(): number {
    return this.#length;
  }

  /** The bytes that can be written now. */
  get free(): number {
    return this.capacity - this.#length;
  }

  /** Takes what fits of `source[start, start + length)`; returns how many bytes that was. */
  write(source: Uint8Array<ArrayBuffer>, start: number, length: number): number {
    const taken = Math.min(length, this.free);
    const writeAt = (this.#readAt + this.#length) % this.capacity;
    const first = Math.min(taken, this.capacity - writeAt);
    this.#bytes.set(source.subarray(start, start + first), writeAt);
    if (first < taken) this.#bytes.set(source.subarray(start + first, start + taken), 0);
    this.#length += taken;
    return taken;
  }

  /** Moves up to `length` bytes to the start of `target`; returns how many. */
  read(target: Uint8Array<ArrayBuffer>, length: number): number {
    const given = Math.min(length, this.#length);
    const first = Math.min(given, this.capacity - this.#readAt);
    target.set(this.#bytes.subarray(this.#readAt, this.#readAt + first));
    if (first < given) target.set(this.#bytes.subarray(0, given - first), first);
    this.#readAt = (this.#readAt + given) % this.capacity;
    this.#length -= given;
    return given;
  }

  /** Forgets the oldest `length` bytes, of which there are so many. */
  drop(length: number): void {
    this.#readAt = (this.#readAt + length) % this.capacity;
    this.#length -= length;
  }

  /** Forgets everything. */
  clear(): void {
    this.#readAt = 0;
    this.#length = 0;
  }
}
