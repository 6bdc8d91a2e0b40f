// One connection to sndiod: a stream of frames in the server's terms, and how far its device has come.
// Nothing here waits.

import { POLLFD_SIZE, POLLIN, POLLOUT, shutdown } from "../../ffi/libc.ts";
import { ON_MOVE, type Sndio, sndio } from "../../ffi/sndio.ts";
import { formatByName, type SampleFormat } from "../pcm/format.ts";
import type { Opened } from "./sndio_opener.ts";

// Whose callback libsndio is in: a thread is in one at a time.
let current: SndioConnection | undefined;
let onMove: Deno.UnsafeCallback<typeof ON_MOVE> | undefined;

/** The address of this thread's callback for sio_onmove. */
export function onMoveAddress(): bigint {
  onMove ??= new Deno.UnsafeCallback(ON_MOVE, (_arg, delta) => current?.advance(delta));
  return Deno.UnsafePointer.value(onMove.pointer);
}

/** A connection that has been started. */
export class SndioConnection {
  readonly format: SampleFormat;
  readonly rateHz: number;
  readonly channels: number;
  readonly frameBytes: number;
  /** Frames that the server moves at once. */
  readonly roundFrames: number;
  /** Frames that wait in the server before it begins to play. */
  readonly queueFrames: number;
  /** Those, and what waits in the device behind it. */
  readonly bufferFrames: number;
  /** Frames that the device has played or recorded. */
  moved = 0;
  /** How often the server has told of that. */
  moves = 0;

  readonly #library: Sndio = sndio();
  readonly #handle: Deno.PointerObject;
  readonly #fds: Uint8Array<ArrayBuffer>;
  #fdCount = 0;

  constructor(opened: Opened) {
    this.#handle = Deno.UnsafePointer.create(opened.handle)!;
    this.format = formatByName(opened.format)!;
    this.rateHz = opened.rateHz;
    this.channels = opened.channels;
    this.frameBytes = this.format.bytes * opened.channels;
    this.roundFrames = opened.roundFrames;
    this.queueFrames = opened.queueFrames;
    this.bufferFrames = opened.bufferFrames;
    this.#fds = new Uint8Array(this.#library.sio_nfds(this.#handle) * POLLFD_SIZE);
  }

  /** The device has moved on, says the server. */
  advance(frames: number): void {
    this.moved += frames;
    this.moves++;
  }

  /** Whether the server has hung up. */
  get gone(): boolean {
    return this.#library.sio_eof(this.#handle) !== 0;
  }

  /** The most descriptors that there are to poll. */
  get mostFds(): number {
    return this.#fds.length / POLLFD_SIZE;
  }

  /**
   * Says what to poll(2) for.
   *
   * @param fds an array of struct pollfd
   * @param at where ours go
   * @param writes whether there is something that the server did not take
   * @returns how many there are
   */
  putFds(fds: Uint8Array, at: number, direction: "play" | "record", writes: boolean): number {
    const events = direction === "record" ? POLLIN : writes ? POLLOUT : 0;
    this.#fdCount = this.#library.sio_pollfd(this.#handle, this.#fds, events);
    fds.set(this.#fds, at * POLLFD_SIZE);
    return this.#fdCount;
  }

  /** Takes in what the server has said, once the poll is over; returns how many descriptors were ours. */
  takeFds(fds: Uint8Array<ArrayBuffer>, at: number): number {
    const start = at * POLLFD_SIZE;
    this.#fds.set(fds.subarray(start, start + this.#fdCount * POLLFD_SIZE));
    current = this;
    this.#library.sio_revents(this.#handle, this.#fds);
    current = undefined;
    return this.#fdCount;
  }

  /** Writes what the server takes at once; returns the bytes. */
  write(bytes: Uint8Array<ArrayBuffer>, length: number): number {
    return this.#library.sio_write(this.#handle, bytes, length);
  }

  /** Reads what the server has at once; returns the bytes. */
  read(bytes: Uint8Array<ArrayBuffer>, length: number): number {
    current = this;
    const given = this.#library.sio_read(this.#handle, bytes, length);
    current = undefined;
    return given;
  }

  /** Hangs up. What the server has not played yet is not heard. */
  close(): void {
    // sio_close waits for the server to say goodbye, and it may be stopped.
    if (!this.gone && this.#library.sio_pollfd(this.#handle, this.#fds, 0) > 0) {
      shutdown(new DataView(this.#fds.buffer).getInt32(0, true));
    }
    this.#library.sio_close(this.#handle);
  }
}
