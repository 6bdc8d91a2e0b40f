// A file that sound is written to: bare samples, or a WAV whose header is kept true while it grows.
// What a disk has not taken yet waits in memory, so that nobody waits for the disk.

import { CURRENT_OFFSET, type FileCalls, HERE } from "../../ffi/file_calls.ts";
import {
  EAGAIN,
  EINTR,
  ENOSPC,
  isSeekable,
  O_CREAT,
  O_NONBLOCK,
  O_TRUNC,
  O_WRONLY,
  SystemError,
} from "../../ffi/libc.ts";
import { type WavEncoding, wavEncoding, type WavHeader, wavHeader, wavSizes } from "../pcm/wav.ts";
import type { PcmParameters } from "./sink.ts";

/** Raw samples in the stream's own format, or a WAV file. */
export type FileKind = "raw" | "wav";

// Non-blocking for pipes, whose reader must not hold up the loop.
const FLAGS = O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK;

// What may wait for a disk: seconds of it, at a usual rate.
const MAX_PENDING_BYTES = 1 << 20;

// Less is moved about by V8, while another thread reads it.
const LEAST_MEMORY_BYTES = 4096;

/** Bytes that grow, and then keep the memory that they had. */
class Bytes {
  memory = new Uint8Array(0);
  length = 0;

  append(bytes: Uint8Array<ArrayBuffer>, length: number): void {
    const end = this.length + length;
    if (this.memory.length < end) {
      const larger = new Uint8Array(Math.max(LEAST_MEMORY_BYTES, end, 2 * this.memory.length));
      larger.set(this.memory.subarray(0, this.length));
      this.memory = larger;
    }
    this.memory.set(length === bytes.length ? bytes : bytes.subarray(0, length), this.length);
    this.length = end;
  }
}

/** A growing sound file. */
export class OutputFile {
  #calls: FileCalls;
  readonly #frameSamples: number;
  /** Of the stream, and in the file. */
  readonly #frameBytes: number;
  readonly #fileFrameBytes: number;
  readonly #encoding: WavEncoding | undefined;
  readonly #header: WavHeader | undefined;
  #encoded = new Uint8Array(0);
  #fd = -1;
  #seekable = true;
  /** What waits, and what is being written, of which `#done` bytes are in the file. */
  #queue = new Bytes();
  #flight = new Bytes();
  #done = 0;
  /** Where in the file the next byte goes, and the first went. */
  #offset = 0;
  #dataOffset = 0;
  #headerIsTrue = true;
  /** A call is under way. */
  #busy = false;
  /** A pipe is full. */
  #blocked = false;
  #closing = false;
  #failure: SystemError | undefined;

  /**
   * Makes or empties the file.
   *
   * @param calls how its system calls are made
   * @throws {SystemError} if it cannot be made, and that is known at once
   */
  constructor(
    readonly path: string,
    kind: FileKind,
    parameters: PcmParameters,
    calls: FileCalls = HERE,
  ) {
    const { format, rateHz, channels } = parameters;
    this.#calls = calls;
    this.#frameSamples = channels;
    this.#frameBytes = format.bytes * channels;
    if (kind === "wav") {
      this.#encoding = wavEncoding(format);
      this.#header = wavHeader(format, rateHz, channels);
      this.#headerIsTrue = false;
      this.#offset = this.#dataOffset = this.#header.bytes.length;
    }
    this.#fileFrameBytes = (this.#encoding?.bytesPerSample ?? format.bytes) * channels;
    this.#goOn();
    this.#throwFailure();
  }

  /** Whether it takes more: a pipe's reader or a disk may be slow. */
  get ready(): boolean {
    this.#retry();
    return !this.#blocked && this.#pendingBytes < MAX_PENDING_BYTES;
  }

