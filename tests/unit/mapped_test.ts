// The ring in the page cache, against a model of the kernel's cache: pages that are filled, changed,
// written back and dropped in any order, while we fetch.

import { assert, assertEquals } from "@std/assert";
import { MappedRing } from "../../lib/buffer/mapped.ts";
import { fuzzRandom, type Random } from "../random.ts";

const PAGE = 4096;

/** A page cache as Linux has it for one inode: a page is absent, clean, or changed by the program. */
class CacheModel {
  readonly ring: MappedRing;
  readonly #pages = new Map<number, { bytes: Uint8Array<ArrayBuffer>; dirty: boolean }>();
  readonly #questions: { offset: number; size: number }[] = [];

  constructor(readonly size: number, maxRetrievalBytes: number) {
    this.ring = new MappedRing(size, {
      maxRetrievalBytes,
      retrieve: (offset, size) => this.#questions.push({ offset, size }),
      cancel: () => this.#questions.length = 0,
    });
  }

  get questions(): number {
    return this.#questions.length;
  }

  /** The program stores a byte: a fault brings the page in first. */
  store(offset: number, value: number): void {
    const index = Math.floor(offset / PAGE);
    let page = this.#pages.get(index);
    if (!page) {
      page = { bytes: new Uint8Array(PAGE), dirty: false };
      this.ring.fill(index * PAGE, page.bytes, PAGE);
      this.#pages.set(index, page);
    }
    page.bytes[offset % PAGE] = value;
    page.dirty = true;
  }

  /** The kernel writes a changed page back, for its own reasons. */
  writeBack(index: number): void {
    const page = this.#pages.get(index);
    if (!page?.dirty) return;
    this.ring.absorb(index * PAGE, page.bytes, 0, PAGE);
    page.dirty = false;
  }

  /** Memory is short: a clean page is dropped. */
  drop(index: number): void {
    if (this.#pages.get(index)?.dirty === false) this.#pages.delete(index);
  }

  /** The kernel answers the oldest question: up to the first page that is not in its cache. */
  answer(): void {
    const { offset, size } = this.#questions.shift()!;
    const found = new Uint8Array(size);
    let length = 0;
    while (length < size) {
      const at = offset + length;
      const page = this.#pages.get(Math.floor(at / PAGE));
      if (!page) break;
      const take = Math.min(size - length, PAGE - at % PAGE);
      found.set(page.bytes.subarray(at % PAGE, at % PAGE + take), length);
      length += take;
    }
    this.ring.onRetrieved(offset, found, 0, length);
  }
}

function interleave(random: Random): void {
  const fragment = random.pick([256, 1024, 4096, 16384]);
  const size = fragment * (2 + random.below(14));
  const model = new CacheModel(size, random.pick([512, 4096, 131072]));
  const truth = new Uint8Array(size).fill(0x80);
  model.ring.clear((bytes, start, length) => bytes.fill(0x80, start, start + length));
  const pages = Math.ceil(size / PAGE);
  for (let step = 0; step < 400; step++) {
    const dice = random.below(10);
    if (dice < 5) {
      const offset = random.below(size);
      const value = random.below(256);
      model.store(offset, value);
      truth[offset] = value;
    } else if (dice < 7) model.writeBack(random.below(pages));
    else if (dice < 9) model.drop(random.below(pages));
    else {
      const offset = fragment * random.below(size / fragment);
      let got: Uint8Array | undefined;
      model.ring.fetch(offset, fragment, (bytes, at, length) => {
        assertEquals([at, length], [offset, fragment]);
        got = bytes.slice(at, at + length);
      });
      assert(model.ring.busy);
      while (model.questions > 0) {
        // Between the answers the kernel may do what it likes with its pages.
        if (random.chance(0.3)) model.writeBack(random.below(pages));
        if (random.chance(0.3)) model.drop(random.below(pages));
        model.answer();
      }
      assert(got && !model.ring.busy);
      assertEquals(got.findIndex((byte, i) => byte !== truth[offset + i]), -1);
    }
  }
}

Deno.test("what is fetched is what the program has stored, whatever the cache does", () => {
  const random = fuzzRandom();
  for (let round = 0; round < 100; round++) interleave(random);
});

Deno.test("beyond its end a mapping holds zeros, and what is written there is nobody's", () => {
  const model = new CacheModel(1024, 131072);
  model.ring.clear((bytes, start, length) => bytes.fill(7, start, start + length));
  const page = new Uint8Array(PAGE).fill(1);
  model.ring.fill(0, page, PAGE);
  assertEquals([page[0], page[1023], page[1024], page[4095]], [7, 7, 0, 0]);
  model.ring.fill(PAGE, page, PAGE);
  assertEquals([page[0], page[4095]], [0, 0]);
  model.ring.absorb(PAGE, page.fill(9), 0, PAGE);
  model.ring.absorb(512, page, 0, PAGE);
  model.ring.fill(0, page, PAGE);
  assertEquals([page[511], page[512], page[1023], page[1024]], [7, 9, 9, 0]);
});

Deno.test("a cancelled fetch is not heard of, and the next one is whole", () => {
  const model = new CacheModel(2048, 512);
  let spans = 0;
  model.ring.fetch(0, 1024, () => spans++);
  model.answer();
  model.ring.cancel();
  assertEquals([model.questions, model.ring.busy], [0, false]);
  model.store(1024, 5);
  let first: number | undefined;
  model.ring.fetch(1024, 1024, (bytes, offset) => first = bytes[offset]);
  model.answer();
  model.answer();
  assertEquals([spans, first, model.ring.retrievedBytes], [0, 5, 2048]);
});
