// io_uring: many reads and writes, and the wait for them, in one system call. Layouts and numbers are
// those of linux/io_uring.h.

import { close, EINTR, lastErrno, SystemError } from "./libc.ts";

const libc = Deno.dlopen(
  "libc.so.6",
  {
    // long syscall(SYS_io_uring_setup, unsigned entries, struct io_uring_params *params)
    setup: { name: "syscall", parameters: ["i32", "u32", "buffer"], result: "i32" },
    // long syscall(SYS_io_uring_enter, int fd, unsigned to_submit, unsigned min_complete,
    //              unsigned flags, const void *argument, size_t argument_size)
    enter: {
      name: "syscall",
      parameters: ["i32", "i32", "u32", "u32", "u32", "buffer", "usize"],
      result: "i32",
    },
    // void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
    mmap: {
      parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"],
      result: "pointer",
    },
  } as const,
).symbols;

// The same on every architecture that was added to Linux after 2011, and on x86-64.
const SYS_IO_URING_SETUP = 425;
const SYS_IO_URING_ENTER = 426;

const IORING_OP_TIMEOUT = 11;
const IORING_OP_OPENAT = 18;
const IORING_OP_CLOSE = 19;
const IORING_OP_READ = 22;
const IORING_OP_WRITE = 23;

/** In an entry's second byte: a thread of the kernel's makes the call from the start. */
const ASIDE = 1 << 4 << 8; // IOSQE_ASYNC

const AT_FDCWD = -100;

const IORING_SETUP_SINGLE_ISSUER = 1 << 12;
const IORING_SETUP_DEFER_TASKRUN = 1 << 13;

const IORING_FEAT_SINGLE_MMAP = 1 << 0;
const IORING_FEAT_FAST_POLL = 1 << 5;
const NEEDED_FEATURES = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_FAST_POLL;

const IORING_ENTER_GETEVENTS = 1 << 0;

const IORING_OFF_SQ_RING = 0n;
const IORING_OFF_SQES = 0x1000_0000n;

const PARAMS_SIZE = 120;
const SQ_OFFSETS = 40; // head, tail, ring_mask, ring_entries, flags, dropped, array
const CQ_OFFSETS = 80; // head, tail, ring_mask, ring_entries, overflow, cqes
const SQE_SIZE = 64;
const CQE_SIZE = 16;

/** A pair of queues that this process and the kernel share: requests one way, results the other. */
export class Uring {
  readonly #fd: number;
  readonly #entries: number;
  readonly #ring: Int32Array<ArrayBuffer>;
  readonly #sqes: DataView<ArrayBuffer>;
  readonly #cqes: DataView<ArrayBuffer>;
  // Indexes into #ring.
  readonly #sqHead: number;
  readonly #sqTail: number;
  readonly #sqArray: number;
  readonly #cqHead: number;
  readonly #cqTail: number;
  readonly #cqMask: number;
  /** A struct __kernel_timespec. */
  readonly #delay = new Uint8Array(16);
  readonly #delayView = new DataView(this.#delay.buffer);
  readonly #delayAddress = addressOf(this.#delay);
  #queued = 0;

  /**
   * Makes the queues. They belong to the calling thread.
   *
   * @param entries how many requests can be queued, a power of two
   * @returns undefined where the kernel has no io_uring, forbids it, or is older than 5.7
   */
  static open(entries: number): Uring | undefined {
    const params = new Uint8Array(PARAMS_SIZE);
    const view = new DataView(params.buffer);
    // Results are then made when we ask for them, not by interrupting us (Linux 6.1).
    view.setUint32(8, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, true);
    let fd = libc.setup(SYS_IO_URING_SETUP, entries, params);
    if (fd < 0) {
      params.fill(0);
      fd = libc.setup(SYS_IO_URING_SETUP, entries, params);
    }
    if (fd < 0) return undefined;
    if ((view.getUint32(20, true) & NEEDED_FEATURES) === NEEDED_FEATURES) {
      return new Uring(fd, view);
    }
    close(fd);
    return undefined;
  }

