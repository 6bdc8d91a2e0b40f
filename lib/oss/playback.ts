// The playback half of an open dsp: a ring of fragments between a program that writes and a sink
// that takes frames at its own pace. It never waits: what a program must wait for, its caller parks.

import { EIO } from "../../ffi/libc.ts";
import { openPlaced } from "../backend/placed.ts";
import type { Client, PcmParameters, Sink, SinkStream, StreamVolume } from "../backend/sink.ts";
import { RingBuffer } from "../buffer/ring.ts";
import { peaksOf } from "../pcm/peaks.ts";
import { applyGain, type Gain } from "../pcm/volume.ts";
import { Blocks } from "./blocks.ts";
import type { Parameters } from "./parameters.ts";

// The most sound that is moved to the sink at once: a mix waits for its slowest stream.
const MAX_STEP_SECONDS = 0.1;

// How soon it is looked again whether a disk has taken what a program may wait for.
const KEEP_RETRY_MS = 1;

/** What a mixer wants of a stream. */
export interface PlaybackLevels {
  /** What its samples are multiplied by. */
  readonly gain: Readonly<Gain>;
  /** What its volume begins with where the sink keeps that; undefined for the sink's own choice. */
  readonly level: number | undefined;
  /** The sink keeps the stream's volume, or, undefined, does no more. */
  keepAt(volume: StreamVolume | undefined): void;
}

/** What playback needs of its surroundings. */
export interface PlaybackHost {
  readonly sink: Sink;
  readonly client: Client;
  readonly levels: PlaybackLevels;
  /** The time in milliseconds; asked for only when it matters. */
  now(): number;
  /** Takes one line about the sink's failure. */
  warn(message: string): void;
}

/** The ring, the stream behind it, and the pointers that OSS reports. Times are milliseconds. */
export class Playback {
  /** When `pump` has something to do next; Infinity while nothing moves. */
  dueMs = Infinity;

  /** How often since the open the sink found nothing to play while the program had not said that it was done. */
  underruns = 0;

  /** Whether SETTRIGGER holds the sound back, however much is written. */
  held = false;

  /**
   * How many frames are given to the sink before their time, if time is its only limit; above 0 for a
   * mapped ring, which is not waited for when it is late: its time goes on.
   */
  aheadFrames = 0;

  /** The fragments played since the open or the last RESET. */
  readonly blocks: Blocks;

  readonly #parameters: Parameters;
  readonly #host: PlaybackHost;
  #ring: RingBuffer | undefined;
  #stream: SinkStream | undefined;
  #scratch = new Uint8Array(0);
  /** The bytes of `#scratch` that have been moved to the sink. */
  #movedBytes = 0;
  #running = false;
  #draining = false;
  /** When data that does not fill a fragment begins to play all the same. */
  #startMs = Infinity;
  /** Bytes that have left the ring for the sink since the open. */
  #takenBytes = 0;
  /** Where GETOPTR counts from, as a count of bytes since the open. */
  #originBytes = 0;
  #failed = false;
  /** Frames at the sink that it has not kept yet, when that was last asked. */
  #unkeptFrames = 0;
  /** Whether `dueMs` is the end of a step, not of what there is to play. */
  #stepIsWhole = false;

  constructor(parameters: Parameters, host: PlaybackHost) {
    this.#parameters = parameters;
    this.#host = host;
    this.blocks = new Blocks(parameters, () => this.pointerBytes());
  }

  /** Whether the sink has failed: writes get EIO until a reset. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Whether the sink takes everything at once, and so has no time of its own. */
  get free(): boolean {
    return this.#stream?.free ?? false;
  }

  /** Whether all that was written is at the sink: less than a frame is left. */
  get empty(): boolean {
    return (this.#ring?.length ?? 0) < this.#parameters.frameBytes;
  }

  /** Whether all that was written has been heard. */
  get heard(): boolean {
    return this.empty && this.#delayFrames() <= 0;
  }

  /** Whether all that was written has been heard, and is kept where it is to be. */
  get drained(): boolean {
    return this.heard && this.#unkeptFrames === 0;
  }

  // Frames at the sink that are not heard yet; less than 0 when its clock has gone past them.
  #delayFrames(): number {
    return this.#stream?.delay(this.#host.now()) ?? 0;
  }

  /** The end of what has been written, as a count of bytes since the open. */
  get endBytes(): number {
    return this.#takenBytes + (this.#ring?.length ?? 0);
  }

  /** Whether everything before an `endBytes` has been heard and kept, or never will be. */
  hasPlayed(endBytes: number): boolean {
    const keptBytes = this.#takenBytes - this.#unkeptFrames * this.#parameters.frameBytes;
    return this.drained || Math.min(this.playedBytes(), keptBytes) >= endBytes;
  }

