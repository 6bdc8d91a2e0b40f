// The ring in the page cache, against a model of the kernel's cache: pages that are filled, read
// ahead, changed, written back, stored into and dropped in any order, while we fetch and show.

import { assert, assertEquals } from "@std/assert";
import { MappedRing } from "../../lib/buffer/mapped.ts";
import { GARBAGE, PAGE_BYTES, PageCacheModel, pageOf, type Store } from "../page_cache_model.ts";
import { fuzzRandom, type Random } from "../random.ts";

// What garbage is as a byte; neither program nor server puts this value anywhere.
const GARBAGE_BYTE = GARBAGE & 0xff;

const SILENCE = 0x80;

/** An access of a program's thread, of one byte. */
interface Access {
  readonly offset: number;
  /** What it stores; undefined if it loads. */
  readonly value: number | undefined;
  /** Called with the byte when it is done. */
  onDone(value: number): void;
  /** The pages that its fault has added, and whether their READ is queued. */
  fault?: { readonly pages: readonly number[]; isQueued: boolean };
}

/** What kernels differ in. */
interface Kernel {
  /** See `PageCacheModel`. */
  readonly findsUnfilled: boolean;
  /** Whether a WRITE is what the page held when it was queued, as before Linux 6.16. */
  readonly snapshots: boolean;
  /** The most pages of a READ: those behind the one that is touched are read ahead. */
  readonly readPages: number;
}

const NEWEST: Kernel = { findsUnfilled: false, snapshots: false, readPages: 1 };

/** A mapped file: the kernel's cache, the queue of requests between it and the server, the ring. */
class MappedFile {
  readonly cache: PageCacheModel;
  readonly ring: MappedRing;
  /** The program's threads that are in an access. */
  readonly accesses: Access[] = [];
  /** What the server reads, in this order. */
  readonly #requests: (() => void)[] = [];
  /** Pages whose WRITE the server has taken and not answered yet. */
  readonly #unansweredWrites: number[] = [];
  readonly #everFilled = new Set<number>();
  #store: { store: Store; onStored: () => void } | undefined;
  #onStored: (() => void) | undefined;
  /** Retrievals whose answers are awaited. */
  readonly #retrievals = new Set<symbol>();

