// Streams in a server's own rate, channels and numbers, for servers that take only those: what a
// program plays is added to a sum, what is recorded is made into what the program wants.

import { Converter } from "../pcm/converter.ts";
import type { ServerStream } from "./server.ts";
import { StreamGain } from "./stream_gain.ts";

/** What a program plays, as its server wants it. */
export class PlayingVoice {
  readonly #converter: Converter;
  readonly #ratio: number;
  readonly #gain: StreamGain | undefined;
  /** How often the program has taken back what it wrote, as far as we know. */
  #flushes: number;
  #bytes = new Uint8Array(0);
  #samples = new Float64Array(0);

  /** @param scales whether the stream's level is laid on it here: its server keeps no volume for it */
  constructor(
    readonly stream: ServerStream,
    rateHz: number,
    serverChannels: number,
    scales = true,
  ) {
    if (scales) this.#gain = new StreamGain(stream);
    this.#flushes = stream.link.flushes;
    this.#ratio = stream.rateHz / rateHz;
    const { rateHz: fromHz, channels, resample } = stream;
    this.#converter = new Converter(fromHz, channels, rateHz, serverChannels, resample);
  }

  /** Frames of the stream that were read from its link and are still in here. */
  get heldFrames(): number {
    return Math.round(this.#converter.heldFrames * this.#ratio);
  }

  /**
   * Makes up to `frames` frames ready for `addTo`; returns how many there are. Where the program's sound
   * ends, all of it is made.
   */
  ready(frames: number): number {
    const { queue } = this.#converter;
    const { link } = this.stream;
    // Looked at first: what is written after that belongs to a sound that begins again.
    const isEnding = !link.running || link.closed;
    while (queue.length < frames && this.#read(frames - queue.length) > 0);
    if (isEnding && queue.length < frames && link.filled === 0) this.#converter.end();
    return Math.min(frames, queue.length);
  }

  /**
   * Adds the next frames to `mix`, interleaved in the server's channels, from its start on.
   *
   * @returns how many of the `frames` there were; the rest is silence
   */
  addTo(mix: Float32Array | Float64Array, frames: number): number {
    const given = this.ready(frames);
    const { queue } = this.#converter;
    const samples = queue.first(given);
    for (let i = 0; i < samples.length; i++) mix[i] += samples[i];
    queue.drop(given);
    return given;
  }

  #read(serverFrames: number): number {
    const { link, format, channels } = this.stream;
    const wanted = Math.min(link.filled, Math.ceil(serverFrames * this.#ratio) + 1);
    if (this.#bytes.length < wanted * link.frameBytes) {
      this.#bytes = new Uint8Array(wanted * link.frameBytes);
      this.#samples = new Float64Array(wanted * channels);
    }
    const frames = link.readInto(this.#bytes, 0, wanted, this.#flushes);
    format.decode(this.#bytes, 0, this.#samples, 0, frames * channels);
    this.#gain?.scale(this.#samples, frames);
    if (frames > 0) this.#converter.put(this.#samples, frames);
    return frames;
  }

  /** Forgets what was taken back: what is in here, and what is in the link from before that. */
  clear(): void {
    this.#flushes = this.stream.link.flushes;
    this.stream.link.skipFlushed();
    this.#converter.clear();
  }

  close(): void {
    this.#converter.close();
  }
}

/** What a server records, as a program wants it. */
export class RecordingVoice {
  readonly #converter: Converter;
  #bytes = new Uint8Array(0);

  constructor(readonly stream: ServerStream, rateHz: number, serverChannels: number) {
    const { rateHz: toHz, channels, resample } = stream;
    this.#converter = new Converter(rateHz, serverChannels, toHz, channels, resample);
  }

  /** Gives the program `frames` frames of the server's; what it has no place for is an xrun. */
  put(samples: Float64Array<ArrayBuffer>, frames: number): void {
    const { link, format, channels } = this.stream;
    const { queue } = this.#converter;
    this.#converter.put(samples, frames);
    const made = queue.length;
    if (this.#bytes.length < made * link.frameBytes) {
      this.#bytes = new Uint8Array(made * link.frameBytes);
    }
    format.encode(queue.first(made), 0, this.#bytes, 0, made * channels);
    queue.drop(made);
    const taken = link.write(this.#bytes, 0, made);
    if (taken < made) {
      link.addXrun();
      link.addLost(made - taken);
    }
  }

  /** The recording begins anew. */
  clear(): void {
    this.#converter.clear();
  }

  close(): void {
    this.#converter.close();
  }
}
