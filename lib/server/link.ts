// One stream between the device loop and the thread of a sound server: a ring of bytes in memory that
// both see, and what each has to tell the other. Neither ever waits for the other.
//
// Playing, the loop writes and the thread reads; recording, the other way round. Frames are counted
// from the stream's start, in 32 bits that wrap.

/** How the thread stands to its server, as far as this stream is concerned. */
export const LinkState = { CONNECTING: 0, READY: 1, LOST: 2 } as const;

// Words of 32 bits that the memory begins with.
const FRAME_BYTES = 0;
const CAPACITY = 1; // frames
const WRITTEN = 2; // frames, by whoever writes
const READ = 3; // frames, by whoever reads
const RUNNING = 4; // by the loop
const CLOSED = 5; // by the loop: what is there is played, then the stream ends
const FLUSHES = 6; // by the loop: how often what was written was taken back
const STATE = 7; // by the thread
const TARGET = 8; // by the thread: frames that it wants to be under way when it plays
const XRUNS = 9; // by the thread: how often the server had nothing to play, or we no place to record
const LOST = 10; // by the thread: frames that nobody has heard, or that were not recorded
const REPORTS = 11; // by the thread: odd while a report is being written
const REPORT_READ = 12; // frames read or written at the report
const REPORT_DELAY = 13; // frames of them that are not heard yet; recording, how old they are
const REPORT_MS = 7; // as 64-bit floating point: word 14 and 15
const FLUSH_END = 16; // by the loop: frames written when it last took back
const WANTED_LEVEL = 17; // by the loop: the stream's level, and how often it has been moved
const TOLD_LEVEL = 18; // by the thread: the level at the server, and which of those moves it follows
const HEADER_BYTES = 128;

// A word with a level holds that in its lower bits, above them a count of moves, and this if there is
// one at all.
const LEVEL_MASK = 0x1ffff;
const MOVES_SHIFT = 17;
const MOVES_MASK = 0x3fff;
const IS_LEVEL = 1 << 31;

function movesOf(word: number): number {
  return word >>> MOVES_SHIFT & MOVES_MASK;
}

/** Where a stream is, as its thread last told. */
export interface Position {
  /** When, in milliseconds since the epoch. */
  atMs: number;
  /** Frames read (playing) or written (recording) by the thread, 32 bits. */
  frames: number;
  /** How many of those are not heard yet; recording, how old the last of them is, in frames. */
  delayFrames: number;
}

/** One side's view of the shared memory. */
export class StreamLink {
  readonly frameBytes: number;
  /** In frames. */
  readonly capacity: number;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #times: Float64Array<SharedArrayBuffer>;
  readonly #data: Uint8Array<SharedArrayBuffer>;

  /** Memory for a new link of `leastFrames` frames or more. */
  static allocate(frameBytes: number, leastFrames: number): SharedArrayBuffer {
    // A divisor of 2^32, where the counts wrap.
    const capacityFrames = 2 ** Math.ceil(Math.log2(leastFrames));
    const memory = new SharedArrayBuffer(HEADER_BYTES + frameBytes * capacityFrames);
    const words = new Int32Array(memory, 0, HEADER_BYTES / 4);
    words[FRAME_BYTES] = frameBytes;
    words[CAPACITY] = capacityFrames;
    return memory;
  }

