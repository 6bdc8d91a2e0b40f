// One stream of a program at sndiod, with a connection of its own while it runs: what is dropped, or
// kept waiting, is this stream alone.
//
// sndiod begins to play when a connection's queue is full, and moves whole rounds. So what there is at
// the start is preceded by silence, and when no more comes the sound is followed by silence until the
// last of it has been heard: without that the server's clock would stop before.

import { LinkState, type Position } from "./link.ts";
import type { ServerStream } from "./server.ts";
import type { SndioConnection } from "./sndio_connection.ts";
import { StreamGain } from "./stream_gain.ts";
import { Stopgap } from "./stopgap.ts";
import { PlayingVoice, RecordingVoice } from "./voice.ts";

// A server that gives no sign for so long is stopped, or its device is.
const SILENT_MS = 500;

// It may have to open its device first.
const OPEN_MS = 500;

// How long a connection is kept when all has been heard.
const IDLE_MS = 1000;

// While nothing moves yet the loop is told so that often.
const HOLD_MS = 20;

// The loop has started a stream, and its first frames come in a moment.
const FIRST_FRAMES_MS = 2;

// How long the first frames wait for those behind them: until the loop has heard what the server wants.
const GATHER_MS = 25;

// How late the loop may be with what the server wants next.
const MARGIN_MS = 10;

/** Who opens connections for streams, and hears how they go. */
export interface SndioHost {
  /**
   * Asks for a connection, for which `connect` or `refuse` will be called.
   *
   * @returns false if it is too early to try again
   */
  open(stream: SndioStream, nowMs: number): boolean;
  /** The server does not serve a stream any more. */
  gone(reason: string, nowMs: number): void;
  /** The server serves a stream. */
  back(): void;
}

/** What both directions have in common. Times are milliseconds since the epoch. */
export abstract class SndioStream {
  /** The connection, if there is one. */
  connection: SndioConnection | undefined;
  protected readonly position: Position = { atMs: 0, frames: 0, delayFrames: 0 };
  readonly #host: SndioHost;
  readonly #stopgap: Stopgap;
  #opening = false;
  /** Since when a connection is wanted. */
  #wantedMs = Infinity;
  /** Whether a clock serves it, for want of a server. */
  #alone = false;
  /** The server's moves so far, and when it last gave a sign. */
  #moves = 0;
  #signMs = 0;
  /** When the connection is given up if nothing happens. */
  #idleMs = Infinity;

  constructor(readonly stream: ServerStream, host: SndioHost) {
    this.#host = host;
    this.#stopgap = new Stopgap(stream);
  }

  /** Whether the loop has done with it, and all has been heard. */
  abstract get finished(): boolean;
  /** Whether there is something that the server did not take yet. */
  abstract get writes(): boolean;
  /** Whether sound is to be moved. */
  protected abstract get active(): boolean;
  /** Whether the server should be giving signs. */
  protected abstract get awaited(): boolean;
  /** How long a connection is kept for nothing. */
  protected abstract readonly keepMs: number;
  /** Forgets what the loop has taken back; whether the server has some of it. */
  protected abstract takeBack(): boolean;
  /** There is a new connection. */
  protected abstract begin(connection: SndioConnection): void;
  /** Moves what can be moved. */
  protected abstract move(connection: SndioConnection, nowMs: number): void;
  /** Tells the loop where the stream is at a time. */
  protected abstract report(atMs: number): void;
  /** There is no connection any more. */
  protected abstract end(): void;

  /** Whether the server serves it. */
  get served(): boolean {
    return this.connection !== undefined && !this.#alone;
  }

  /** The connection that was asked for. */
  connect(connection: SndioConnection, nowMs: number): void {
    this.#opening = false;
    this.connection = connection;
    this.#moves = 0;
    this.#signMs = nowMs;
    this.begin(connection);
    this.#serve();
  }

  /** There is none to be had. */
  refuse(): void {
    this.#opening = false;
    this.#alone = true;
  }

