// The sink and the source behind which a sound server is: their streams are links to the thread that
// drives it (lib/server), and their time is what that thread reports, continued at the sample rate.

import type { MessagePort } from "node:worker_threads";
import { write } from "../../ffi/libc.ts";
import type { ResamplerQuality } from "../pcm/resample.ts";
import { LinkState, type Position, StreamLink } from "../server/link.ts";
import type { Order, StreamOrder } from "../server/orders.ts";
import type { Client, PcmParameters, Sink, SinkStream, StreamVolume } from "./sink.ts";
import type { Source, SourceStream } from "./source.ts";

// What is under way to a server whose wishes are not known yet.
const DEFAULT_TARGET_MS = 40;

// A link holds this much: what a server takes at its start, and what waits while it is held up.
const LINK_MS = 1000;
const LEAST_LINK_FRAMES = 8192;

// A thread that has not reported for so long is stuck in its server: time goes on without it.
const STUCK_MS = 250;

// Waiting for a source, it is asked no more often than this.
const LEAST_WAIT_MS = 1;

// Size of a fragment and a buffer that nobody has said.
const NO_BUFFERING = { fragmentBytes: 0, bufferBytes: 0 };

const ONE = new Uint8Array(new BigUint64Array([1n]).buffer);

/** The loop's end of the way to a server's thread. */
export class ServerLine {
  #streams = 0;

  /**
   * @param port where orders go
   * @param wakeFd the eventfd that wakes the thread
   */
  constructor(readonly port: MessagePort, readonly wakeFd: number) {}

  /**
   * Opens a stream; its link.
   *
   * @param resample how it is resampled where the thread does that
   * @param level what it is played at; undefined for the server's choice
   */
  open(
    direction: StreamOrder["direction"],
    parameters: PcmParameters,
    client: Client,
    resample: ResamplerQuality,
    level?: number,
  ): StreamLink {
    const { format, rateHz, channels, fragmentBytes, bufferBytes } = {
      ...NO_BUFFERING,
      ...parameters,
    };
    const frames = Math.max(LEAST_LINK_FRAMES, rateHz * LINK_MS / 1000);
    const memory = StreamLink.allocate(format.bytes * channels, frames);
    const link = new StreamLink(memory);
    if (level !== undefined) link.moveLevel(level);
    const { pid, command } = client;
    const id = ++this.#streams;
    const stream: StreamOrder = {
      ...{ id, direction, memory, format: format.name, rateHz, channels },
      ...{ fragmentBytes, bufferBytes, pid, command, resample },
    };
    this.#send({ type: "open", stream });
    return link;
  }

  #send(order: Order): void {
    this.port.postMessage(order);
    this.wake();
  }

  /** Makes the thread look at its links. */
  wake(): void {
    write(this.wakeFd, ONE, ONE.length);
  }

  /** Ends the thread. */
  stop(): void {
    this.#send({ type: "stop" });
  }
}

/** What programs see while the server is gone: nothing, or an error. */
export type OnLoss = "go-on" | "error";

// When the server is gone and programs want to know.
function throwIfLost(link: StreamLink, onLoss: OnLoss): void {
  if (onLoss === "error" && link.state === LinkState.LOST) throw new Error("the server is gone");
}

/** Plays through a sound server. */
export class ServerSink implements Sink {
  /** @param resample how streams are resampled where that is for the server's thread to do */
  constructor(
    readonly line: ServerLine,
    readonly onLoss: OnLoss,
    readonly resample: ResamplerQuality,
  ) {}

  open(parameters: PcmParameters, client: Client, level?: number): SinkStream {
    const link = this.line.open("play", parameters, client, this.resample, level);
    return new ServerSinkStream(this.line, link, parameters.rateHz, this.onLoss);
  }

  close(): void {}
}

/** A stream's volume, which its thread sees to: at the server, or by a gain where that has none. */
class ServerVolume implements StreamVolume {
  readonly #line: ServerLine;
  readonly #link: StreamLink;
  #told = 0;

  constructor(line: ServerLine, link: StreamLink) {
    this.#line = line;
    this.#link = link;
  }

  set(level: number): void {
    this.#link.moveLevel(level);
    this.#line.wake();
  }

  take(): number | undefined {
    const { levelTold, levelThere } = this.#link;
    if (levelTold === this.#told) return undefined;
    this.#told = levelTold;
    return levelThere;
  }
}

class ServerSinkStream implements SinkStream {
  readonly free = false;
  readonly volume: StreamVolume;
  readonly #line: ServerLine;
  readonly #link: StreamLink;
  readonly #onLoss: OnLoss;
  readonly #framesPerMs: number;
  readonly #position: Position = { atMs: 0, frames: 0, delayFrames: 0 };
  #reports = 0;
  /** Frames taken, and heard: counts that only grow. */
  #taken = 0;
  #heard = 0;
  /** What was heard at a time, from where it goes on at the sample rate. */
  #knownHeard = 0;
  #knownMs = Infinity;

