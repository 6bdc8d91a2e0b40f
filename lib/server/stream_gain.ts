// The gain that a stream's level comes to, for servers that keep no volume for it.

import { applyGain, type Gain, scale, setGain } from "../pcm/volume.ts";
import type { ServerStream } from "./server.ts";

/** What a stream's frames are multiplied by when they are taken from its link. */
export class StreamGain {
  readonly #stream: ServerStream;
  readonly #gain: Gain = { left: 1, right: 1 };
  #level: number | undefined;

  constructor(stream: ServerStream) {
    this.#stream = stream;
  }

  get #current(): Gain {
    const { level } = this.#stream.link;
    if (level !== undefined && level !== this.#level) setGain(this.#gain, level);
    this.#level = level;
    return this.#gain;
  }

  /** Scales frames of the stream's format, from `bytes`' start on. */
  apply(bytes: Uint8Array<ArrayBuffer>, frames: number): void {
    const { format, channels, link } = this.#stream;
    const { left, right } = this.#current;
    applyGain(format, bytes, 0, frames * link.frameBytes, channels, left, right);
  }

  /** Scales frames that have been decoded. */
  scale(samples: Float64Array, frames: number): void {
    const { channels } = this.#stream;
    const { left, right } = this.#current;
    scale(samples, frames * channels, channels, left, right);
  }
}