  #serve(): void {
    this.#alone = false;
    this.#wantedMs = Infinity;
    this.#stopgap.leave();
    this.stream.link.state = LinkState.READY;
    this.#host.back();
  }

  /** Hangs up. */
  close(): void {
    if (!this.connection) return;
    this.end();
    this.connection.close();
    this.connection = undefined;
    this.#idleMs = Infinity;
  }

  /** Does what is due; returns when to call again, in milliseconds from now. */
  turn(nowMs: number): number {
    if (this.takeBack()) this.close();
    if (this.connection?.gone) {
      this.close();
      this.#alone = true;
      this.#host.gone("it has hung up", nowMs);
    }
    return this.connection
      ? this.#turnConnected(this.connection, nowMs)
      : this.#turnUnconnected(nowMs);
  }

  #turnUnconnected(nowMs: number): number {
    if (!this.active) {
      this.#wantedMs = Infinity;
      this.#alone = false;
      return Infinity;
    }
    if (this.#wantedMs === Infinity) this.#wantedMs = nowMs;
    if (!this.#opening) {
      this.#opening = this.#host.open(this, nowMs);
      if (!this.#opening) this.#alone = true;
    }
    if (!this.#alone && nowMs - this.#wantedMs > OPEN_MS) {
      this.#alone = true;
      this.#host.gone("it does not answer", nowMs);
    }
    if (this.#alone) return this.#stopgap.turn(nowMs);
    this.report(nowMs + HOLD_MS);
    return HOLD_MS;
  }

  #turnConnected(connection: SndioConnection, nowMs: number): number {
    const moved = this.#moves !== connection.moves;
    this.#moves = connection.moves;
    if (moved || !this.awaited) this.#signMs = nowMs;
    if (this.#alone && moved) this.#serve();
    if (!this.#alone && nowMs - this.#signMs > this.#patienceMs(connection)) {
      this.#alone = true;
      this.#host.gone("it stands still", nowMs);
    }
    if (this.#alone) return this.#stopgap.turn(nowMs);
    this.move(connection, nowMs);
    if (moved) this.report(nowMs);
    else if (this.#moves === 0) this.report(nowMs + HOLD_MS);
    return this.#whenNext(nowMs);
  }

  // Until the device has played what is in it, the server says nothing.
  #patienceMs({ roundFrames, bufferFrames, rateHz }: SndioConnection): number {
    const frames = this.#moves > 0 ? 2 * roundFrames : bufferFrames;
    return SILENT_MS + (this.#moves > 0 ? 0 : OPEN_MS) + frames * 1000 / rateHz;
  }

  #whenNext(nowMs: number): number {
    const idle = !this.active && !this.awaited;
    if (!idle) {
      this.#idleMs = Infinity;
      return this.awaited ? HOLD_MS : FIRST_FRAMES_MS;
    }
    if (this.#idleMs === Infinity) this.#idleMs = nowMs + this.keepMs;
    if (nowMs < this.#idleMs) return this.#idleMs - nowMs;
    this.close();
    return Infinity;
  }
}

/** A stream that a program plays. */
export class SndioPlaying extends SndioStream {
  protected readonly keepMs = IDLE_MS;
  #flushes = 0;
  /** Makes the server's frames of the program's, if they differ. */
  #voice: PlayingVoice | undefined;
  /** Lays the stream's level on what no voice does. */
  readonly #gain = new StreamGain(this.stream);
  #mix = new Float64Array(0);
  /** What is to be written next, its first bytes, and whether it is sound or silence of ours. */
  #chunk = new Uint8Array(0);
  #chunkBytes = 0;
  #chunkSounds = false;
  /** Frames of silence that precede the first of sound; undefined until that is there. */
  #leadFrames: number | undefined;
  /** Bytes written, and up to the last one of sound. */
  #writtenBytes = 0;
  #soundBytes = 0;
  /** When the first frames came. */
  #firstMs = Infinity;
  /** When the queue was full, and the server began to play. */
  #fullMs = 0;
  #starved = false;

  get finished(): boolean {
    const { link } = this.stream;
    if (!link.closed) return false;
    if (!this.served) return link.state === LinkState.LOST || link.filled === 0;
    return link.filled === 0 && (this.#voice?.ready(1) ?? 0) === 0 && !this.awaited;
  }

  get writes(): boolean {
    return this.#chunkBytes > 0;
  }

  protected get active(): boolean {
    const { link } = this.stream;
    return link.running || link.filled > 0;
  }

  protected get awaited(): boolean {
    return this.#unheardFrames() > 0;
  }

  /** Frames of the server's that are sound and not heard yet. */
  #unheardFrames(): number {
    const { connection } = this;
    if (!connection) return 0;
    const soundEnd = this.#chunkBytes > 0 && this.#chunkSounds
      ? this.#writtenBytes + this.#chunkBytes
      : this.#soundBytes;
    return Math.max(0, soundEnd / connection.frameBytes - connection.moved);
  }

  protected takeBack(): boolean {
    const { link } = this.stream;
    if (link.flushes === this.#flushes) return false;
    this.#flushes = link.flushes;
    link.skipFlushed();
    this.#voice?.clear();
    return this.awaited;
  }

  protected begin(connection: SndioConnection): void {
    const { stream } = this;
    const { format, rateHz, channels, frameBytes, roundFrames, bufferFrames } = connection;
    this.#chunk = new Uint8Array(roundFrames * frameBytes);
    this.#leadFrames = undefined;
    this.#firstMs = Infinity;
    const same = format === stream.format && rateHz === stream.rateHz &&
      channels === stream.channels;
    if (!same) {
      this.#voice = new PlayingVoice(stream, rateHz, channels);
      this.#mix = new Float64Array(roundFrames * channels);
    }
    stream.link.target = Math.ceil(
      (bufferFrames / rateHz + MARGIN_MS / 1000) * stream.rateHz,
    );
  }

  protected end(): void {
    const { stream } = this;
    stream.link.addLost(Math.round(this.#unheardFrames() * this.#streamFrames));
    this.#chunkBytes = this.#writtenBytes = this.#soundBytes = 0;
    this.#starved = false;
    this.#voice?.close();
    this.#voice = undefined;
  }

  /** Frames of the stream that are as long as one of the server's. */
  get #streamFrames(): number {
    return this.stream.rateHz / (this.connection?.rateHz ?? this.stream.rateHz);
  }

  protected move(connection: SndioConnection, nowMs: number): void {
    for (;;) {
      if (this.#chunkBytes === 0) this.#fillChunk(connection, nowMs);
      if (this.#chunkBytes === 0) return;
      const taken = connection.write(this.#chunk, this.#chunkBytes);
      if (taken === 0) return;
      this.#writtenBytes += taken;
      if (this.#chunkSounds) this.#soundBytes = this.#writtenBytes;
      const { queueFrames, frameBytes } = connection;
      if (this.#writtenBytes <= queueFrames * frameBytes) this.#fullMs = nowMs;
      this.#chunkBytes -= taken;
      if (this.#chunkBytes > 0) this.#chunk.copyWithin(0, taken, taken + this.#chunkBytes);
    }
  }

  /** Makes what is to be written next, a round at most. */
  #fillChunk(connection: SndioConnection, nowMs: number): void {
    const { link } = this.stream;
    if (this.#leadFrames === undefined) {
      if (link.filled === 0) return;
      if (this.#firstMs === Infinity) this.#firstMs = nowMs;
      if (link.running && link.filled < link.target && nowMs < this.#firstMs + GATHER_MS) return;
      const filled = Math.floor(link.filled / this.#streamFrames);
      this.#leadFrames = Math.max(0, connection.queueFrames - filled);
    }
    if (this.#leadFrames > 0) {
      const frames = Math.min(this.#leadFrames, connection.roundFrames);
      this.#leadFrames -= frames;
      return this.#fillWithSilence(connection, frames);
    }
    const frames = this.#fillWithSound(connection);
    if (frames > 0) {
      this.#starved = false;
      this.#chunkSounds = true;
      this.#chunkBytes = frames * connection.frameBytes;
    } else if (this.awaited && this.#starves(connection, nowMs)) {
      if (link.running && !this.#starved) link.addXrun();
      this.#starved = true;
      const { roundFrames, frameBytes } = connection;
      this.#fillWithSilence(
        connection,
        roundFrames - this.#writtenBytes / frameBytes % roundFrames,
      );
    }
  }

  /** Whether the server is about to have nothing more to play. */
  #starves(connection: SndioConnection, nowMs: number): boolean {
    const { moves, moved, bufferFrames, queueFrames, roundFrames, frameBytes, rateHz } = connection;
    // What has left the queue; until it is heard there is only its time to go by.
    const taken = moves > 0
      ? moved + bufferFrames - queueFrames
      : (nowMs - this.#fullMs) * rateHz / 1000;
    // It takes a round at a time, and may have taken one since it told.
    return this.#writtenBytes / frameBytes - taken < 2 * roundFrames;
  }

  #fillWithSilence({ format, frameBytes }: SndioConnection, frames: number): void {
    this.#chunkSounds = false;
    this.#chunkBytes = frames * frameBytes;
    format.silence(this.#chunk, 0, this.#chunkBytes);
  }

  /** Takes sound from the link; returns frames of the server's. */
  #fillWithSound({ roundFrames, format, channels }: SndioConnection): number {
    if (!this.#voice) {
      const { link } = this.stream;
      const frames = link.readInto(this.#chunk, 0, roundFrames, this.#flushes);
      this.#gain.apply(this.#chunk, frames);
      return frames;
    }
    this.#mix.fill(0);
    const frames = this.#voice.addTo(this.#mix, roundFrames);
    format.encode(this.#mix, 0, this.#chunk, 0, frames * channels);
    return frames;
  }

  protected report(atMs: number): void {
    const { link } = this.stream;
    this.position.atMs = atMs;
    this.position.frames = link.read;
    this.position.delayFrames = Math.round(this.#unheardFrames() * this.#streamFrames) +
      (this.#voice?.heldFrames ?? 0);
    link.report(this.position);
  }
}

/** A stream that a program records. */
export class SndioRecording extends SndioStream {
  readonly writes = false;
  protected readonly keepMs = 0;
  /** Makes the program's frames of the server's, if they differ. */
  #voice: RecordingVoice | undefined;
  #samples = new Float64Array(0);
  /** What has been read, and how much of it waits for the rest of its frame. */
  #bytes = new Uint8Array(0);
  #restBytes = 0;
  #readBytes = 0;

  get finished(): boolean {
    return this.stream.link.closed;
  }

  protected get active(): boolean {
    return this.stream.link.running;
  }

  protected get awaited(): boolean {
    return this.connection !== undefined && this.stream.link.running;
  }

  protected takeBack(): boolean {
    return false;
  }

  protected begin(connection: SndioConnection): void {
    const { stream } = this;
    const { format, rateHz, channels, frameBytes, roundFrames } = connection;
    this.#bytes = new Uint8Array(roundFrames * frameBytes);
    this.#restBytes = this.#readBytes = 0;
    const same = format === stream.format && rateHz === stream.rateHz &&
      channels === stream.channels;
    if (!same) {
      this.#voice = new RecordingVoice(stream, rateHz, channels);
      this.#samples = new Float64Array(roundFrames * channels);
    }
  }

  protected end(): void {
    this.#voice?.close();
    this.#voice = undefined;
  }

  protected move(connection: SndioConnection): void {
    if (!this.active) return;
    const { frameBytes } = connection;
    for (;;) {
      const rest = this.#restBytes;
      const target = rest === 0 ? this.#bytes : this.#bytes.subarray(rest);
      const given = connection.read(target, target.length);
      if (given === 0) return;
      this.#readBytes += given;
      const frames = Math.floor((rest + given) / frameBytes);
      this.#deliver(connection, frames);
      this.#restBytes = rest + given - frames * frameBytes;
      this.#bytes.copyWithin(0, frames * frameBytes, rest + given);
    }
  }

  #deliver({ format, channels }: SndioConnection, frames: number): void {
    const { link } = this.stream;
    if (this.#voice) {
      format.decode(this.#bytes, 0, this.#samples, 0, frames * channels);
      return this.#voice.put(this.#samples, frames);
    }
    const taken = link.write(this.#bytes, 0, frames);
    if (taken === frames) return;
    link.addXrun();
    link.addLost(frames - taken);
  }

  protected report(atMs: number): void {
    const { connection, stream: { link, rateHz } } = this;
    this.position.atMs = atMs;
    this.position.frames = link.written;
    this.position.delayFrames = connection
      ? Math.round(
        (connection.moved - this.#readBytes / connection.frameBytes) * rateHz / connection.rateHz,
      )
      : 0;
    link.report(this.position);
  }
}
