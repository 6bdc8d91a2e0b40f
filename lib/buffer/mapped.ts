// A ring that lives in the kernel's page cache: a program changes it through its mapping and we fetch
// spans of it with NOTIFY_RETRIEVE, or we change it and show the program spans with NOTIFY_STORE. It
// knows nothing of sound.
//
// Two kinds of knowledge are kept apart. What a page held when it was last filled, written back or
// stored is what a page that the cache has dropped holds again: only a page without changes is
// dropped. What a retrieval finds is newer, but only good to be used at once.

// The smallest page that Linux has; larger ones are whole numbers of it.
const PAGE_BYTES = 4096;

/** The page cache of one node, as lib/fuse/session.ts gives access to it. */
export interface PageCache {
  /** The most bytes of one retrieval or one store. */
  readonly maxBytes: number;
  /** Whether `store` can be called. */
  readonly canStore: boolean;
  /** Asks for a span; the answer comes to the `onRetrieved` of the ring, in the order of questions. */
  retrieve(offset: number, size: number): void;
  /** Forgets the questions that have not been answered. */
  cancel(): void;
  /**
   * Changes a span to `bytes[offset, offset + length)`; the program sees it before `onStored`.
   *
   * @param bytes copied before this returns
   */
  store(
    offset: number,
    bytes: Uint8Array<ArrayBuffer>,
    length: number,
    onStored: () => void,
  ): void;
}

/** Takes a span of the ring: `length` bytes from `start` on, valid during the call only. */
export type OnSpan = (bytes: Uint8Array<ArrayBuffer>, start: number, length: number) => void;

/** The ring, and what we know of each of its bytes. */
export class MappedRing {
  /** Bytes asked for in all; divided by the bytes played it should stay at 1. */
  retrievedBytes = 0;

  /** Called when what `show` was last asked to show is seen. */
  onShown: () => void = () => {};

  readonly #cache: PageCache;
  #bytes = new Uint8Array(0);
  /**
   * Which pages may be in the cache and good: 1 and the fetches before the last fill, or 0. Of others
   * it may hold garbage, which the READ that is on its way will replace; and what is to be shown there
   * comes with that READ.
   */
  #present = new Uint32Array(0);
  #fetches = 0;
  /** Where the questions end whose answers are still to come, in their order. */
  readonly #questionEnds: number[] = [];
  /** The span that is being fetched, and what is known of it so far. */
  #span = new Uint8Array(0);
  #spanOffset = 0;
  #spanBytes = 0;
  #onSpan: OnSpan | undefined;
  /** The program sees all before the first position; what comes before the second is being stored. */
  #shownTo = 0;
  #storedTo = 0;
  /** The program is to see all before this position. */
  #showTo = 0;
  /** Bytes of the turns that `showAll` has taken. */
  #extra = 0;
  #storing = false;

  /** @param cache the ring begins at its start */
  constructor(cache: PageCache) {
    this.#cache = cache;
  }

  /** Bytes of the ring. */
  get size(): number {
    return this.#bytes.length;
  }

