// The recording half of an open dsp: a ring of fragments between a source that has frames at its own
// pace and a program that reads. It never waits: what a program must wait for, its caller parks.
//
// Starting, overruns and what a poll sees are snd-pcm-oss's (sound/core/oss/pcm_oss.c): reading
// starts it, and so does a poll for reading; a program that is late loses the oldest whole fragments,
// and the recording goes on. Unlike there, GETISPACE starts it too, since programs wait for what it
// says, and a poll does not call readable what has only just been started.

import { EIO } from "../../ffi/libc.ts";
import { openFollowing, type PlayedFrames } from "../backend/following.ts";
import type { Client, PcmParameters } from "../backend/sink.ts";
import type { Source, SourceStream } from "../backend/source.ts";
import { RingBuffer } from "../buffer/ring.ts";
import { peaksOf } from "../pcm/peaks.ts";
import { applyGain, type Gain } from "../pcm/volume.ts";
import { Blocks } from "./blocks.ts";
import type { Parameters } from "./parameters.ts";

/** What capture needs of its surroundings. */
export interface CaptureHost {
  readonly source: Source;
  readonly client: Client;
  /** What it keeps step with; undefined where it need not. */
  readonly played?: PlayedFrames;
  /** What its samples are multiplied by. */
  readonly gain: Readonly<Gain>;
  /** The time in milliseconds; asked for only when it matters. */
  now(): number;
  /** Takes one line about the source's failure. */
  warn(message: string): void;
}

/** The ring, the stream in front of it, and the pointers that OSS reports. Times are milliseconds. */
export class Capture {
  /** When `pump` has something to do next, at the end of a fragment; Infinity while nothing moves. */
  dueMs = Infinity;

  /** Whether SETTRIGGER keeps it from starting. */
  held = false;

  /** How often since the open sound was lost because the program did not read in time. */
  overruns = 0;

  /** The fragments captured since the open or the last RESET. */
  readonly blocks: Blocks;

  readonly #parameters: Parameters;
  readonly #host: CaptureHost;
  #ring: RingBuffer | undefined;
  #stream: SourceStream | undefined;
  #scratch = new Uint8Array(0);
  /** The bytes of `#scratch` that the source gave last. */
  #movedBytes = 0;
  #running = false;
  #failed = false;
  /** Bytes that have left the source since the open, lost ones included. */
  #capturedBytes = 0;
  /** Those of them that came before this start: fragments are counted from it. */
  #startBytes = 0;
  /** Those of them that came before the last RESET: GETIPTR counts from it. */
  #originBytes = 0;
  /** Whether the program has not read anything since sound was lost: that is one overrun. */
  #late = false;

  constructor(parameters: Parameters, host: CaptureHost) {
    this.#parameters = parameters;
    this.#host = host;
    this.blocks = new Blocks(parameters, () => this.pointerBytes());
  }

  /** Whether the source has failed: reads get EIO until a reset. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Sets the recording going, unless it is, or may not be. */
  start(): void {
    if (this.#running || this.#failed || this.held) return;
    const { format, rateHz, channels, fragmentBytes, bufferBytes } = this.#parameters;
    const parameters = { format, rateHz, channels, fragmentBytes, bufferBytes };
    this.#ring ??= new RingBuffer(bufferBytes);
    try {
      this.#stream ??= this.#open(parameters);
    } catch (error) {
      return this.#fail(error);
    }
    this.#stream.start(this.#host.now());
    this.#running = true;
    this.#startBytes = this.#capturedBytes;
    this.#schedule();
  }

  #open(parameters: PcmParameters): SourceStream {
    const { source, client, played } = this.#host;
    return played
      ? openFollowing(source, parameters, client, played)
      : source.open(parameters, client);
  }