  /** Bytes that wait to be heard at this moment. */
  queuedBytes(): number {
    return (this.#ring?.length ?? 0) - this.#aheadBytes();
  }

  /** Bytes that can be written at this moment. */
  freeBytes(): number {
    return this.#parameters.bufferBytes - (this.#ring?.length ?? 0) +
      Math.max(0, this.#aheadBytes());
  }

  /** Whether poll(2) says that the program can write: a fragment is free, or LOW_WATER's bytes. */
  writable(): boolean {
    return this.#failed || this.freeBytes() >= this.#parameters.wakeBytes;
  }

  /** Bytes heard since the open. */
  playedBytes(): number {
    return this.#takenBytes + this.#aheadBytes();
  }

  /** Frames heard since the open; NaN where nothing plays, or everything is heard at once. */
  heardFrames(): number {
    const isTimed = this.#running && !this.#stream!.free;
    return isTimed ? this.playedBytes() / this.#parameters.frameBytes : NaN;
  }

  /** Bytes heard since the open or the last RESET. */
  pointerBytes(): number {
    return Math.max(0, this.playedBytes() - this.#originBytes);
  }

  /**
   * Bytes that the sink has, or wants to have by now, since the open: what is heard, and what a server
   * wants to have on its way.
   */
  wantedBytes(): number {
    return this.#takenBytes + this.#aheadBytes(this.#stream?.leadFrames);
  }

  /** How many frames should have been heard by now and are not here. */
  overdueFrames(): number {
    if (!this.#running) return 0;
    const frames = Math.floor(this.#ring!.length / this.#parameters.frameBytes);
    return Math.max(0, -this.#delayFrames() - frames);
  }

  // What the sink's clock has played of the ring, though it has not been moved there yet; or, less than
  // 0, what has been moved there and is not heard yet.
  #aheadBytes(leadFrames = 0): number {
    const { frameBytes } = this.#parameters;
    const frames = this.#running ? Math.floor(this.#ring!.length / frameBytes) : 0;
    return Math.min(leadFrames - this.#delayFrames(), frames) * frameBytes;
  }

  /**
   * Takes what there is room for.
   *
   * @returns the bytes taken, or -errno
   */
  write(bytes: Uint8Array<ArrayBuffer>, start: number, length: number): number {
    if (this.#failed) return -EIO;
    const ring = this.#ring ??= new RingBuffer(this.#parameters.bufferBytes);
    this.#draining = false;
    let taken = 0;
    do {
      taken += ring.write(bytes, start + taken, length - taken);
      if (!this.#running) this.#considerStart();
      if (taken < length || this.#stream?.free || this.aheadFrames > 0) this.#move();
    } while (taken < length && ring.free > 0 && !this.#failed);
    this.#noteUnkept();
    // More data changes nothing of a step that is on its way, unless it has filled the ring.
    if (!this.#stepIsWhole || ring.free < this.#parameters.fragmentBytes) this.#schedule();
    return this.#failed ? -EIO : taken;
  }

  // A fragment starts the sound, or a full buffer; less than that waits for more, but not for long.
  #considerStart(): void {
    if (this.held) return;
    const { fragmentBytes, bytesPerSecond } = this.#parameters;
    if (this.#ring!.length >= fragmentBytes) this.#start();
    else if (this.#startMs === Infinity) {
      this.#startMs = this.#host.now() + fragmentBytes * 1000 / bytesPerSecond;
    }
  }

  #start(): void {
    this.#startMs = Infinity;
    if (this.empty) return;
    const { format, rateHz, channels, fragmentBytes, bufferBytes } = this.#parameters;
    const parameters = { format, rateHz, channels, fragmentBytes, bufferBytes };
    try {
      this.#stream ??= this.#open(parameters);
    } catch (error) {
      return this.#fail(error);
    }
    this.#stream.start(this.#host.now());
    this.#running = true;
  }

  #open(parameters: PcmParameters): SinkStream {
    const { sink, client, levels } = this.#host;
    const { placement } = this.#parameters;
    const stream = placement
      ? openPlaced(sink, parameters, placement, client, levels.level)
      : sink.open(parameters, client, levels.level);
    levels.keepAt(stream.volume);
    return stream;
  }

  #stop(): void {
    if (this.#running) this.#stream!.stop(this.#host.now());
    this.#running = false;
    this.#startMs = Infinity;
  }

  #fail(error: unknown): void {
    this.#host.warn(`sound is lost: ${(error as Error).message}`);
    this.#failed = true;
    this.#running = false;
    this.#startMs = Infinity;
    this.#ring?.clear();
    this.#closeStream();
  }

  #closeStream(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    this.#unkeptFrames = 0;
    if (stream?.volume) this.#host.levels.keepAt(undefined);
    try {
      stream?.close();
    } catch (error) {
      if (!this.#failed) this.#host.warn(`sound is lost: ${(error as Error).message}`);
    }
  }

  /** Moves to the sink what it has room for; to be called at `dueMs`, and harmless at any time. */
  pump(): void {
    if (this.#startMs !== Infinity && this.#host.now() >= this.#startMs) this.#start();
    this.#move();
    this.#noteUnkept();
    this.#schedule();
  }

  #noteUnkept(): void {
    try {
      this.#unkeptFrames = this.#stream?.unkeptFrames() ?? 0;
    } catch (error) {
      this.#fail(error);
    }
  }

  #move(): void {
    if (!this.#running) return;
    const nowMs = this.#host.now();
    const ring = this.#ring!;
    const stream = this.#stream!;
    const { frameBytes, format, channels } = this.#parameters;
    const room = stream.room(nowMs, this.aheadFrames);
    const frames = Math.min(room, Math.floor(ring.length / frameBytes));
    if (frames > 0) {
      const bytes = frames * frameBytes;
      this.#reserve(bytes);
      ring.read(this.#scratch, bytes);
      const { left, right } = this.#host.levels.gain;
      applyGain(format, this.#scratch, 0, bytes, channels, left, right);
      this.#takenBytes += bytes;
      this.#movedBytes = bytes;
      try {
        stream.write(this.#scratch, frames, nowMs);
      } catch (error) {
        return this.#fail(error);
      }
    }
    if (!this.empty) return;
    if (this.#draining) {
      ring.clear(); // the part of a frame that may be left is not sound
      this.#stop();
    } else if (!stream.free && this.aheadFrames === 0 && stream.delay(nowMs) <= 0) {
      this.underruns++;
      this.#stop();
    }
  }

  #reserve(bytes: number): void {
    if (this.#scratch.length < bytes) this.#scratch = new Uint8Array(this.#ring!.capacity);
  }

  #schedule(): void {
    this.#stepIsWhole = false;
    this.dueMs = this.#startMs;
    const { frameBytes, fragmentBytes, bytesPerSecond, rateHz } = this.#parameters;
    const queued = Math.floor((this.#ring?.length ?? 0) / frameBytes);
    if (queued === 0 || !this.#running) {
      if (this.aheadFrames > 0) return;
      const delay = this.#delayFrames();
      const waitMs = this.#unkeptFrames > 0 ? KEEP_RETRY_MS : delay * 1000 / rateHz;
      if (waitMs > 0) this.dueMs = Math.min(this.dueMs, this.#host.now() + waitMs);
      return;
    }
    const toFragment = fragmentBytes - this.#takenBytes % fragmentBytes;
    const toWritable = this.#parameters.wakeBytes - this.#ring!.free;
    const step = Math.min(
      toFragment,
      toWritable > 0 ? toWritable : Infinity,
      bytesPerSecond * MAX_STEP_SECONDS,
    );
    const stepFrames = Math.max(1, Math.ceil(step / frameBytes));
    const frames = Math.min(queued, stepFrames);
    this.#stepIsWhole = queued >= stepFrames;
    const nowMs = this.#host.now();
    this.dueMs = this.#stream!.room(nowMs, this.aheadFrames) >= frames
      ? nowMs
      : this.#stream!.timeOfRoom(frames, nowMs, this.aheadFrames);
  }

  /** POST: what is there begins to play, though it does not fill a fragment. */
  post(): void {
    if (!this.#running && this.#ring && !this.held) this.#start();
    this.pump();
  }

  /** SYNC, close: as POST, and the end of it is no underrun. `drained` tells when it is done. */
  drain(): void {
    this.#draining = true;
    this.held = false; // who waits for the end does not wait for a trigger too
    this.post();
    if (this.empty) this.#ring?.clear();
  }

  /** RESET: what was not heard by now is not heard any more. */
  reset(): void {
    this.halt();
    if (this.#delayFrames() > 0) this.#stream!.discard(this.#host.now());
    this.#schedule();
  }

  /** After a RESET: the pointer begins anew. */
  rewind(): void {
    this.#originBytes = this.#takenBytes;
    this.blocks.reset();
  }

  /** SILENCE: what is not at the sink yet is silence. */
  silence(): void {
    const ring = this.#ring;
    if (!ring) return;
    this.#move();
    const { length } = ring;
    this.#reserve(length);
    this.#movedBytes = 0;
    ring.read(this.#scratch, length);
    this.#parameters.format.silence(this.#scratch, 0, length);
    ring.write(this.#scratch, 0, length);
  }

  /** How loud each channel is that was last moved to the sink; 1 is full scale. */
  peaks(): Float64Array {
    const { format, channels } = this.#parameters;
    if (this.#running) this.#move(); // which may be its end
    return peaksOf(format, channels, this.#scratch, this.#running ? this.#movedBytes : 0);
  }

  /** SKIP: what is not at the sink yet is not heard, and the sound goes on with what comes now. */
  skip(): void {
    this.#move();
    this.#ring?.clear();
    this.#schedule();
  }

  /** What the sink has is heard, and nothing after it. */
  halt(): void {
    this.#move();
    this.#stop();
    this.#ring?.clear();
    this.#failed = false;
    this.#draining = false;
    this.#schedule();
  }

  /** SETFRAGMENT: the ring is cut anew if nothing is in it; false when something is. */
  rebuffer(): boolean {
    if (!this.heard) return false;
    this.#stop();
    this.#ring = undefined;
    this.#schedule();
    return true;
  }

  /** The parameters have changed, or the file closes: what follows is another stream. */
  close(): void {
    this.reset();
    this.#closeStream();
    this.#ring = undefined;
  }
}
