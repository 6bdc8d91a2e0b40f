// A ring that lives in the kernel's page cache: a program changes it through its mapping, and we fetch
// spans of it with NOTIFY_RETRIEVE. It knows nothing of sound.

// The smallest page that Linux has; larger ones are whole numbers of it.
const PAGE_BYTES = 4096;

/** The page cache of one node, as lib/fuse/session.ts gives access to it. */
export interface PageCache {
  /** The most bytes of one retrieval. */
  readonly maxRetrievalBytes: number;
  /** Asks for a span; the answer comes to the `onRetrieved` of the ring, in the order of questions. */
  retrieve(offset: number, size: number): void;
  /** Forgets the questions that have not been answered. */
  cancel(): void;
}

/** The ring, and what we last knew of each of its bytes. */
export class MappedRing {
  /** Whether a program has touched the mapping. */
  touched = false;

  /** Bytes asked for in all; divided by the bytes played it should stay at 1. */
  retrievedBytes = 0;

  /** What each byte was when it was last seen; a page that the cache has dropped is filled from here. */
  readonly #mirror: Uint8Array<ArrayBuffer>;
  readonly #cache: PageCache;
  /** Where the questions end whose answers are still to come, in their order. */
  readonly #questionEnds: number[] = [];
  /** The span that is being fetched. */
  #spanOffset = 0;
  #spanBytes = 0;
  #onSpan: ((bytes: Uint8Array<ArrayBuffer>, offset: number, length: number) => void) | undefined;

  /** @param size in bytes; the ring begins at the file's start */
  constructor(readonly size: number, cache: PageCache) {
    this.#mirror = new Uint8Array(size);
    this.#cache = cache;
  }

  /** Gives every byte the ring's first content; nobody must have mapped it yet. */
  clear(fill: (bytes: Uint8Array<ArrayBuffer>, start: number, length: number) => void): void {
    fill(this.#mirror, 0, this.size);
  }

  /** Whether a span is being fetched. */
  get busy(): boolean {
    return this.#onSpan !== undefined;
  }

  /**
   * Fetches a span that does not cross the ring's end. One at a time.
   *
   * @param onSpan gets the bytes, `length` from `offset` on, valid during the call only
   */
  fetch(
    offset: number,
    length: number,
    onSpan: (bytes: Uint8Array<ArrayBuffer>, offset: number, length: number) => void,
  ): void {
    this.#onSpan = onSpan;
    this.#spanOffset = offset;
    this.#spanBytes = length;
    this.retrievedBytes += length;
    const most = this.#cache.maxRetrievalBytes;
    for (let at = 0; at < length; at += most) this.#ask(offset + at, Math.min(most, length - at));
  }

  #ask(offset: number, size: number): void {
    this.#questionEnds.push(offset + size);
    this.#cache.retrieve(offset, size);
  }

  /**
   * Takes the answer to a retrieval. The kernel ends it before the first page that is not in its
   * cache; that page is what we last knew, but those behind it may be there.
   */
  onRetrieved(
    offset: number,
    bytes: Uint8Array<ArrayBuffer>,
    start: number,
    length: number,
  ): void {
    const end = this.#questionEnds.shift();
    if (!this.#onSpan || end === undefined) return;
    this.absorb(offset, bytes, start, length);
    const next = (Math.floor((offset + length) / PAGE_BYTES) + 1) * PAGE_BYTES;
    if (offset + length < end && next < end) this.#ask(next, end - next);
    if (this.#questionEnds.length > 0) return;
    const onSpan = this.#onSpan;
    this.#onSpan = undefined;
    onSpan(this.#mirror, this.#spanOffset, this.#spanBytes);
  }

  /** Forgets the span that is being fetched. */
  cancel(): void {
    this.#onSpan = undefined;
    this.#questionEnds.length = 0;
    this.#cache.cancel();
  }

  /** Notes what a part of the ring holds; what lies beyond its end is nobody's. */
  absorb(offset: number, bytes: Uint8Array<ArrayBuffer>, start: number, length: number): void {
    const kept = Math.min(length, this.size - offset);
    if (kept > 0) this.#mirror.set(bytes.subarray(start, start + kept), offset);
  }

  /** Fills a page that a program touches: what the ring holds there, zeros beyond its end. */
  fill(offset: number, target: Uint8Array<ArrayBuffer>, length: number): void {
    this.touched = true;
    const held = Math.max(0, Math.min(length, this.size - offset));
    target.set(this.#mirror.subarray(offset, offset + held));
    target.fill(0, held, length);
  }
}