  private constructor(fd: number, params: DataView) {
    this.#fd = fd;
    this.#entries = params.getUint32(0, true);
    const sq = (i: number) => params.getUint32(SQ_OFFSETS + i * 4, true);
    const cq = (i: number) => params.getUint32(CQ_OFFSETS + i * 4, true);
    const cqEntries = params.getUint32(4, true);
    const ringBytes = Math.max(sq(6) + this.#entries * 4, cq(5) + cqEntries * CQE_SIZE);
    const ring = map(fd, ringBytes, IORING_OFF_SQ_RING);
    this.#ring = new Int32Array(ring);
    this.#sqes = new DataView(map(fd, this.#entries * SQE_SIZE, IORING_OFF_SQES));
    this.#cqes = new DataView(ring, cq(5), cqEntries * CQE_SIZE);
    this.#sqHead = sq(0) / 4;
    this.#sqTail = sq(1) / 4;
    this.#sqArray = sq(6) / 4;
    this.#cqHead = cq(0) / 4;
    this.#cqTail = cq(1) / 4;
    this.#cqMask = cqEntries - 1;
    for (let i = 0; i < this.#entries; i++) this.#ring[this.#sqArray + i] = i;
  }

  /** Queues a read into memory that stays where it is until the result comes. */
  queueRead(fd: number, address: number, length: number, tag: number): void {
    this.#queue(IORING_OP_READ, fd, address, length, tag);
  }

  /** Queues a write of memory that stays as it is until the result comes. */
  queueWrite(fd: number, address: number, length: number, tag: number): void {
    this.#queue(IORING_OP_WRITE, fd, address, length, tag);
  }

  // What may have to wait is made aside, by a thread of the kernel's.

  /** As `queueRead`, but aside. */
  queueReadAside(fd: number, address: number, length: number, offset: number, tag: number): void {
    this.#queue(IORING_OP_READ | ASIDE, fd, address, length, tag, offset);
  }

  /** As `queueWrite`, but aside. @param offset in the file; -1 for where it is */
  queueWriteAside(fd: number, address: number, length: number, offset: number, tag: number): void {
    this.#queue(IORING_OP_WRITE | ASIDE, fd, address, length, tag, offset);
  }

  /** Queues open(2) of a path that ends with a NUL and stays where it is until the result comes. */
  queueOpenAside(path: number, flags: number, mode: number, tag: number): void {
    this.#queue(IORING_OP_OPENAT | ASIDE, AT_FDCWD, path, mode, tag, 0, flags);
  }

  /** Queues close(2). */
  queueCloseAside(fd: number, tag: number): void {
    this.#queue(IORING_OP_CLOSE | ASIDE, fd, 0, 0, tag);
  }

  /** Queues a result of -ETIME that comes after `delayMs`. One can be queued before each `enter`. */
  queueTimeout(delayMs: number, tag: number): void {
    const ns = Math.max(0, Math.round(delayMs * 1e6));
    const seconds = Math.floor(ns / 1e9);
    this.#delayView.setUint32(0, seconds, true);
    this.#delayView.setUint32(8, ns - seconds * 1e9, true);
    this.#queue(IORING_OP_TIMEOUT, -1, this.#delayAddress, 1, tag);
  }

  /**
   * @param opcode with the entry's flags in its second byte
   * @param flags the call's own
   */
  #queue(
    opcode: number,
    fd: number,
    address: number,
    length: number,
    tag: number,
    offset = 0,
    flags = 0,
  ): void {
    if (this.#queued === this.#entries) this.enter(0);
    const tail = this.#ring[this.#sqTail];
    const at = (tail & (this.#entries - 1)) * SQE_SIZE;
    const sqes = this.#sqes;
    sqes.setUint32(at, opcode, true); // no priority
    sqes.setInt32(at + 4, fd, true);
    sqes.setUint32(at + 8, offset >>> 0, true);
    sqes.setUint32(at + 12, Math.floor(offset / 0x1_0000_0000), true);
    sqes.setUint32(at + 16, address % 0x1_0000_0000, true);
    sqes.setUint32(at + 20, Math.floor(address / 0x1_0000_0000), true);
    sqes.setUint32(at + 24, length, true);
    sqes.setUint32(at + 28, flags, true);
    sqes.setUint32(at + 32, tag, true);
    Atomics.store(this.#ring, this.#sqTail, (tail + 1) | 0);
    this.#queued++;
  }

  /** Hands the queued requests to the kernel and waits for so many results. */
  enter(results: number): void {
    const submitted = libc.enter(
      SYS_IO_URING_ENTER,
      this.#fd,
      this.#queued,
      results,
      IORING_ENTER_GETEVENTS,
      null,
      0n,
    );
    // A wait that a signal ends has handed them over all the same.
    this.#queued = (this.#ring[this.#sqTail] - Atomics.load(this.#ring, this.#sqHead)) | 0;
    if (submitted < 0 && lastErrno() !== EINTR) {
      throw new SystemError(lastErrno(), "io_uring_enter", "loop");
    }
  }

  /** Whether a result has come. */
  get hasResult(): boolean {
    return this.#ring[this.#cqHead] !== Atomics.load(this.#ring, this.#cqTail);
  }

  /** The tag of the first result. */
  get tag(): number {
    return this.#cqes.getUint32((this.#ring[this.#cqHead] & this.#cqMask) * CQE_SIZE, true);
  }

  /** What the first result's system call would have returned: a count, or -errno. */
  get result(): number {
    return this.#cqes.getInt32((this.#ring[this.#cqHead] & this.#cqMask) * CQE_SIZE + 8, true);
  }

  /** Forgets the first result. */
  next(): void {
    Atomics.store(this.#ring, this.#cqHead, (this.#ring[this.#cqHead] + 1) | 0);
  }

  /** Ends it; what is still under way is cancelled. */
  close(): void {
    close(this.#fd);
  }
}

function map(fd: number, bytes: number, offset: bigint): ArrayBuffer {
  const PROT_READ_WRITE = 3, MAP_SHARED_POPULATE = 0x8001;
  const address = libc.mmap(
    null,
    BigInt(bytes),
    PROT_READ_WRITE,
    MAP_SHARED_POPULATE,
    fd,
    offset,
  );
  if (!address || Deno.UnsafePointer.value(address) === 0xffff_ffff_ffff_ffffn) {
    throw new SystemError(lastErrno(), "mmap", "io_uring");
  }
  return Deno.UnsafePointerView.getArrayBuffer(address, bytes);
}

/** Where a buffer lies in memory; it stays there as long as the buffer lives. */
export function addressOf(buffer: Uint8Array<ArrayBuffer>): number {
  return Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(buffer)));
}