  /** Bytes that can be read at this moment, at most the buffer's. */
  readableBytes(): number {
    if (this.#running) this.#move();
    return this.#ring?.length ?? 0;
  }

  /** Whether poll(2) says that the program can read: a fragment is there, or LOW_WATER's bytes. */
  readable(): boolean {
    const bytes = this.readableBytes(); // may find that the source fails
    return this.#failed || bytes >= this.#parameters.wakeBytes;
  }

  /** Whether the source gives everything at once, and so has no time of its own. */
  get free(): boolean {
    return this.#stream?.free ?? false;
  }

  /** Bytes captured since this recording started. */
  recordedBytes(): number {
    return this.capturedBytes() - this.#startBytes;
  }

  /** Where the next byte that is read lies, counted from the start of the recording. */
  get nextBytes(): number {
    return this.#capturedBytes - this.#startBytes - (this.#ring?.length ?? 0);
  }

  /** Bytes captured since the open. */
  capturedBytes(): number {
    if (this.#running) this.#move();
    return this.#capturedBytes;
  }

  /** How loud each channel is that the source gave last; 1 is full scale. */
  peaks(): Float64Array {
    const { format, channels } = this.#parameters;
    if (this.#running) this.#move(); // which may be its end
    return peaksOf(format, channels, this.#scratch, this.#running ? this.#movedBytes : 0);
  }

  /** Bytes captured since the open or the last RESET. */
  pointerBytes(): number {
    return this.capturedBytes() - this.#originBytes;
  }

  /**
   * Gives what is there, up to `length` bytes, to `target` from `start` on.
   *
   * @returns the bytes given, or -errno
   */
  read(target: Uint8Array<ArrayBuffer>, start: number, length: number): number {
    this.start();
    let given = 0;
    while (given < length && this.readableBytes() > 0) {
      const rest = given + start === 0 ? target : target.subarray(start + given);
      given += this.#ring!.read(rest, length - given);
    }
    if (given > 0) this.#late = false;
    return this.#failed && given === 0 ? -EIO : given;
  }

  /** Takes from the source what it has; to be called at `dueMs`, and harmless at any time. */
  pump(): void {
    if (!this.#running) return;
    this.#move();
    this.#schedule();
  }

  #move(): void {
    const nowMs = this.#host.now();
    const ring = this.#ring!;
    const stream = this.#stream!;
    const { frameBytes, fragmentBytes } = this.#parameters;
    let frames = stream.available(nowMs);
    if (!stream.free) frames -= this.#makeRoom(frames, nowMs);
    // One that has everything at once stays a fragment behind a full ring: a pointer that has gone
    // once around would seem to stand (ALSA's `type oss` has only where it is in the ring).
    const room = stream.free ? ring.free - fragmentBytes : ring.free;
    frames = Math.min(frames, Math.floor(room / frameBytes));
    if (frames <= 0) return;
    const bytes = frames * frameBytes;
    if (this.#scratch.length < bytes) this.#scratch = new Uint8Array(ring.capacity);
    try {
      stream.read(this.#scratch, frames, nowMs);
    } catch (error) {
      return this.#fail(error);
    }
    const { format, channels } = this.#parameters;
    const { left, right } = this.#host.gain;
    applyGain(format, this.#scratch, 0, bytes, channels, left, right);
    ring.write(this.#scratch, 0, bytes);
    this.#movedBytes = bytes;
    this.#capturedBytes += bytes;
  }

  /**
   * Drops the oldest whole fragments until the rest, `frames` of which are still at the source, fits.
   *
   * @returns how many of those frames were dropped
   */
  #makeRoom(frames: number, nowMs: number): number {
    const ring = this.#ring!;
    const { frameBytes, fragmentBytes } = this.#parameters;
    const excess = ring.length + frames * frameBytes - ring.capacity;
    if (excess <= 0) return 0;
    if (!this.#late) this.overruns++;
    this.#late = true;
    // Frames stay whole, though a fragment of three channels is not a number of them.
    const lost = Math.ceil(Math.ceil(excess / fragmentBytes) * fragmentBytes / frameBytes);
    const inRing = Math.min(lost, Math.floor(ring.length / frameBytes));
    ring.drop(inRing * frameBytes);
    const atSource = Math.min(lost - inRing, frames);
    if (atSource > 0) this.#stream!.skip(atSource, nowMs);
    this.#capturedBytes += atSource * frameBytes;
    return atSource;
  }

  #schedule(): void {
    this.dueMs = Infinity;
    // A free source has all that anyone may ask for.
    if (!this.#running || this.#stream!.free) return;
    const { frameBytes, fragmentBytes } = this.#parameters;
    const toFragment = fragmentBytes -
      (this.#capturedBytes - this.#startBytes) % fragmentBytes;
    const frames = Math.ceil(toFragment / frameBytes);
    this.dueMs = this.#stream!.timeOfAvailable(frames, this.#host.now());
  }

  #fail(error: unknown): void {
    this.#host.warn(`nothing is recorded: ${(error as Error).message}`);
    this.#failed = true;
    this.#running = false;
    this.dueMs = Infinity;
    this.#stream?.close();
    this.#stream = undefined;
  }

  /** RESET: forgets what was not read; the next read starts anew. */
  reset(): void {
    if (this.#running) this.#stream!.stop(this.#host.now());
    this.#running = false;
    this.#failed = false;
    this.#late = false;
    this.#ring?.clear();
    this.dueMs = Infinity;
  }

  /** After a RESET: the pointer begins anew. */
  rewind(): void {
    this.#originBytes = this.#capturedBytes;
    this.blocks.reset();
  }

  /** SETFRAGMENT: the ring will be cut anew if nothing is recorded yet; false when it is. */
  rebuffer(): boolean {
    if (this.#running) return false;
    this.#ring = undefined;
    return true;
  }

  /** The parameters have changed, or the file closes: what follows is another stream. */
  close(): void {
    this.reset();
    this.#stream?.close();
    this.#stream = undefined;
    this.#ring = undefined;
  }
}
