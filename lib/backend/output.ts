// A file that sound is written to: bare samples, or a WAV whose header is kept true while it grows.

import {
  close,
  EAGAIN,
  EINTR,
  ENOSPC,
  lastErrno,
  O_CREAT,
  O_NONBLOCK,
  O_TRUNC,
  O_WRONLY,
  open,
  pwrite,
  SystemError,
  write,
} from "../../ffi/libc.ts";
import { type WavEncoding, wavEncoding, type WavHeader, wavHeader, wavSizes } from "../pcm/wav.ts";
import type { PcmParameters } from "./sink.ts";

/** Raw samples in the stream's own format, or a WAV file. */
export type FileKind = "raw" | "wav";

/** A growing sound file. */
export class OutputFile {
  readonly #fd: number;
  readonly #frameSamples: number;
  readonly #frameBytes: number;
  readonly #encoding: WavEncoding | undefined;
  readonly #header: WavHeader | undefined;
  #encoded = new Uint8Array(0);
  #dataBytes = 0;
  /** What a pipe did not take yet. */
  #backlog = new Uint8Array(0);
  #seekable = true;
  #failure: unknown;

  /**
   * Makes or empties the file.
   *
   * @throws {SystemError} if it cannot be made
   */
  constructor(readonly path: string, kind: FileKind, parameters: PcmParameters) {
    const { format, rateHz, channels } = parameters;
    this.#frameSamples = channels;
    this.#frameBytes = format.bytes * channels;
    // Non-blocking for pipes, whose reader must not hold up the loop.
    this.#fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK);
    if (kind === "raw") return;
    this.#encoding = wavEncoding(format);
    this.#header = wavHeader(format, rateHz, channels);
    try {
      this.#append(this.#header.bytes, this.#header.bytes.length);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Whether all that was written has been taken: always true but for a pipe with a slow reader. */
  get ready(): boolean {
    if (this.#backlog.length > 0) {
      const backlog = this.#backlog;
      this.#backlog = new Uint8Array(0);
      try {
        this.#append(backlog, backlog.length);
      } catch (error) {
        this.#failure = error; // the next write tells of it
      }
    }
    return this.#backlog.length === 0;
  }

  /**
   * Appends whole frames from `bytes`' start.
   *
   * @throws {SystemError} if they could not be written
   */
  write(bytes: Uint8Array<ArrayBuffer>, frames: number): void {
    if (this.#failure !== undefined) throw this.#failure;
    let length = frames * this.#frameBytes;
    if (this.#encoding) {
      const samples = frames * this.#frameSamples;
      length = samples * this.#encoding.bytesPerSample;
      if (this.#encoded.length < length) this.#encoded = new Uint8Array(length);
      this.#encoding.transcode(bytes, this.#encoded, samples);
      bytes = this.#encoded;
    }
    this.#append(bytes, length);
    this.#dataBytes += length;
    if (this.#header && this.#seekable) this.#rewriteHeader(this.#header);
  }

  #append(bytes: Uint8Array<ArrayBuffer>, length: number): void {
    let done = 0;
    while (done < length) {
      const rest = done === 0 ? bytes : bytes.subarray(done, length);
      const count = write(this.#fd, rest, length - done);
      if (count > 0) done += count;
      else if (count === 0) throw new SystemError(ENOSPC, "write", this.path);
      else if (lastErrno() === EAGAIN) {
        this.#backlog = bytes.slice(done, length);
        return;
      } else if (lastErrno() !== EINTR) throw new SystemError(lastErrno(), "write", this.path);
    }
  }

  #rewriteHeader(header: WavHeader): void {
    const ESPIPE = 29;
    wavSizes(header, this.#dataBytes);
    if (pwrite(this.#fd, header.bytes, header.bytes.length, 0) >= 0) return;
    if (lastErrno() !== ESPIPE) throw new SystemError(lastErrno(), "pwrite", this.path);
    this.#seekable = false;
  }

  close(): void {
    close(this.#fd);
  }
}