  /** @param maxBytes of a retrieval or a store */
  constructor(size: number, maxBytes: number, readonly kernel = NEWEST) {
    this.cache = new PageCacheModel(kernel.findsUnfilled);
    this.ring = new MappedRing({
      maxBytes,
      canStore: true,
      retrieve: (offset, size) => this.#retrieve(offset, size),
      cancel: () => this.#retrievals.clear(),
      store: (offset, bytes, length, onStored) => {
        assert(!this.#store && !this.#onStored, "one store at a time");
        const copy = bytes.slice(offset, offset + length);
        this.#store = { store: this.cache.store(offset, copy), onStored };
      },
    });
    this.ring.resize(size);
  }

  get size(): number {
    return this.ring.size;
  }

  /** Retrievals whose answers are awaited. */
  get questions(): number {
    return this.#retrievals.size;
  }

  #retrieve(offset: number, size: number): void {
    const retrieval = this.cache.retrieve(offset, size);
    const question = Symbol();
    this.#retrievals.add(question);
    this.#requests.push(() => {
      const found = new Uint8Array(retrieval.read());
      if (!this.#retrievals.delete(question)) return;
      const before = this.ring.bytes.slice();
      this.ring.onRetrieved(offset, found, 0, found.length);
      assertSame(this.ring.bytes, before, "what pages are filled with, after a retrieval");
    });
  }

  /** A program's thread goes on with its access as far as it can; false if it has to wait. */
  advance(access: Access): boolean {
    const { cache } = this;
    const { offset, value, fault } = access;
    const index = pageOf(offset);
    if (fault) {
      if (fault.isQueued) return false;
      fault.isQueued = true;
      this.#requests.push(() => this.#fill(access, fault.pages));
      return true;
    }
    if (cache.canFault(index)) {
      const pages = [index];
      while (pages.length < this.kernel.readPages && !cache.has(index + pages.length)) {
        pages.push(index + pages.length);
      }
      for (const page of pages) cache.fault(page);
      access.fault = { pages, isQueued: false };
      // A page that comes again is garbage to a retrieval in between, and the server cannot know.
      if (this.kernel.findsUnfilled && pages.some((page) => this.#everFilled.has(page))) {
        this.advance(access);
      }
      return true;
    }
    if (value === undefined ? !cache.canLoad(index) : !cache.canSet(index)) return false;
    if (value !== undefined) cache.set(offset, value);
    this.accesses.splice(this.accesses.indexOf(access), 1);
    access.onDone(cache.load(offset));
    return true;
  }

  #fill(access: Access, pages: readonly number[]): void {
    const bytes = new Uint8Array(PAGE_BYTES * pages.length).fill(GARBAGE_BYTE);
    this.ring.fill(pages[0] * PAGE_BYTES, bytes, bytes.length);
    assert(!bytes.includes(GARBAGE_BYTE), "garbage in a page that we fill");
    for (const [i, page] of pages.entries()) {
      this.cache.fill(page, bytes.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES));
      this.#everFilled.add(page);
    }
    access.fault = undefined;
  }

  /** The kernel writes a changed page back, for its own reasons. */
  writeBack(index: number): void {
    if (!this.cache.canWriteBack(index)) return;
    const read = this.cache.beginWriteBack(index);
    const snapshot = this.kernel.snapshots ? read() : undefined;
    this.#requests.push(() => {
      this.ring.absorb(index * PAGE_BYTES, new Uint8Array(snapshot ?? read()), 0, PAGE_BYTES);
      this.#unansweredWrites.push(index);
    });
  }

  /** The kernel drops a page, if it can. */
  drop(index: number): void {
    if (this.cache.canDrop(index)) this.cache.drop(index);
  }

  /** The server takes the next request; false if there is none. */
  serve(): boolean {
    const request = this.#requests.shift();
    request?.();
    return request !== undefined;
  }

  /** The kernel takes the answer to a WRITE; false if there is none. */
  answerWrite(): boolean {
    const index = this.#unansweredWrites.shift();
    if (index !== undefined) this.cache.endWriteBack(index);
    return index !== undefined;
  }

  /** The thread that stores goes on; false if there is none or it has to wait. */
  advanceStore(): boolean {
    if (!this.#store?.store.advance()) return false;
    this.#onStored = this.#store.onStored;
    this.#store = undefined;
    return true;
  }

  /** The server hears that a store is done; false if none is. */
  completeStore(): boolean {
    const onStored = this.#onStored;
    this.#onStored = undefined;
    onStored?.();
    return onStored !== undefined;
  }

  /** Goes on until all that goes on by itself has come to its end. */
  settle(): void {
    const goOn = () =>
      this.accesses.some((access) => this.advance(access)) || this.serve() || this.answerWrite() ||
      this.advanceStore() || this.completeStore();
    while (goOn());
    assertEquals(
      [this.accesses, this.ring.busy, this.ring.showing],
      [[], false, false],
      "somebody waits for ever",
    );
  }

  /** A program stores a byte, and nothing else goes on. */
  set(offset: number, value: number): void {
    this.accesses.push({ offset, value, onDone: () => {} });
    this.settle();
  }

  /** A program loads a byte, and nothing else goes on. */
  load(offset: number): number {
    let found = GARBAGE;
    this.accesses.push({ offset, value: undefined, onDone: (value) => found = value });
    this.settle();
    return found;
  }
}

function assertSame(bytes: Uint8Array, wanted: Uint8Array, what: string): void {
  for (let i = 0; i < wanted.length; i++) {
    if (bytes[i] !== wanted[i]) assertEquals(bytes[i], wanted[i], `${what}: byte ${i}`);
  }
}

/** What the server does with the ring; a ring that is silenced is silent where it was played. */
type Use = "play" | "play and silence" | "record";