  constructor(line: ServerLine, link: StreamLink, rateHz: number, onLoss: OnLoss) {
    this.#line = line;
    this.#onLoss = onLoss;
    this.#link = link;
    this.volume = new ServerVolume(line, link);
    this.#framesPerMs = rateHz / 1000;
  }

  start(nowMs: number): void {
    this.#link.running = true;
    // What was reported before is of another run.
    this.#reports = this.#link.reports;
    // Until it is reported otherwise; and if nothing is reported, it goes on all the same.
    this.#knownHeard = this.#heard;
    this.#knownMs = nowMs + STUCK_MS;
    this.#line.wake();
  }

  stop(_nowMs: number): void {
    this.#link.running = false;
    this.#line.wake();
  }

  discard(_nowMs: number): void {
    this.#link.flush();
    this.#heard = this.#knownHeard = this.#taken;
    this.#line.wake();
  }

  delay(nowMs: number): number {
    return this.#taken - this.#heardBy(nowMs);
  }

  #heardBy(nowMs: number): number {
    const link = this.#link;
    if (link.reports !== this.#reports && link.position(this.#position)) {
      this.#reports = link.reports;
      const { atMs, frames, delayFrames } = this.#position;
      this.#knownHeard = this.#taken - ((link.written - frames) | 0) - delayFrames;
      this.#knownMs = atMs - performance.timeOrigin;
    }
    const since = Math.max(0, nowMs - this.#knownMs) * this.#framesPerMs;
    const heard = Math.min(this.#taken, Math.floor(this.#knownHeard + since));
    this.#heard = Math.max(this.#heard, heard);
    return this.#heard;
  }

  get leadFrames(): number {
    return this.#link.target || Math.ceil(DEFAULT_TARGET_MS * this.#framesPerMs);
  }

  room(nowMs: number): number {
    return this.#link.running ? Math.max(0, this.leadFrames - this.delay(nowMs)) : 0;
  }

  timeOfRoom(frames: number, nowMs: number): number {
    // A server never takes more than its target at once.
    const wanted = Math.min(frames, Math.ceil(this.leadFrames / 2));
    return nowMs + Math.max(0, wanted - this.room(nowMs)) / this.#framesPerMs;
  }

  write(bytes: Uint8Array<ArrayBuffer>, frames: number, _nowMs: number): void {
    throwIfLost(this.#link, this.#onLoss);
    const taken = this.#link.write(bytes, 0, frames);
    // The thread is stuck: the sound of this time is lost, the time is not.
    if (taken < frames) this.#link.addLost(frames - taken);
    this.#taken += frames;
  }

  unkeptFrames(): number {
    return 0;
  }

  close(): void {
    this.#link.close();
    this.#line.wake();
  }
}

/** Records from a sound server. */
export class ServerSource implements Source {
  /** @param resample how streams are resampled where that is for the server's thread to do */
  constructor(
    readonly line: ServerLine,
    readonly onLoss: OnLoss,
    readonly resample: ResamplerQuality,
  ) {}

  open(parameters: PcmParameters, client: Client): SourceStream {
    const link = this.line.open("record", parameters, client, this.resample);
    return new ServerSourceStream(this.line, link, parameters.rateHz, this.onLoss);
  }

  close(): void {}
}

class ServerSourceStream implements SourceStream {
  readonly free = false;
  readonly #line: ServerLine;
  readonly #link: StreamLink;
  readonly #onLoss: OnLoss;
  readonly #framesPerMs: number;

  constructor(line: ServerLine, link: StreamLink, rateHz: number, onLoss: OnLoss) {
    this.#line = line;
    this.#onLoss = onLoss;
    this.#link = link;
    this.#framesPerMs = rateHz / 1000;
  }

  start(_nowMs: number): void {
    this.#link.running = true;
    this.#line.wake();
  }

  stop(_nowMs: number): void {
    this.#link.running = false;
    this.#link.skip(this.#link.filled);
    this.#line.wake();
  }

  available(_nowMs: number): number {
    return this.#link.running ? this.#link.filled : 0;
  }

  timeOfAvailable(frames: number, nowMs: number): number {
    const missing = frames - this.#link.filled;
    return nowMs + Math.max(LEAST_WAIT_MS, missing / this.#framesPerMs);
  }

  read(target: Uint8Array<ArrayBuffer>, frames: number, _nowMs: number): void {
    throwIfLost(this.#link, this.#onLoss);
    this.#link.readInto(target, 0, frames);
  }

  skip(frames: number, _nowMs: number): void {
    this.#link.skip(frames);
  }

  close(): void {
    this.#link.close();
    this.#line.wake();
  }
}
