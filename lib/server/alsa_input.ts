// What one ALSA PCM records, for a stream, or for several where the PCM is not to be had twice.

import type { AlsaPcm } from "./alsa_pcm.ts";
import { LinkState, type Position } from "./link.ts";
import type { ServerStream } from "./server.ts";
import { RecordingVoice } from "./voice.ts";

const TURN_MS = 10;

/** A stream that gets what the PCM records. */
class Voice {
  readonly #voice: RecordingVoice;
  /** Frames of the stream for one of the PCM. */
  readonly #ratio: number;
  readonly #position: Position = { atMs: 0, frames: 0, delayFrames: 0 };
  #running = false;

  constructor(readonly stream: ServerStream, { rateHz, channels }: AlsaPcm) {
    this.#voice = new RecordingVoice(stream, rateHz, channels);
    this.#ratio = stream.rateHz / rateHz;
  }

  /** Sees whether the program wants sound. */
  runs(): boolean {
    const { link } = this.stream;
    link.state = LinkState.READY;
    const runs = link.running && !link.closed;
    if (runs && !this.#running) this.#voice.clear();
    return this.#running = runs;
  }

  /** Gives it `frames` frames, the last of which is `age` frames old. */
  put(samples: Float64Array<ArrayBuffer>, frames: number, atMs: number, age: number): void {
    if (!this.#running) return;
    this.#voice.put(samples, frames);
    const { link } = this.stream;
    this.#position.atMs = atMs;
    this.#position.frames = link.written;
    this.#position.delayFrames = Math.round(age * this.#ratio);
    link.report(this.#position);
  }

  close(): void {
    this.#voice.close();
  }
}

/** A PCM with the streams that it records for. */
export class AlsaInput {
  readonly direction = "record";
  readonly #pcm: AlsaPcm;
  readonly #ended: (stream: ServerStream) => void;
  readonly #voices = new Set<Voice>();
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #samples: Float64Array<ArrayBuffer>;

  /**
   * @param first what the PCM was opened for
   * @param ended told of each stream that is closed
   */
  constructor(pcm: AlsaPcm, first: ServerStream, ended: (stream: ServerStream) => void) {
    this.#pcm = pcm;
    this.#ended = ended;
    const samples = pcm.bufferFrames * pcm.channels;
    this.#bytes = new Uint8Array(samples * pcm.format.bytes);
    this.#samples = new Float64Array(samples);
    this.add(first);
  }

  /** The streams that it has. */
  get streams(): ServerStream[] {
    return [...this.#voices].map(({ stream }) => stream);
  }

  get empty(): boolean {
    return this.#voices.size === 0;
  }

  add(stream: ServerStream): void {
    this.#voices.add(new Voice(stream, this.#pcm));
  }

  /** As `Server.turn`. */
  turn(_nowMs: number): number {
    const pcm = this.#pcm;
    let wanted = false;
    for (const voice of this.#voices) {
      if (voice.runs()) wanted = true;
      else if (voice.stream.link.closed) this.#end(voice);
    }
    if (!wanted) {
      if (pcm.running) pcm.drop();
      return Infinity;
    }
    if (!pcm.running) {
      pcm.prepare();
      pcm.start();
    }
    pcm.look();
    if (pcm.level > 0) this.#read(pcm.level);
    return TURN_MS;
  }

  #end(voice: Voice): void {
    this.#voices.delete(voice);
    voice.close();
    this.#ended(voice.stream);
  }

  #read(most: number): void {
    const pcm = this.#pcm;
    const frames = pcm.read(this.#bytes, Math.min(most, pcm.bufferFrames));
    pcm.format.decode(this.#bytes, 0, this.#samples, 0, frames * pcm.channels);
    const age = Math.max(0, pcm.delay - frames);
    for (const voice of this.#voices) voice.put(this.#samples, frames, pcm.lookedMs, age);
  }

  /** The PCM was not read in time: it begins anew at the next turn. */
  recover(): void {
    this.#pcm.running = false;
    for (const { stream } of this.#voices) if (stream.link.running) stream.link.addXrun();
  }

  close(): void {
    for (const voice of this.#voices) voice.close();
    this.#pcm.close();
  }
}