// Places in a page that the program looks at and stores to, in any of a ring's first pages.
const OFFSETS_IN_PAGE = [0, 1, 255, 256, 1000, 2047, 3072, 4095];
const PAGES = 20;

/** What was done, so that a run that tests nothing is found out. */
interface Done {
  loads: number;
  stores: number;
  /** Fetches, and spans shown. */
  uses: number;
}

/** A program and a server that share a ring, and what each byte of it has to be. */
class Sharing {
  readonly file: MappedFile;
  readonly #random: Random;
  readonly #use: Use;
  /** How likely it is that the next step is the program's. */
  readonly #accessRate: number;
  readonly #fragment: number;
  readonly #truth: Uint8Array<ArrayBuffer>;
  /** The span that is the server's until it is shown, counted around and around the ring. */
  #from = 0;
  #to = 0;
  /** What the program has stored while a span was fetched: of it, the server may hear the old. */
  readonly #storedMeanwhile = new Set<number>();
  readonly #done: Done;

  /** @param done where to count what is done */
  constructor(random: Random, use: Use, done: Done) {
    this.#done = done;
    this.#random = random;
    this.#use = use;
    this.#accessRate = random.pick([0.03, 0.2, 0.5]);
    this.#fragment = random.pick([256, 1024, 4096, 16384]);
    const size = this.#fragment * (2 + random.below(4));
    // A snapshot made before a store, but read after it, brings back what the store has replaced.
    // The server cannot tell, so nothing is stored on such a kernel.
    const snapshots = use === "play" && random.chance(0.5);
    const kernel = {
      findsUnfilled: random.chance(0.5),
      snapshots,
      readPages: random.pick([1, 1, 2, 8]),
    };
    this.file = new MappedFile(size, random.pick([512, 4096, 131072]), kernel);
    this.file.ring.bytes.fill(SILENCE);
    this.#truth = new Uint8Array(size).fill(SILENCE);
    this.file.ring.onShown = () => this.#from = this.#to;
  }

  /** Something happens. */
  step(): void {
    this.#step();
    this.#silence();
  }

  #step(): void {
    const { file } = this;
    const { accesses } = file;
    const random = this.#random;
    if (random.chance(this.#accessRate)) {
      if (accesses.length < 3) this.#access();
      file.advance(random.pick(accesses));
      return;
    }
    const page = random.below(pageOf(file.size - 1) + 1);
    const steps = [
      () => file.writeBack(page),
      () => this.#isBeingSilenced(page) || file.drop(page),
      () => file.serve(),
      () => file.answerWrite(),
      () => file.advanceStore(),
      () => file.completeStore(),
      () => this.#use === "record" ? this.#record() : this.#fetch(),
    ];
    random.pick(steps)();
  }