  get #pendingBytes(): number {
    return this.#queue.length + this.#flight.length - this.#done;
  }

  /**
   * How many frames have been taken and are not in the file yet; at least 1 while anything of it is.
   *
   * @throws {SystemError} if what was taken could not be written
   */
  unkeptFrames(): number {
    this.#retry();
    this.#throwFailure();
    const frames = Math.ceil(this.#pendingBytes / this.#fileFrameBytes);
    return Math.max(frames, this.#busy ? 1 : 0);
  }

  /**
   * Appends whole frames from `bytes`' start.
   *
   * @throws {SystemError} if they, or others before, could not be written
   */
  write(bytes: Uint8Array<ArrayBuffer>, frames: number): void {
    this.#throwFailure();
    let length = frames * this.#frameBytes;
    if (this.#encoding) {
      const samples = frames * this.#frameSamples;
      length = samples * this.#encoding.bytesPerSample;
      if (this.#encoded.length < length) this.#encoded = new Uint8Array(length);
      this.#encoding.transcode(bytes, this.#encoded, samples);
      bytes = this.#encoded;
    }
    this.#queue.append(bytes, length);
    this.#goOn();
    this.#throwFailure();
  }

  // It is told once; what is written after it is tried again.
  #throwFailure(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) throw failure;
  }

  #retry(): void {
    this.#blocked = false;
    this.#goOn();
  }

  /** Makes the next call, if there is something to do. */
  #goOn(): void {
    if (this.#busy || this.#blocked) return;
    if (this.#fd < 0) {
      if (this.#closing) return;
      this.#busy = true;
      return this.#calls.open(this.path, FLAGS, this.#onOpened);
    }
    if (this.#done === this.#flight.length) {
      [this.#flight, this.#queue] = [this.#queue, this.#flight];
      this.#queue.length = this.#done = 0;
    }
    if (this.#done < this.#flight.length) {
      const { memory, length } = this.#flight;
      const offset = this.#seekable ? this.#offset : CURRENT_OFFSET;
      const rest = this.#done === 0 ? memory : memory.subarray(this.#done);
      this.#busy = true;
      this.#calls.write(this.#fd, rest, length - this.#done, offset, this.#onWritten);
    } else if (!this.#headerIsTrue) {
      this.#writeHeader(this.#header!);
    } else if (this.#closing) {
      this.#calls.close(this.#fd);
      this.#fd = -1;
    }
  }

  #writeHeader(header: WavHeader): void {
    wavSizes(header, this.#offset - this.#dataOffset);
    this.#headerIsTrue = this.#busy = true;
    this.#calls.write(this.#fd, header.bytes, header.bytes.length, 0, this.#onHeaderWritten);
  }

  readonly #onOpened = (result: number): void => {
    this.#busy = false;
    if (result < 0) return this.#fail(-result, "open");
    this.#fd = result;
    this.#seekable = isSeekable(result);
    if (!this.#seekable) {
      this.#calls = HERE;
      if (this.#header) this.#flight.append(this.#header.bytes, this.#header.bytes.length);
      this.#headerIsTrue = true; // as far as it can be
    }
    this.#goOn();
  };

  readonly #onWritten = (result: number): void => {
    this.#busy = false;
    if (result > 0) {
      this.#done += result;
      this.#offset += result;
      this.#headerIsTrue = !this.#seekable || !this.#header;
    } else if (result === -EAGAIN) {
      this.#blocked = true;
      if (this.#closing) this.#abandon();
    } else if (result !== -EINTR) return this.#fail(-result || ENOSPC, "write");
    this.#goOn();
  };

  readonly #onHeaderWritten = (result: number): void => {
    this.#busy = false;
    if (result === -EINTR) this.#headerIsTrue = false;
    else if (result < 0) return this.#fail(-result, "pwrite");
    this.#goOn();
  };

  /** What waits is lost, and of a frame that was written in part, that part. */
  #fail(errno: number, call: string): void {
    this.#failure = new SystemError(errno, call, this.path);
    this.#abandon();
    this.#offset -= (this.#offset - this.#dataOffset) % this.#fileFrameBytes;
    if (this.#closing) this.#goOn();
  }

  #abandon(): void {
    this.#queue.length = this.#flight.length = this.#done = 0;
    this.#blocked = false;
  }

  /** Lets go of the file when all is written; a full pipe is not waited for. */
  close(): void {
    this.#closing = true;
    if (this.#blocked) this.#abandon();
    this.#goOn();
  }
}