  constructor(readonly memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory, 0, HEADER_BYTES / 4);
    this.#times = new Float64Array(memory, 0, HEADER_BYTES / 8);
    this.#data = new Uint8Array(memory, HEADER_BYTES);
    this.frameBytes = this.#words[FRAME_BYTES];
    this.capacity = this.#words[CAPACITY];
  }

  #load(word: number): number {
    return Atomics.load(this.#words, word);
  }

  /** The loop moves the stream's level (lib/pcm/volume.ts). */
  moveLevel(level: number): void {
    const moves = movesOf(this.#load(WANTED_LEVEL)) + 1 & MOVES_MASK;
    // The count wraps: what was told long ago must not come to be true again.
    Atomics.store(this.#words, TOLD_LEVEL, 0);
    Atomics.store(this.#words, WANTED_LEVEL, level | moves << MOVES_SHIFT | IS_LEVEL);
  }

  /** What `moveLevel` has stored: another number after each move, 0 before the first. */
  get levelMoves(): number {
    return this.#load(WANTED_LEVEL);
  }

  /** The thread tells what the level has been moved to at the server, after the loop's `levelMoves`. */
  tellLevel(level: number, levelMoves: number): void {
    const moves = movesOf(levelMoves);
    Atomics.store(this.#words, TOLD_LEVEL, level | moves << MOVES_SHIFT | IS_LEVEL);
  }

  /** What `tellLevel` has stored: 0 before the first. */
  get levelTold(): number {
    return this.#load(TOLD_LEVEL);
  }

  /**
   * What the level has been moved to at the server; undefined if the loop has moved it since, as far as
   * the thread knew.
   */
  get levelThere(): number | undefined {
    const told = this.#load(TOLD_LEVEL);
    const isLast = told !== 0 && movesOf(told) === movesOf(this.#load(WANTED_LEVEL));
    return isLast ? told & LEVEL_MASK : undefined;
  }

  /** The level as it was last moved, by the loop or at the server; undefined if neither ever has. */
  get level(): number | undefined {
    const wanted = this.#load(WANTED_LEVEL);
    return this.levelThere ?? (wanted === 0 ? undefined : wanted & LEVEL_MASK);
  }

  /** Frames that can be read. */
  get filled(): number {
    return (this.#load(WRITTEN) - this.#load(READ)) | 0;
  }

  /** Frames written so far, 32 bits. */
  get written(): number {
    return this.#load(WRITTEN);
  }

  /** Frames read so far, 32 bits. */
  get read(): number {
    return this.#load(READ);
  }

  /** Writes what there is room for of `frames` frames from `source`'s byte `start` on. */
  write(source: Uint8Array, start: number, frames: number): number {
    const taken = Math.min(frames, this.capacity - this.filled);
    const written = this.#load(WRITTEN);
    this.#copy(written, taken, (at, offset, bytes) => {
      this.#data.set(source.subarray(start + offset, start + offset + bytes), at);
    });
    Atomics.store(this.#words, WRITTEN, (written + taken) | 0);
    return taken;
  }

  /**
   * Reads up to `frames` frames to `target`'s byte `start`; returns how many. None if what was written
   * has been taken back more often than `flushes`: that would be of two sounds.
   */
  readInto(target: Uint8Array, start: number, frames: number, flushes = this.flushes): number {
    const given = Math.min(frames, this.filled);
    const read = this.#load(READ);
    this.#copy(read, given, (at, offset, bytes) => {
      target.set(this.#data.subarray(at, at + bytes), start + offset);
    });
    // What the loop writes after a flush comes after its count.
    if (this.flushes !== flushes) return 0;
    Atomics.store(this.#words, READ, (read + given) | 0);
    return given;
  }

  /** Passes over up to `frames` frames that could be read; returns how many. */
  skip(frames: number): number {
    const passed = Math.min(frames, this.filled);
    Atomics.store(this.#words, READ, (this.#load(READ) + passed) | 0);
    return passed;
  }

  #copy(
    from: number,
    frames: number,
    copy: (at: number, offset: number, bytes: number) => void,
  ): void {
    const { frameBytes, capacity } = this;
    const at = from & (capacity - 1);
    const first = Math.min(frames, capacity - at);
    if (first > 0) copy(at * frameBytes, 0, first * frameBytes);
    if (first < frames) copy(0, first * frameBytes, (frames - first) * frameBytes);
  }

  /** Whether the loop wants sound to move. */
  get running(): boolean {
    return this.#load(RUNNING) !== 0;
  }

  set running(running: boolean) {
    Atomics.store(this.#words, RUNNING, running ? 1 : 0);
  }

  /** Whether the loop has done with the stream. */
  get closed(): boolean {
    return this.#load(CLOSED) !== 0;
  }

  close(): void {
    Atomics.store(this.#words, CLOSED, 1);
  }

  /** How often the loop has taken back what it wrote. */
  get flushes(): number {
    return this.#load(FLUSHES);
  }

  flush(): void {
    Atomics.store(this.#words, FLUSH_END, this.#load(WRITTEN));
    Atomics.add(this.#words, FLUSHES, 1);
  }

  /** Passes over what was taken back, and not over what was written since; returns how many frames. */
  skipFlushed(): number {
    return this.skip(Math.max(0, (this.#load(FLUSH_END) - this.#load(READ)) | 0));
  }

  get state(): number {
    return this.#load(STATE);
  }

  set state(state: number) {
    Atomics.store(this.#words, STATE, state);
  }

  /** Frames that the thread wants to be under way, those at the server counted; 0 when unknown. */
  get target(): number {
    return this.#load(TARGET);
  }

  set target(frames: number) {
    Atomics.store(this.#words, TARGET, frames);
  }

  get xruns(): number {
    return this.#load(XRUNS);
  }

  addXrun(): void {
    Atomics.add(this.#words, XRUNS, 1);
  }

  /** Frames that were dropped. */
  get lost(): number {
    return this.#load(LOST);
  }

  addLost(frames: number): void {
    Atomics.add(this.#words, LOST, frames);
  }

  /** The thread tells where the stream is. */
  report(position: Position): void {
    const words = this.#words;
    Atomics.add(words, REPORTS, 1);
    Atomics.store(words, REPORT_READ, position.frames | 0);
    Atomics.store(words, REPORT_DELAY, position.delayFrames);
    this.#times[REPORT_MS] = position.atMs;
    Atomics.add(words, REPORTS, 1);
  }

  /** How many reports there have been; the loop looks at one only when there is a new one. */
  get reports(): number {
    return this.#load(REPORTS);
  }

  /** Copies the last report to `position`; false if it was being written meanwhile. */
  position(position: Position): boolean {
    const before = this.#load(REPORTS);
    if (before & 1) return false;
    position.frames = this.#load(REPORT_READ);
    position.delayFrames = this.#load(REPORT_DELAY);
    position.atMs = this.#times[REPORT_MS];
    return this.#load(REPORTS) === before;
  }
}
