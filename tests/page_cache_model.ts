// A model of the page cache that Linux keeps for a mapped FUSE file: what its pages hold, and which
// steps the kernel can take with them. A step that it cannot take throws. tests/unit/mapped_test.ts
// drives the ring with it, tests/native/page_cache_test.ts compares it with the kernel.

/** Bytes of a page; kernels that have larger ones are not modelled. */
export const PAGE_BYTES = 4096;

/** A byte of a page that nobody has filled: it may be anything. */
export const GARBAGE = -1;

interface Page {
  /** Values of 0 to 255, or GARBAGE. */
  readonly bytes: Int16Array;
  upToDate: boolean;
  /** Held from the start of a fault until the READ is answered. */
  locked: boolean;
  /** Changed by the program since it was filled or written back. */
  dirty: boolean;
  writtenBack: boolean;
  /** Retrievals that have found it and are not read yet. */
  holders: number;
}

/** The answer to a retrieval: pages that were found, not yet what they hold. */
export interface Retrieval {
  readonly offset: number;
  readonly length: number;
  /** What the pages hold now that the server reads it; once. */
  read(): Int16Array;
}

/** A NOTIFY_STORE under way, in a thread that may wait. */
export interface Store {
  /** Goes on as far as no lock stops it; whether it is done. */
  advance(): boolean;
}

/** The number of the page that a byte is in. */
export function pageOf(offset: number): number {
  return Math.floor(offset / PAGE_BYTES);
}

/** The pages of one inode. */
export class PageCacheModel {
  readonly #pages = new Map<number, Page>();

  /**
   * @param findsUnfilled whether a retrieval takes a page that is not up to date for what it holds,
   *   as it did for long; in 6.18.44 it ends before it
   */
  constructor(readonly findsUnfilled: boolean) {}

  /** Whether a page is there, whatever it holds. */
  has(index: number): boolean {
    return this.#pages.has(index);
  }

  /** Whether a program can load from a page without a fault that READs it. */
  canLoad(index: number): boolean {
    return this.#pages.get(index)?.upToDate ?? false;
  }

  /** Whether a program can change a page without waiting. */
  canSet(index: number): boolean {
    return this.canLoad(index) && !this.#pages.get(index)!.writtenBack;
  }

  /** Whether a program's fault is the one that READs the page, and not one that waits. */
  canFault(index: number): boolean {
    const page = this.#pages.get(index);
    return !page || !page.upToDate && !page.locked;
  }

  canWriteBack(index: number): boolean {
    const page = this.#pages.get(index);
    return page !== undefined && page.dirty && !page.writtenBack;
  }

  canDrop(index: number): boolean {
    const page = this.#pages.get(index);
    return page !== undefined && !page.dirty && !page.writtenBack && !page.locked &&
      page.holders === 0;
  }

  /** The program loads a byte. */
  load(offset: number): number {
    allow(this.canLoad(pageOf(offset)), `load at ${offset}`);
    return this.#at(offset);
  }

  /** The program stores a byte. */
  set(offset: number, value: number): void {
    const index = pageOf(offset);
    allow(this.canSet(index), `change at ${offset}`);
    const page = this.#pages.get(index)!;
    page.bytes[offset % PAGE_BYTES] = value;
    page.dirty = true;
  }

  /** A fault begins: the page is there and locked, and its READ will be queued. */
  fault(index: number): void {
    allow(this.canFault(index), `READ of page ${index}`);
    this.#get(index).locked = true;
  }

  /** The READ is answered. */
  fill(index: number, bytes: Uint8Array): void {
    const page = this.#pages.get(index);
    allow(page?.locked, `answer to a READ of page ${index}`);
    page.bytes.set(bytes);
    page.upToDate = true;
    page.locked = false;
  }

  /**
   * A page's write-back begins: the WRITE will be queued.
   *
   * @returns reads what the page holds
   */
  beginWriteBack(index: number): () => Int16Array {
    allow(this.canWriteBack(index), `WRITE of page ${index}`);
    const page = this.#pages.get(index)!;
    page.dirty = false;
    page.writtenBack = true;
    return () => page.bytes.slice();
  }

  /** The WRITE is answered. */
  endWriteBack(index: number): void {
    const page = this.#pages.get(index);
    allow(page?.writtenBack, `answer to a WRITE of page ${index}`);
    page.writtenBack = false;
  }

  /** Memory is short: the page goes. */
  drop(index: number): void {
    allow(this.canDrop(index), `drop of page ${index}`);
    this.#pages.delete(index);
  }

  /** NOTIFY_RETRIEVE: up to the first page that is not there. Locks do not matter. */
  retrieve(offset: number, size: number): Retrieval {
    const found: Page[] = [];
    let end = offset;
    while (end < offset + size) {
      const page = this.#pages.get(pageOf(end));
      if (!page || !page.upToDate && !this.findsUnfilled) break;
      page.holders++;
      found.push(page);
      end = Math.min(offset + size, (pageOf(end) + 1) * PAGE_BYTES);
    }
    const length = end - offset;
    const read = () => {
      const bytes = new Int16Array(length);
      let at = 0;
      for (const page of found) {
        page.holders--;
        const start = (offset + at) % PAGE_BYTES;
        const taken = page.bytes.subarray(start, start + length - at);
        bytes.set(taken, at);
        at += taken.length;
      }
      return bytes;
    };
    return { offset, length, read };
  }

  /**
   * NOTIFY_STORE: page by page, under its lock. A page that is not there is added; it is up to date
   * only if all of it is stored. None becomes dirty.
   */
  store(offset: number, bytes: Uint8Array): Store {
    let at = 0;
    const advance = () => {
      while (at < bytes.length) {
        const page = this.#get(pageOf(offset + at));
        if (page.locked) return false;
        const start = (offset + at) % PAGE_BYTES;
        const part = bytes.subarray(at, at + PAGE_BYTES - start);
        page.bytes.set(part, start);
        if (part.length === PAGE_BYTES) page.upToDate = true;
        at += part.length;
      }
      return true;
    };
    return { advance };
  }

  #at(offset: number): number {
    return this.#pages.get(pageOf(offset))!.bytes[offset % PAGE_BYTES];
  }

  #get(index: number): Page {
    let page = this.#pages.get(index);
    if (!page) {
      page = {
        bytes: new Int16Array(PAGE_BYTES).fill(GARBAGE),
        upToDate: false,
        locked: false,
        dirty: false,
        writtenBack: false,
        holders: 0,
      };
      this.#pages.set(index, page);
    }
    return page;
  }
}

function allow(possible: boolean | undefined, step: string): asserts possible {
  if (!possible) throw new Error(`${step}: the kernel does not do that now`);
}
