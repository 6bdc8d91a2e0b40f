// A WAV file that sound is read from.

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

/** A WAV file whose frames are read from anywhere. */
export class InputFile {
  readonly info: WavInfo;
  /** How many whole frames it has. */
  readonly frames: number;
  readonly #file: Deno.FsFile;
  readonly #frameBytes: number;

  /** @throws {Error} that says what is wrong with the file */
  constructor(readonly path: string) {
    this.#file = Deno.openSync(path);
    try {
      this.info = readWavHead(this.#file);
    } catch (error) {
      this.#file.close();
      throw error;
    }
    this.#frameBytes = this.info.format.bytes * this.info.channels;
    this.frames = Math.floor(this.info.dataBytes / this.#frameBytes);
  }

  /**
   * Puts `frames` frames from frame `position` on at `target[start]`: silence where the file has
   * become shorter.
   */
  read(target: Uint8Array<ArrayBuffer>, start: number, position: number, frames: number): void {
    const end = start + frames * this.#frameBytes;
    this.#file.seekSync(
      this.info.dataOffset + position * this.#frameBytes,
      Deno.SeekMode.Start,
    );
    for (let at = start; at < end;) {
      const count = this.#file.readSync(target.subarray(at, end));
      if (count === null) return this.info.format.silence(target, start, end - start);
      at += count;
    }
  }

  close(): void {
    this.#file.close();
  }
}
