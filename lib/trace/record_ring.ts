// Records in memory that two threads see: one puts them in, the other takes them out, neither ever
// waits for the other. What does not fit is the writer's to count.

// Words of 32 bits that the memory begins with.
const HEAD = 0; // where the next record goes, by the writer
const TAIL = 1; // where the oldest record is, by the reader
const HEADER_BYTES = 64;

/** A record lies on a multiple of this, and its length is one. */
const ALIGN = 8;

// In place of a record's length: the next one lies at the start of the memory.
const WRAP = 0xffff_ffff;

/** One side's view of the records. Each begins with its length, in 32 bits, which the ring sets. */
export class RecordRing {
  /** Where records are, for both sides to read and write fields at the offsets that they got. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  readonly view: DataView<SharedArrayBuffer>;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #capacity: number;

  /** Memory for a new ring. */
  static allocate(bytes: number): SharedArrayBuffer {
    return new SharedArrayBuffer(HEADER_BYTES + align(bytes));
  }

  constructor(readonly memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory, 0, HEADER_BYTES / 4);
    this.bytes = new Uint8Array(memory, HEADER_BYTES);
    this.view = new DataView(memory, HEADER_BYTES);
    this.#capacity = this.bytes.length;
  }

  /**
   * The writer's: a place for a record of `length` bytes.
   *
   * @param spare so many bytes must be free behind it
   * @returns its offset, or -1 where there is no room
   */
  reserve(length: number, spare: number): number {
    const head = this.#words[HEAD];
    const tail = Atomics.load(this.#words, TAIL);
    const size = align(length);
    const used = (head - tail + this.#capacity) % this.#capacity;
    const atEnd = head + size <= this.#capacity;
    const skipped = atEnd ? 0 : this.#capacity - head;
    // A full ring would look like an empty one.
    if (used + skipped + size + align(spare) >= this.#capacity) return -1;
    if (atEnd) return head;
    this.view.setUint32(head, WRAP, true);
    return 0;
  }

  /** The writer's: the record of `length` bytes at `offset` is complete, and the reader may have it. */
  commit(offset: number, length: number): void {
    this.view.setUint32(offset, length, true);
    Atomics.store(this.#words, HEAD, (offset + align(length)) % this.#capacity);
  }

  /** The reader's: the offset of the oldest record, or -1 where there is none. */
  next(): number {
    const head = Atomics.load(this.#words, HEAD);
    const tail = this.#words[TAIL];
    if (tail === head) return -1;
    return this.view.getUint32(tail, true) === WRAP ? 0 : tail;
  }

  /** The reader's: the record at `offset`, which `next` has told, is done with. */
  release(offset: number): void {
    const size = align(this.view.getUint32(offset, true));
    Atomics.store(this.#words, TAIL, (offset + size) % this.#capacity);
  }
}

function align(bytes: number): number {
  return Math.ceil(bytes / ALIGN) * ALIGN;
}
