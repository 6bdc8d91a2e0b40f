// A WAV file that sound is read from.

import type { FileCalls } from "../../ffi/file_calls.ts";
import { close, EBUSY, O_RDONLY, open } from "../../ffi/libc.ts";
import { parseWav, type WavInfo } from "../pcm/wav.ts";

// A header is within this much of a file's start, whatever chunks come before the samples.
const HEAD_BYTES = 1 << 16;

/**
 * Reads the head of an open WAV file; `dataBytes` is what is really there.
 *
 * @throws {Error} that says what was found and what was wanted
 */
export function readWavHead(file: Deno.FsFile): WavInfo {
  const head = new Uint8Array(HEAD_BYTES);
  file.seekSync(0, Deno.SeekMode.Start);
  const length = file.readSync(head) ?? 0;
  const info = parseWav(head.subarray(0, length));
  const there = Math.max(0, file.statSync().size - info.dataOffset);
  return { ...info, dataBytes: Math.min(info.dataBytes, there) };
}

// So many reads may wait for the disk: a program that opens the device over and over asks for more.
const MOST_WAITING = 256;

/** A WAV file whose samples are read from anywhere. */
export class InputFile {
  readonly info: WavInfo;
  readonly frameBytes: number;
  /** How many whole frames it has. */
  readonly frames: number;
  readonly #calls: FileCalls;
  readonly #fd: number;
  #waiting = 0;

  /**
   * @param calls how it is read, but for its head, which is read here and now
   * @throws {Error} that says what is wrong with the file
   */
  constructor(readonly path: string, calls: FileCalls) {
    using file = Deno.openSync(path);
    this.info = readWavHead(file);
    this.frameBytes = this.info.format.bytes * this.info.channels;
    this.frames = Math.floor(this.info.dataBytes / this.frameBytes);
    this.#calls = calls;
    this.#fd = open(path, O_RDONLY);
  }

  /** Reads into `target` from byte `offset` of the samples on; `onResult` as `FileCalls.read` has it. */
  read(
    target: Uint8Array<ArrayBuffer>,
    offset: number,
    onResult: (result: number) => void,
  ): void {
    if (this.#waiting === MOST_WAITING) return onResult(-EBUSY);
    this.#waiting++;
    this.#calls.read(this.#fd, target, this.info.dataOffset + offset, (result) => {
      this.#waiting--;
      onResult(result);
    });
  }

  close(): void {
    close(this.#fd);
  }
}