  /**
   * What a page is filled with. Whoever changes it says so by `show`, or must know that nobody has
   * touched the ring yet.
   */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  /** Makes it a ring of another size, of zeros. Pages that a program has touched stay as they are. */
  resize(size: number): void {
    this.cancel();
    this.restart();
    const present = new Uint32Array(Math.max(this.#present.length, Math.ceil(size / PAGE_BYTES)));
    present.set(this.#present);
    this.#present = present;
    this.#bytes = new Uint8Array(size);
  }

  /** Whether what is changed here can be shown to the program. */
  get canShow(): boolean {
    return this.#cache.canStore;
  }

  /** Whether a span is being fetched. */
  get busy(): boolean {
    return this.#onSpan !== undefined;
  }

  /** Whether the program does not see yet all that it is to see. */
  get showing(): boolean {
    return this.#storing;
  }

  /** Fetches a span that does not cross the ring's end. One at a time. */
  fetch(offset: number, length: number, onSpan: OnSpan): void {
    this.#fetches++;
    this.#onSpan = onSpan;
    this.#spanOffset = offset;
    this.#spanBytes = length;
    if (this.#span.length < length) this.#span = new Uint8Array(length);
    this.#span.set(this.#bytes.subarray(offset, offset + length));
    this.retrievedBytes += length;
    const most = this.#cache.maxBytes;
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
    for (let at = offset; at < offset + length;) {
      const page = pageOf(at);
      const pageEnd = Math.min((page + 1) * PAGE_BYTES, offset + length);
      if (this.#present[page]) this.#keepInSpan(at, bytes, start + at - offset, pageEnd - at);
      at = pageEnd;
    }
    if (offset + length < end) {
      const absent = pageOf(offset + length);
      // A page that was filled meanwhile had not been good yet, but was there.
      if (this.#present[absent] <= this.#fetches) this.#present[absent] = 0;
      const next = (absent + 1) * PAGE_BYTES;
      if (next < end) this.#ask(next, end - next);
    }
    if (this.#questionEnds.length > 0) return;
    const onSpan = this.#onSpan;
    this.#onSpan = undefined;
    onSpan(this.#span, 0, this.#spanBytes);
  }

  #keepInSpan(
    offset: number,
    bytes: Uint8Array<ArrayBuffer>,
    start: number,
    length: number,
  ): void {
    const from = Math.max(offset, this.#spanOffset);
    const to = Math.min(offset + length, this.#spanOffset + this.#spanBytes);
    if (from >= to) return;
    const source = start + from - offset;
    this.#span.set(bytes.subarray(source, source + to - from), from - this.#spanOffset);
  }

  /** Forgets the span that is being fetched. */
  cancel(): void {
    this.#onSpan = undefined;
    this.#questionEnds.length = 0;
    this.#cache.cancel();
  }

  /**
   * Takes a page that is written back. What lies beyond the ring's end is nobody's, and what the
   * program is still to be shown is newer.
   */
  absorb(offset: number, bytes: Uint8Array<ArrayBuffer>, start: number, length: number): void {
    const kept = Math.min(length, this.size - offset);
    if (kept <= 0) return;
    if (this.#shownTo === this.#showTo) {
      this.#bytes.set(bytes.subarray(start, start + kept), offset);
    } else {
      for (let i = 0; i < kept; i++) {
        if (!this.#isToBeShown(offset + i)) this.#bytes[offset + i] = bytes[start + i];
      }
    }
    if (this.#onSpan) this.#keepInSpan(offset, bytes, start, kept);
  }

  #isToBeShown(offset: number): boolean {
    const { size } = this;
    return (offset - this.#shownTo % size + size) % size < this.#showTo - this.#shownTo;
  }

  /** Fills a page that a program touches: what the ring holds there, zeros beyond its end. */
  fill(offset: number, target: Uint8Array<ArrayBuffer>, length: number): void {
    const held = Math.max(0, Math.min(length, this.size - offset));
    target.set(this.#bytes.subarray(offset, offset + held));
    target.fill(0, held, length);
    const end = Math.ceil((offset + held) / PAGE_BYTES);
    for (let page = pageOf(offset); page < end; page++) this.#present[page] = this.#fetches + 1;
  }

  /** What is shown begins anew at the ring's start. */
  restart(): void {
    this.#shownTo =
      this.#storedTo =
      this.#showTo =
      this.#extra =
        0;
  }

  /**
   * Shows the program `bytes` as they are now, from where the last call ended.
   *
   * @param position where it ends, counted in bytes around and around the ring since `restart`
   */
  show(position: number): void {
    this.#showTo = position + this.#extra;
    if (!this.#storing) this.#store();
  }

  /** Shows the program all `bytes` as they are now. */
  showAll(): void {
    this.#extra += this.size;
    this.#showTo += this.size;
    if (!this.#storing) this.#store();
  }

  #store(): void {
    // Of what has been overwritten since there is nothing to be seen.
    this.#storedTo = Math.max(this.#storedTo, this.#showTo - this.size);
    this.#shownTo = this.#storedTo;
    while (this.#storedTo < this.#showTo) {
      const offset = this.#storedTo % this.size;
      const isPresent = this.#present[pageOf(offset)] > 0;
      const length = this.#alike(offset, this.#showTo - this.#storedTo);
      this.#storedTo += length;
      if (isPresent) {
        this.#storing = true;
        this.#cache.store(offset, this.#bytes, length, this.#onStored);
        return;
      }
      this.#shownTo = this.#storedTo;
    }
    this.onShown();
  }

  /** How many bytes from `offset` on, `most` or fewer, lie in pages that are all present or all not. */
  #alike(offset: number, most: number): number {
    const last = Math.min(offset + most, offset + this.#cache.maxBytes, this.size);
    const isPresent = this.#present[pageOf(offset)] > 0;
    let page = pageOf(offset) + 1;
    while (page * PAGE_BYTES < last && this.#present[page] > 0 === isPresent) page++;
    return Math.min(page * PAGE_BYTES, last) - offset;
  }

  readonly #onStored = (): void => {
    this.#storing = false;
    this.#store();
  };
}

function pageOf(offset: number): number {
  return Math.floor(offset / PAGE_BYTES);
}