  /** Whether a byte of the ring lies between two positions. */
  #isBetween(offset: number, from: number, to: number): boolean {
    const { size } = this.file;
    return (offset - from % size + size) % size < to - from;
  }

  #isReserved(offset: number): boolean {
    return this.#isBetween(offset, this.#from, this.#to);
  }

  // Between the fetch that has found a page and the store into it is but a moment: it does not go.
  #isBeingSilenced(page: number): boolean {
    if (this.#use === "record" || this.#from === this.#to) return false;
    const from = this.#from % this.file.size;
    return page >= pageOf(from) && page <= pageOf(from + this.#fragment - 1);
  }

  /** Whether a program's thread is about to store into a span, which it began to do in time. */
  #isAwaited(from: number, to: number): boolean {
    return this.file.accesses.some(({ offset, value }) =>
      value !== undefined && this.#isBetween(offset, from, to)
    );
  }

  #access(): void {
    const random = this.#random;
    const { size } = this.file;
    // Few places, so that they are stored to and looked at again.
    const offset = (PAGE_BYTES * random.below(PAGES) + random.pick(OFFSETS_IN_PAGE)) % size;
    const reserved = this.#isReserved(offset);
    if (random.chance(0.5) && !reserved) {
      const onDone = (value: number) => {
        this.#truth[offset] = value;
        this.#storedMeanwhile.add(offset);
        this.#done.stores++;
      };
      this.file.accesses.push({ offset, value: random.below(GARBAGE_BYTE), onDone });
      return;
    }
    const onDone = (value: number) => {
      if (this.#isReserved(offset)) return;
      assertEquals(value, this.#truth[offset], `a load at ${offset}`);
      this.#done.loads++;
    };
    this.file.accesses.push({ offset, value: undefined, onDone });
  }

  #fetch(): void {
    const { ring, size } = this.file;
    const fragment = this.#fragment;
    if (ring.busy || ring.showing) return;
    const silences = this.#use === "play and silence";
    const offset = silences ? this.#from % size : fragment * this.#random.below(size / fragment);
    if (silences) {
      if (this.#isAwaited(this.#from, this.#from + fragment)) return;
      this.#to = this.#from + fragment;
    }
    this.#storedMeanwhile.clear();
    ring.fetch(offset, fragment, (bytes, start, length) => {
      assertEquals(length, fragment);
      for (let i = 0; i < length; i++) {
        const at = offset + i;
        if (bytes[start + i] === this.#truth[at] || this.#storedMeanwhile.has(at)) continue;
        assertEquals(bytes[start + i], this.#truth[at], `fetched at ${at}`);
      }
      this.#done.uses++;
    });
  }

  /** What has been fetched becomes silence, if that is wanted. */
  #silence(): void {
    const { ring, size } = this.file;
    if (this.#use !== "play and silence" || ring.busy || ring.showing) return;
    if (this.#from === this.#to) return;
    const offset = this.#from % size;
    this.#change(offset, this.#fragment, () => SILENCE);
    this.#done.uses++;
    ring.show(this.#to);
  }

  #record(): void {
    const { ring, size } = this.file;
    const length = 1 + this.#random.below(this.#fragment);
    if (this.#to + length - this.#from > size) return;
    if (this.#isAwaited(this.#to, this.#to + length)) return;
    for (let i = 0; i < length; i++) {
      const offset = (this.#to + i) % size;
      this.#change(offset, 1, () => this.#random.below(GARBAGE_BYTE));
    }
    this.#to += length;
    this.#done.uses++;
    ring.show(this.#to);
  }

  #change(offset: number, length: number, value: () => number): void {
    for (let i = offset; i < offset + length; i++) {
      this.#truth[i] = this.file.ring.bytes[i] = value();
    }
  }

  /** Ends it, and looks at every byte. */
  end(): void {
    const { file } = this;
    file.settle();
    this.#silence();
    file.settle();
    const found = new Uint8Array(file.size);
    for (let offset = 0; offset < file.size; offset++) {
      if (offset % PAGE_BYTES === 0) file.load(offset);
      found[offset] = file.cache.load(offset);
    }
    assertSame(found, this.#truth, "what the program sees in the end");
  }
}

const USES: Readonly<Record<string, Use>> = {
  "what is fetched is what the program has stored": "play",
  "what was played is silent, and what the program puts there is fetched": "play and silence",
  "what is shown is what was recorded": "record",
};

for (const [name, use] of Object.entries(USES)) {
  Deno.test(`${name}, whatever the cache does`, () => {
    const random = fuzzRandom();
    const done = { loads: 0, stores: 0, uses: 0 };
    for (let round = 0; round < 60; round++) {
      const sharing = new Sharing(random, use, done);
      for (let step = 0; step < 1000; step++) sharing.step();
      sharing.end();
    }
    const { loads, stores, uses } = done;
    assert(Math.min(loads, stores, uses) >= 100, `${loads} loads, ${stores} stores, ${uses} uses`);
  });
}

Deno.test("beyond its end a mapping holds zeros, and what is written there is nobody's", () => {
  const { ring } = new MappedFile(1024, 131072);
  ring.bytes.fill(7);
  const page = new Uint8Array(PAGE_BYTES).fill(1);
  ring.fill(0, page, PAGE_BYTES);
  assertEquals([page[0], page[1023], page[1024], page[4095]], [7, 7, 0, 0]);
  ring.fill(PAGE_BYTES, page, PAGE_BYTES);
  assertEquals([page[0], page[4095]], [0, 0]);
  ring.absorb(PAGE_BYTES, page.fill(9), 0, PAGE_BYTES);
  ring.absorb(512, page, 0, PAGE_BYTES);
  ring.fill(0, page, PAGE_BYTES);
  assertEquals([page[511], page[512], page[1023], page[1024]], [7, 9, 9, 0]);
});

Deno.test("a cancelled fetch is not heard of, and the next one is whole", () => {
  const file = new MappedFile(2048, 512);
  let spans = 0;
  file.ring.fetch(0, 1024, () => spans++);
  file.serve();
  file.ring.cancel();
  assertEquals([file.questions, file.ring.busy], [0, false]);
  file.set(1024, 5);
  let first: number | undefined;
  file.ring.fetch(1024, 1024, (bytes, offset) => first = bytes[offset]);
  file.settle();
  assertEquals([spans, first, file.ring.retrievedBytes], [0, 5, 2048]);
});

Deno.test("a page that comes back and is dropped in the middle of a fetch is heard as it came", () => {
  const file = new MappedFile(2 * PAGE_BYTES, 131072);
  file.set(PAGE_BYTES + 5, 9);
  file.writeBack(1);
  let fetched: number | undefined;
  file.ring.fetch(0, 2 * PAGE_BYTES, (bytes, offset) => fetched = bytes[offset + PAGE_BYTES + 5]);
  file.serve();
  file.answerWrite();
  file.drop(1);
  file.settle();
  assertEquals([fetched, file.cache.has(1)], [9, false]);
});

Deno.test("nothing is stored into a page that was dropped: it comes with the next READ", () => {
  const file = new MappedFile(PAGE_BYTES, 131072, { ...NEWEST, findsUnfilled: true });
  const { ring } = file;
  file.load(0);
  file.drop(0);
  const fetch = (offset: number) => {
    let fetched: Uint8Array | undefined;
    ring.fetch(
      offset,
      1024,
      (bytes, start, length) => fetched = bytes.slice(start, start + length),
    );
    file.settle();
    return fetched;
  };
  assertEquals(fetch(0), new Uint8Array(1024));
  ring.bytes.fill(1, 0, 1024);
  ring.show(1024);
  file.settle();
  // A page that a store has added would hold garbage here.
  assertEquals([file.cache.has(0), fetch(1024)], [false, new Uint8Array(1024)]);
  assertEquals([file.load(1023), file.load(1024)], [1, 0]);
});

Deno.test("what is shown anew is seen after what was shown before, and from the start", () => {
  const file = new MappedFile(2 * PAGE_BYTES, 131072);
  const { ring } = file;
  file.load(0);
  let shown = 0;
  ring.onShown = () => shown++;
  ring.bytes.fill(1, 0, 100);
  ring.show(100);
  ring.restart();
  ring.bytes.fill(2, 0, 50);
  ring.show(50);
  assertEquals([ring.showing, shown], [true, 0]);
  file.settle();
  assertEquals([file.load(0), file.load(49), file.load(50), shown], [2, 2, 1, 1]);
});

Deno.test("a ring of another size is empty, what was asked of the old one is forgotten", () => {
  const file = new MappedFile(PAGE_BYTES, 131072);
  const { ring } = file;
  file.set(7, 7);
  ring.fetch(0, 1024, () => assert(false, "a span of a ring that is gone"));
  ring.resize(3 * PAGE_BYTES);
  file.settle();
  assertEquals([ring.size, ring.bytes.some((byte) => byte !== 0)], [3 * PAGE_BYTES, false]);
  // The program has the page of the old ring still.
  let first: number | undefined;
  ring.fetch(0, 8, (bytes, offset) => first = bytes[offset + 7]);
  file.settle();
  assertEquals([first, file.load(PAGE_BYTES)], [7, 0]);
});
