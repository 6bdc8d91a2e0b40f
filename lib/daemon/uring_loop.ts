// The loop on io_uring: answers are written, the next requests read and waited for, all by one
// system call a turn.

import type { FileCalls } from "../../ffi/file_calls.ts";
import { EAGAIN, EINTR, lastErrno, O_CLOEXEC, write } from "../../ffi/libc.ts";
import { addressOf, Uring } from "../../ffi/uring.ts";
import { Schedule } from "../device/schedule.ts";
import { TurnClock } from "../device/turn_clock.ts";
import type { Loop, OnWriteError, Reader } from "./loop.ts";
import { Spinner } from "./spinner.ts";

const ENTRIES = 128;

// Answers are copied here until the kernel has taken them; longer ones are written at once.
const SLOTS = 64;
const SLOT_BYTES = 256;

// Tags of results: a write's slot, or beyond them the timer, or a reader's number, or a call aside.
const TIMER = SLOTS;
const FIRST_READER = SLOTS + 1;
const FIRST_ASIDE = 1 << 16;

// Of files that are made.
const MODE = 0o666;

// What is still to be written when all ends may take as long as this: a disk may hang.
const END_LIMIT_MS = 5000;

/** A call that another thread makes. */
interface Aside {
  /** Held until the result comes. */
  readonly memory: Uint8Array<ArrayBuffer> | undefined;
  onResult(result: number): void;
}

const encoder = new TextEncoder();
const nothing = () => {};

interface Registered {
  readonly reader: Reader;
  readonly address: number;
}

/** One io_uring, with a read under way on each descriptor. */
export class UringLoop implements Loop {
  readonly schedule = new Schedule();
  readonly clock: TurnClock;
  readonly #uring: Uring;
  readonly #onWriteError: OnWriteError;
  readonly #spinner = new Spinner();
  readonly #readers: (Registered | undefined)[] = [];
  readonly #slots = new Uint8Array(SLOTS * SLOT_BYTES);
  readonly #slotsAddress = addressOf(this.#slots);
  readonly #freeSlots = Array.from({ length: SLOTS }, (_, slot) => slot);
  readonly #asides: (Aside | undefined)[] = [];
  #armedMs = Infinity;
  #stopped = false;

  /** A loop, or undefined where there is no io_uring. */
  static create(onWriteError: OnWriteError, clock = new TurnClock()): UringLoop | undefined {
    const uring = Uring.open(ENTRIES);
    return uring && new UringLoop(uring, onWriteError, clock);
  }

  private constructor(uring: Uring, onWriteError: OnWriteError, clock: TurnClock) {
    this.#uring = uring;
    this.clock = clock;
    this.#onWriteError = onWriteError;
  }

  add(reader: Reader): void {
    this.#readers.push({ reader, address: addressOf(reader.buffer) });
    this.#queueRead(this.#readers.length - 1);
  }

  remove(reader: Reader): void {
    const index = this.#readers.findIndex((registered) => registered?.reader === reader);
    if (index >= 0) this.#readers[index] = undefined;
  }

