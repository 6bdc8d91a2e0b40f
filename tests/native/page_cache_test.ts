// Whether tests/page_cache_model.ts is right: it predicts, step by step, what this kernel does with
// the page cache of a mapped file.

import { assert, assertEquals } from "@std/assert";
import { GARBAGE, PAGE_BYTES, PageCacheModel, pageOf, type Store } from "../page_cache_model.ts";
import { KERNEL_MAPS } from "../programs.ts";
import { fuzzRandom } from "../random.ts";
import { LACKING, Scratch } from "./ossp.ts";
import { type Event, PAGES, record, type Step } from "./page_cache_record.ts";

const RUNS = 6;
const STEPS = 500;

/** How often there was something to be wrong about. */
class Seen {
  loads = 0;
  stores = 0;
  reads = 0;
  pagesWritten = 0;
  pagesDropped = 0;
  /** Retrievals that ended before the end of what was asked for. */
  shortRetrievals = 0;
  /** NOTIFY_STOREs that had to wait for a page. */
  waits = 0;
  /** Pages that a NOTIFY_STORE has added. */
  additions = 0;
}

/** The model, taken through what was recorded; what it does not allow or predict throws. */
class Replay {
  readonly #seen: Seen;
  readonly #cache: PageCacheModel;
  #store: Store | undefined;

  /** @param seen where to count */
  constructor(events: readonly Event[], seen: Seen) {
    this.#seen = seen;
    // The first retrieval asks just this.
    const first = events.find(({ type }) => type === "retrieved");
    assert(first?.type === "retrieved");
    this.#cache = new PageCacheModel(first.bytes.length > 0);
  }

  take(event: Event): void {
    const cache = this.#cache;
    switch (event.type) {
      case "step":
        return;
      case "done":
        this.#done(event.step, event.value);
        return this.#compareCached(event.cached);
      case "read":
        this.#seen.reads++;
        return eachPage(event.offset, event.length, (page) => cache.fault(page));
      case "filled":
        return eachPage(event.offset, event.bytes.length, (page, at) => {
          cache.fill(page, event.bytes.subarray(at, at + PAGE_BYTES));
        });
      case "write":
        return this.#write(event.offset, event.bytes);
      case "retrieved":
        return this.#retrieved(event.offset, event.size, event.bytes);
      case "store": {
        const { offset, bytes } = event;
        const last = pageOf(offset + bytes.length - 1);
        for (let page = pageOf(offset); page <= last; page++) {
          if (!cache.has(page)) this.#seen.additions++;
        }
        this.#store = cache.store(offset, bytes);
        if (!this.#store.advance()) this.#seen.waits++;
        return;
      }
      case "stored":
        assert(this.#store!.advance(), "a store did not wait for a page that is being filled");
        return;
    }
  }

  #done({ kind, offset, length, value }: Step, found: number): void {
    const cache = this.#cache;
    if (kind === "store") {
      this.#seen.stores++;
      cache.set(offset, value);
    } else if (kind === "load") {
      this.#seen.loads++;
      assertEquals(found, cache.load(offset), "what is loaded");
    } else if (kind === "sync") {
      const end = pageOf(offset + length);
      for (let page = pageOf(offset); page < end; page++) {
        assert(!cache.canWriteBack(page), `msync has not written page ${page}`);
      }
    }
  }

  // The kernel drops pages without a word.
  #compareCached(bits: number): void {
    const cache = this.#cache;
    for (let page = 0; page < PAGES; page++) {
      const cached = (bits >> page & 1) === 1;
      if (!cached && cache.canLoad(page)) {
        this.#seen.pagesDropped++;
        cache.drop(page);
      }
      assertEquals(cached, cache.canLoad(page), `page ${page} is in the cache and up to date`);
    }
  }

  #write(offset: number, bytes: Uint8Array): void {
    eachPage(offset, bytes.length, (page, at) => {
      const read = this.#cache.beginWriteBack(page);
      assertFound(bytes.subarray(at, at + PAGE_BYTES), read(), `WRITE of page ${page}`);
      this.#cache.endWriteBack(page);
      this.#seen.pagesWritten++;
    });
  }

  #retrieved(offset: number, size: number, bytes: Uint8Array): void {
    const retrieval = this.#cache.retrieve(offset, size);
    assertEquals(bytes.length, retrieval.length, `bytes retrieved of ${size} at ${offset}`);
    const held = retrieval.read();
    assertFound(bytes, held, `retrieved at ${offset}`);
    if (bytes.length < size) this.#seen.shortRetrievals++;
  }
}

/** Calls for each page of a request that the client has mapped: what is read ahead goes beyond. */
function eachPage(offset: number, length: number, call: (page: number, at: number) => void): void {
  assertEquals([offset % PAGE_BYTES, length % PAGE_BYTES], [0, 0], "a part of a page");
  for (let at = 0; at < length; at += PAGE_BYTES) {
    const page = pageOf(offset + at);
    if (page < PAGES) call(page, at);
  }
}

/** Asserts that bytes are what the model says, where it says anything. */
function assertFound(bytes: Uint8Array, held: Int16Array, what: string): void {
  const at = held.findIndex((byte, i) => byte !== GARBAGE && byte !== bytes[i]);
  assert(at < 0, `${what}: byte ${at} is ${bytes[at]}, in the model ${held[at]}`);
}

/** Replays a run. */
function replay(events: readonly Event[], seen: Seen): void {
  const replay = new Replay(events, seen);
  events.forEach((event, i) => {
    try {
      replay.take(event);
    } catch (error) {
      const last = events.slice(Math.max(0, i - 8), i + 1).map(describe).join("\n");
      throw new Error(`event ${i} is not the model's:\n${last}`, { cause: error });
    }
  });
}

function describe(event: Event): string {
  return JSON.stringify(
    event,
    (_, value) => value instanceof Uint8Array ? `${value.length} bytes` : value,
  );
}

Deno.test({
  name: "the model of the page cache and this kernel agree",
  ignore: LACKING || !KERNEL_MAPS,
  async fn() {
    await using scratch = new Scratch();
    const client = await scratch.client("page_cache_client");
    const random = fuzzRandom();
    const seen = new Seen();
    for (let run = 0; run < RUNS; run++) {
      const folder = `${scratch.path}/${run}`;
      await Deno.mkdir(folder);
      const { events, complaints } = await record(client, folder, run % 2 === 0, random, STEPS);
      assertEquals(complaints, []);
      replay(events, seen);
    }
    for (const [name, count] of Object.entries(seen)) assert(count > 0, `no ${name} in the runs`);
  },
});
