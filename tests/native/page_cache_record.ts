// A record of what the kernel does with the page cache of a mapped file: page_cache_client.c takes
// steps with its mapping, a server in this thread fills, retrieves and stores, one thing at a time and
// all at random, and each is written down.

import { EINTR, ENODEV } from "../../ffi/libc.ts";
import { UringLoop } from "../../lib/daemon/uring_loop.ts";
import type { Device, OpenFile, Retriever } from "../../lib/fuse/device.ts";
import { Directory } from "../../lib/fuse/directory.ts";
import { mountDirectory, unmountDirectory } from "../../lib/fuse/mount.ts";
import type { Session } from "../../lib/fuse/session.ts";
import { struct } from "../../lib/struct.ts";
import { PAGE_BYTES, pageOf } from "../page_cache_model.ts";
import type { Random } from "../random.ts";

/** Pages of the mapping. */
export const PAGES = 8;

/** How long a READ is left without an answer, so that whoever does not wait for it gets ahead. */
const HELD_MS = 2;

/** Longer than a run takes on a busy machine. */
const LIMIT_MS = 20_000;

/** page_cache_client.c's `struct step`, and its kinds. */
const Step = struct("step", {
  kind: "u32",
  offset: "u32",
  length: "u32",
  value: "u32",
  cached: "u32",
});
const KINDS = ["start", "store", "load", "sync", "page out", "end"] as const;

/** What the client does: the more often it is here, the more often. */
const STEP_KINDS = ["store", "store", "load", "load", "sync", "page out"] as const;

/** What the client is told to do. */
export interface Step {
  readonly kind: typeof KINDS[number];
  readonly offset: number;
  /** Of a sync or page out. */
  readonly length: number;
  /** Of a store. */
  readonly value: number;
}

/** What has happened, as the server sees it. */
export type Event =
  /** The client is told to do something. */
  | { readonly type: "step"; readonly step: Step }
  /** It has done it; `value` is what a load found, `cached` has a bit for each page up to date. */
  | { readonly type: "done"; readonly step: Step; readonly value: number; readonly cached: number }
  /** READ of pages has come, and is answered. */
  | { readonly type: "read"; readonly offset: number; readonly length: number }
  | { readonly type: "filled"; readonly offset: number; readonly bytes: Uint8Array }
  /** WRITE of pages has come. */
  | { readonly type: "write"; readonly offset: number; readonly bytes: Uint8Array }
  /** A retrieval of `size` bytes has been answered. */
  | {
    readonly type: "retrieved";
    readonly offset: number;
    readonly size: number;
    readonly bytes: Uint8Array;
  }
  /** A NOTIFY_STORE begins, and is done. */
  | { readonly type: "store"; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly type: "stored" };

interface Span {
  readonly offset: number;
  readonly length: number;
}

const RING_BYTES = PAGES * PAGE_BYTES;

/** The file that the client has mapped. */
class SteppedFile implements OpenFile, Retriever {
  readonly #session: Session;
  readonly #nodeid: number;
  readonly #loop: UringLoop;
  readonly #random: Random;
  readonly #events: Event[];
  #stepsLeft: number;
  #step: Step = { kind: "start", offset: 0, length: 0, value: 0 };
  #storing = false;
  #retrieving: Span | undefined;
  /** Called when what the server has begun is done. */
  #onIdle: (() => void) | undefined;

  constructor(
    session: Session,
    nodeid: number,
    loop: UringLoop,
    random: Random,
    events: Event[],
    steps: number,
  ) {
    this.#session = session;
    this.#nodeid = nodeid;
    this.#loop = loop;
    this.#random = random;
    this.#events = events;
    this.#stepsLeft = steps;
  }

