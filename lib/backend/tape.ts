// A WAV file's frames as a time line without an end. They are read ahead, so that nobody waits for the
// disk but whoever wants to hear them.

import { EINTR, SystemError } from "../../ffi/libc.ts";
import type { InputFile } from "./input.ts";

// So many frames are read ahead at once: a second of sound, or some.
const BLOCK_FRAMES = 1 << 15;

/** A piece of the time line. */
class Block {
  /** Its first frame, and the first after it. */
  start = 0;
  end = 0;
  /** Whether all its frames are there, or will never be. */
  isFull = false;
  /** Whether the kernel reads into its bytes. */
  isBusy = false;
  failure: SystemError | undefined;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #file: InputFile;
  readonly #loops: boolean;
  #doneBytes = 0;

  constructor(file: InputFile, loops: boolean) {
    this.#file = file;
    this.#loops = loops;
    this.bytes = new Uint8Array(BLOCK_FRAMES * file.frameBytes);
  }

  holds(position: number): boolean {
    return position >= this.start && position < this.end;
  }

  /** The first frame that is not there. */
  get there(): number {
    if (this.isFull) return this.end;
    return this.start + Math.floor(this.#doneBytes / this.#file.frameBytes);
  }

  /** Is the piece from `start` on from now on, and has it read. */
  fill(start: number): void {
    this.start = start;
    this.end = start + BLOCK_FRAMES;
    this.isFull = false;
    this.failure = undefined;
    this.#doneBytes = 0;
    this.#goOn();
  }

  #goOn(): void {
    const { bytes } = this;
    const fileBytes = this.#file.frames * this.#file.frameBytes;
    // A short file is not read again and again.
    while (this.#loops && this.#doneBytes >= fileBytes && this.#doneBytes < bytes.length) {
      const from = this.#doneBytes - fileBytes;
      bytes.copyWithin(this.#doneBytes, from, this.#doneBytes);
      this.#doneBytes = Math.min(this.#doneBytes + fileBytes, bytes.length);
    }
    const at = this.start * this.#file.frameBytes + this.#doneBytes;
    const offset = this.#loops ? at % fileBytes : at;
    const length = Math.min(bytes.length - this.#doneBytes, fileBytes - offset);
    if (length <= 0) return this.#fillRest();
    this.isBusy = true;
    const rest = bytes.subarray(this.#doneBytes, this.#doneBytes + length);
    this.#file.read(rest, offset, this.#onRead);
  }

  readonly #onRead = (result: number): void => {
    this.isBusy = false;
    if (result === 0) return this.#fillRest(); // the file has become shorter
    if (result > 0) this.#doneBytes += result;
    else if (result !== -EINTR) return this.#fail(-result);
    this.#goOn();
  };

  #fail(errno: number): void {
    this.failure = new SystemError(errno, "pread", this.#file.path);
    this.isFull = true;
  }

  #fillRest(): void {
    const { format } = this.#file.info;
    format.silence(this.bytes, this.#doneBytes, this.bytes.length - this.#doneBytes);
    this.isFull = true;
  }
}

/** The file, once or for ever; what follows it is silence. */
export class Tape {
  readonly file: InputFile;
  readonly #loops: boolean;
  /** The piece that is being heard, and the next one. */
  #near: Block;
  #far: Block;

  /** @param loops whether the file is followed by itself */
  constructor(file: InputFile, loops: boolean) {
    this.file = file;
    this.#loops = loops;
    this.#near = new Block(file, loops);
    this.#far = new Block(file, loops);
    this.ready(0);
  }

  /** How many frames are at hand from `position` on. Has those read that are not. */
  ready(position: number): number {
    if (!this.#near.holds(position)) this.#wind(position);
    const last = this.#near.isFull ? this.#far : this.#near;
    return Math.max(0, last.there - position);
  }

  #wind(position: number): void {
    if (this.#far.holds(position)) [this.#near, this.#far] = [this.#far, this.#near];
    else this.#near = this.#filled(this.#near, position);
    this.#far = this.#filled(this.#far, this.#near.end);
  }

  /** A block from `start` on: this one, or another if the kernel is still reading into it. */
  #filled(block: Block, start: number): Block {
    const filled = block.isBusy ? new Block(this.file, this.#loops) : block;
    filled.fill(start);
    return filled;
  }

  /**
   * Puts the `frames` frames from `position` on, no more than are at hand, at `target`'s start.
   *
   * @throws {SystemError} if they could not be read
   */
  read(target: Uint8Array<ArrayBuffer>, position: number, frames: number): void {
    const { frameBytes } = this.file;
    for (let done = 0; done < frames;) {
      const at = position + done;
      if (this.ready(at) === 0) throw new Error(`frame ${at} of ${this.file.path} is not at hand`);
      const { failure, bytes, start, there } = this.#near;
      if (failure) throw failure;
      const count = Math.min(frames - done, there - at);
      const first = (at - start) * frameBytes;
      target.set(bytes.subarray(first, first + count * frameBytes), done * frameBytes);
      done += count;
    }
  }
}