  #queueRead(index: number): void {
    const registered = this.#readers[index];
    if (!registered) return;
    const { reader: { fd, buffer }, address } = registered;
    this.#uring.queueRead(fd, address, buffer.length, FIRST_READER + index);
  }

  write(fd: number, buffer: Uint8Array<ArrayBuffer>, length: number): void {
    this.#spinner.wrote();
    const slot = length <= SLOT_BYTES ? this.#freeSlots.pop() : undefined;
    if (slot === undefined) {
      if (write(fd, buffer, length) < 0) this.#onWriteError(lastErrno());
      return;
    }
    const at = slot * SLOT_BYTES;
    for (let i = 0; i < length; i++) this.#slots[at + i] = buffer[i];
    this.#uring.queueWrite(fd, this.#slotsAddress + at, length, slot);
  }

  readonly aside: FileCalls = {
    open: (path, flags, onResult) => {
      // What has an ArrayBuffer of its own is not moved.
      const bytes = new Uint8Array(new ArrayBuffer(3 * path.length + 1));
      encoder.encodeInto(path, bytes);
      const tag = this.#addAside(bytes, onResult);
      this.#uring.queueOpenAside(addressOf(bytes), flags | O_CLOEXEC, MODE, tag);
    },
    read: (fd, buffer, offset, onResult) => {
      const tag = this.#addAside(buffer, onResult);
      this.#uring.queueReadAside(fd, addressOf(buffer), buffer.length, offset, tag);
    },
    write: (fd, buffer, length, offset, onResult) => {
      const tag = this.#addAside(buffer, onResult);
      this.#uring.queueWriteAside(fd, addressOf(buffer), length, offset, tag);
    },
    close: (fd) => this.#uring.queueCloseAside(fd, this.#addAside(undefined, nothing)),
  };

  /** @returns the tag of its result */
  #addAside(memory: Aside["memory"], onResult: Aside["onResult"]): number {
    const free = this.#asides.indexOf(undefined);
    const index = free < 0 ? this.#asides.length : free;
    this.#asides[index] = { memory, onResult };
    return FIRST_ASIDE + index;
  }

  run(): void {
    while (!this.#stopped) {
      const { nextMs } = this.schedule;
      // A timer that fires too early costs a turn of the loop; asking the time each turn costs more.
      if (nextMs < this.#armedMs) {
        const delayMs = this.clock.delayMs(nextMs);
        if (delayMs !== Infinity) {
          this.#uring.queueTimeout(delayMs, TIMER);
          this.#armedMs = nextMs;
        }
      }
      this.#spin();
      if (!this.#uring.hasResult) this.#uring.enter(1);
      this.clock.next();
      while (this.#uring.hasResult) this.#take();
    }
  }

  #spin(): void {
    const untilMs = Math.min(this.#spinner.untilMs(), this.schedule.nextMs);
    if (untilMs === 0) return;
    do this.#uring.enter(0); while (!this.#hasWork() && performance.now() < untilMs);
  }

  /** Takes the results of writes; whether there is one of something else. */
  #hasWork(): boolean {
    while (this.#uring.hasResult) {
      if (this.#uring.tag >= TIMER) return true;
      this.#take();
    }
    return false;
  }

  #take(): void {
    const { tag, result } = this.#uring;
    this.#uring.next();
    if (tag < TIMER) {
      this.#freeSlots.push(tag);
      if (result < 0) this.#onWriteError(-result);
      return;
    }
    if (tag === TIMER) {
      this.#armedMs = Infinity;
      return this.schedule.run(this.clock.now());
    }
    if (tag >= FIRST_ASIDE) return this.#takeAside(tag - FIRST_ASIDE, result);
    const index = tag - FIRST_READER;
    this.#spinner.read();
    if (result !== -EAGAIN && result !== -EINTR) this.#readers[index]?.reader.onRead(result);
    this.#queueRead(index);
  }

  #takeAside(index: number, result: number): void {
    const { onResult } = this.#asides[index]!;
    this.#asides[index] = undefined;
    onResult(result);
  }

  stop(): void {
    this.#stopped = true;
  }

  close(): void {
    const limitMs = performance.now() + END_LIMIT_MS;
    this.#uring.enter(0);
    for (;;) {
      while (this.#uring.hasResult) {
        const { tag, result } = this.#uring;
        this.#uring.next();
        if (tag >= FIRST_ASIDE) this.#takeAside(tag - FIRST_ASIDE, result);
      }
      const restMs = limitMs - performance.now();
      if (restMs <= 0 || this.#asides.every((aside) => !aside)) break;
      this.#uring.queueTimeout(restMs, TIMER);
      this.#uring.enter(1);
    }
    this.#uring.close();
  }
}