  /** The client has done its step, and waits for the next. */
  ioctl(unique: number): void {
    const view = this.#session.argument;
    const value = view.getUint32(Step.value, true);
    const cached = view.getUint32(Step.cached, true);
    this.#events.push({ type: "done", step: this.#step, value, cached });
    this.#session.park(unique, this);
    if (this.#step.kind === "start") return this.#probe(() => this.#take(unique));
    // What began while a page was filled may go on still.
    this.#whenIdle(() => this.#take(unique));
  }

  /** Asks for a page that is there, but not up to date. */
  #probe(go: () => void): void {
    this.#store({ offset: 0, length: 1 });
    this.#whenIdle(() => {
      this.#retrieve({ offset: 0, length: 1 });
      this.#whenIdle(go);
    });
  }

  #take(unique: number): void {
    const random = this.#random;
    if (random.chance(0.4)) {
      if (random.chance(0.5)) this.#store(this.#span(0, PAGES));
      else this.#retrieve(this.#span(0, PAGES));
      return this.#whenIdle(() => this.#take(unique));
    }
    const ends = this.#stepsLeft-- <= 0;
    const kind = ends ? "end" : random.pick(STEP_KINDS);
    this.#step = this.#nextStep(kind);
    this.#events.push({ type: "step", step: this.#step });
    const { argument } = this.#session;
    argument.setUint32(Step.kind, KINDS.indexOf(kind), true);
    argument.setUint32(Step.offset, this.#step.offset, true);
    argument.setUint32(Step.length, this.#step.length, true);
    argument.setUint32(Step.value, this.#step.value, true);
    this.#session.replyIoctl(unique, 0, Step.$size);
  }

  #nextStep(kind: Step["kind"]): Step {
    const random = this.#random;
    if (kind === "store" || kind === "load") {
      return { kind, offset: random.below(RING_BYTES), length: 1, value: random.below(256) };
    }
    const first = random.below(PAGES);
    const length = (1 + random.below(PAGES - first)) * PAGE_BYTES;
    return { kind, offset: first * PAGE_BYTES, length, value: 0 };
  }

  /** Some bytes of some pages: whole pages, or any. */
  #span(firstPage: number, pages: number): Span {
    const random = this.#random;
    if (random.chance(0.4)) {
      const skipped = random.below(pages);
      const length = (1 + random.below(pages - skipped)) * PAGE_BYTES;
      return { offset: (firstPage + skipped) * PAGE_BYTES, length };
    }
    const skipped = random.below(pages * PAGE_BYTES);
    const rest = pages * PAGE_BYTES - skipped;
    const length = 1 + random.below(random.chance(0.5) ? Math.min(512, rest) : rest);
    return { offset: firstPage * PAGE_BYTES + skipped, length };
  }

  fill(unique: number, offset: number, length: number): void {
    this.#events.push({ type: "read", offset, length });
    const answer = () => {
      // Other bytes each time: what the cache has kept cannot be taken for what it has been given.
      const bytes = this.#bytes(length);
      this.#session.data.set(bytes);
      this.#events.push({ type: "filled", offset, bytes });
      this.#session.replyRead(unique, length);
    };
    const random = this.#random;
    // One thing at a time: nothing else while a store goes on that has waited for another READ.
    if (this.#storing || offset >= RING_BYTES || random.chance(0.3)) return answer();
    this.#session.park(unique, this);
    if (random.chance(0.5)) {
      this.#retrieve(this.#span(0, PAGES));
      return this.#whenIdle(answer);
    }
    // Pages that are being filled, all of them: else the store goes on while the client does.
    const firstPage = pageOf(offset);
    const span = this.#span(firstPage, Math.min(PAGES - firstPage, pageOf(length)));
    // Whether the client is faster than a store that has waited is not known.
    const { offset: accessed } = this.#step;
    if (accessed < span.offset || accessed >= span.offset + span.length) this.#store(span);
    this.#after(HELD_MS, answer);
  }

  absorb(offset: number, bytes: Uint8Array<ArrayBuffer>, start: number, length: number): void {
    this.#events.push({ type: "write", offset, bytes: bytes.slice(start, start + length) });
  }

  #retrieve(span: Span): void {
    this.#retrieving = span;
    this.#session.retrieve(this.#nodeid, span.offset, span.length, this);
  }

  onRetrieved(
    offset: number,
    bytes: Uint8Array<ArrayBuffer>,
    start: number,
    length: number,
  ): void {
    const found = bytes.slice(start, start + length);
    const { length: size } = this.#retrieving!;
    this.#retrieving = undefined;
    this.#events.push({ type: "retrieved", offset, size, bytes: found });
    this.#idle();
  }

  #store({ offset, length }: Span): void {
    const bytes = this.#bytes(length);
    this.#storing = true;
    this.#events.push({ type: "store", offset, bytes });
    this.#session.store(this.#nodeid, offset, bytes, 0, length, () => {
      this.#storing = false;
      this.#events.push({ type: "stored" });
      this.#idle();
    });
  }

  #whenIdle(go: () => void): void {
    if (!this.#storing && !this.#retrieving) return go();
    this.#onIdle = go;
  }

  #idle(): void {
    const go = this.#onIdle;
    this.#onIdle = undefined;
    go?.();
  }

  #after(ms: number, go: () => void): void {
    const { schedule } = this.#loop;
    const once = {
      dueMs: performance.now() + ms,
      run() {
        schedule.remove(once);
        go();
      },
    };
    schedule.add(once);
  }

  #bytes(length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.#random.below(256);
    return bytes;
  }

  interrupt(unique: number): void {
    this.#session.replyError(unique, EINTR);
  }

  read(unique: number): void {
    this.#session.replyError(unique, ENODEV);
  }

  write(unique: number): void {
    this.#session.replyError(unique, ENODEV);
  }

  poll(unique: number): void {
    this.#session.replyPoll(unique, 0);
  }

  flush(unique: number): void {
    this.#session.replyEmpty(unique);
  }

  fsync(unique: number): void {
    this.#session.replyEmpty(unique);
  }

  release(unique: number): void {
    this.#session.replyEmpty(unique);
    this.#loop.stop();
  }
}

/** What a run has left behind. */
export interface Recording {
  readonly events: readonly Event[];
  /** What the server and the client have complained of, a line each; empty if all is well. */
  readonly complaints: readonly string[];
}

/**
 * Mounts a device, lets a client take steps with its mapping, and says what has happened.
 *
 * @param client the compiled page_cache_client.c
 * @param folder an empty one, to be mounted on
 * @param readsAhead whether the kernel may READ more pages than those that the client touches
 * @param steps how many the client takes
 * @throws {Error} where there is no io_uring
 */
export async function record(
  client: string,
  folder: string,
  readsAhead: boolean,
  random: Random,
  steps: number,
): Promise<Recording> {
  const events: Event[] = [];
  const complaints: string[] = [];
  const warn = (message: string) => complaints.push(message);
  const loop = UringLoop.create((errno) => warn(`write: errno ${errno}`));
  if (!loop) throw new Error("this kernel has no io_uring");
  const device: Device = {
    name: "stepped",
    open: (session, nodeid) => new SteppedFile(session, nodeid, loop, random, events, steps),
  };
  const channel = mountDirectory(folder, new Directory([{ device, major: 14, minor: 3 }]), warn);
  const { fd, buffer } = channel;
  channel.write = (fd, answer, length) => loop.write(fd, answer, length);
  channel.aside = loop.aside;
  const onRead = (result: number) => {
    if (!channel.serve(result)) loop.stop();
  };
  loop.add({ fd, buffer, onRead });
  loop.schedule.add({
    dueMs: performance.now() + LIMIT_MS,
    run() {
      warn(`no end after ${LIMIT_MS} ms`);
      loop.stop();
    },
  });
  const child = new Deno.Command(client, {
    args: [`${folder}/${device.name}`, `${PAGES}`, readsAhead ? "normal" : "random"],
    stdout: "null",
    stderr: "piped",
  }).spawn();
  try {
    // This thread serves what the client waits for, and does nothing else until that ends.
    loop.run();
  } finally {
    unmountDirectory(folder);
    loop.close();
    channel.close();
  }
  const { code, signal, stderr } = await child.output();
  if (code !== 0) {
    warn(`client: status ${code} ${signal ?? ""} ${new TextDecoder().decode(stderr)}`);
  }
  return { events, complaints };
}
