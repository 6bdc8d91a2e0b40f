// PulseAudio, or PipeWire's server of that protocol: one connection for all streams, made anew when it
// is lost.

import { InputWatch, type PulseLibrary, pulseLibrary } from "../../ffi/pulse.ts";
import { resamplesWell } from "../pcm/resample.ts";
import { Connection, iterate } from "./pulse_connection.ts";
import type { Query } from "./pulse_operation.ts";
import { PulsePlayback } from "./pulse_playback.ts";
import { PulseRecording } from "./pulse_recording.ts";
import type { PulseStream } from "./pulse_stream.ts";
import { Retry } from "./retry.ts";
import { epochMs, type Server, type ServerLog, type ServerStream } from "./server.ts";
import { Stopgap } from "./stopgap.ts";

// How long after a failure it is tried again, at most.
const MOST_RETRY_MS = 2000;

// A server that is there lets a stream begin within this; one that does not is served by a clock.
const PATIENCE_MS = 300;

// A server that has not answered for so long is called lost.
const NO_ANSWER_MS = 1000;

// How often a stream that waits for the server is looked at; the server's answer wakes us too.
const WAITING_TURN_MS = 20;

// What streams may take to end when everything does.
const END_MS = 300;

/** One of our streams: at the server, on its way there, or served by a clock. */
class Entry {
  readonly stopgap: Stopgap;
  readonly retry = new Retry(MOST_RETRY_MS);
  /** Undefined while there is none at the server. */
  pulse: PulseStream | undefined;
  /** Until when it waits for the server rather than be served by a clock. */
  patientUntilMs: number;
  /** When the server was asked for it. */
  askedMs = Infinity;
  /** Whether its user has been told that the server does not take it. */
  isRefused = false;
  /** Whether it is known to go to the server at the rate at which it should. */
  fits = false;
  /** The rate of the device that it is at. */
  deviceRate: Query<number> | undefined;
  /** When it is to be served next, unless something happens before. */
  dueMs = 0;
  /** What the loop had done when it was last served. */
  #written = 0;
  #flushes = 0;
  #levelMoves = 0;
  #running = false;
  #closed = false;

  constructor(readonly stream: ServerStream, nowMs: number) {
    this.stopgap = new Stopgap(stream);
    this.patientUntilMs = nowMs + PATIENCE_MS;
  }

  /** Whether it is to be served: its time has come, or the loop or the server has done something. */
  isDue(nowMs: number): boolean {
    const { written, flushes, levelMoves, running, closed } = this.stream.link;
    const isSame = written === this.#written && flushes === this.#flushes &&
      levelMoves === this.#levelMoves &&
      running === this.#running && closed === this.#closed;
    // While it is asked how a stream is to be made, any wake-up may be the answer.
    const isAsking = this.pulse !== undefined && !this.fits;
    if (isSame && nowMs < this.dueMs && !isAsking && !this.pulse?.touched) return false;
    this.#written = written;
    this.#flushes = flushes;
    this.#levelMoves = levelMoves;
    this.#running = running;
    this.#closed = closed;
    if (this.pulse) this.pulse.touched = false;
    return true;
  }

  forgetPulse(): void {
    this.pulse?.close();
    this.pulse = undefined;
    this.deviceRate?.cancel();
    this.deviceRate = undefined;
    this.fits = false;
    this.dueMs = 0;
  }
}

/** The server. */
export class PulseServer implements Server {
  readonly #library = pulseLibrary();
  readonly #loop = this.#library.pa_mainloop_new()!;
  readonly #entries = new Set<Entry>();
  readonly #retry = new Retry(MOST_RETRY_MS);
  #watch: InputWatch | undefined;
  #connection: Connection | undefined;
  /** Whether it has come to be ready. */
  #wasReady = false;
  /** When the connection was begun. */
  #connectMs = 0;
  /** Whether its user has been told that it is lost. */
  #isLost = false;

  /** @param name as libpulse takes it; empty for the default */
  constructor(readonly name: string, readonly log: ServerLog) {}

  add(stream: ServerStream): void {
    this.#entries.add(new Entry(stream, epochMs()));
  }

  turn(nowMs: number): number {
    this.#connect(nowMs);
    let next = Infinity;
    for (const entry of this.#entries) {
      if (entry.isDue(nowMs)) entry.dueMs = nowMs + this.#serve(entry, nowMs);
      next = Math.min(next, entry.dueMs - nowMs);
    }
    const isRetrying = !this.#connection && this.#entries.size > 0;
    return isRetrying ? Math.min(next, Math.max(0, this.#retry.dueMs - nowMs)) : next;
  }

  // Not before a stream needs it.
  #connect(nowMs: number): void {
    if (this.#connection?.failed) {
      const { error } = this.#connection;
      for (const entry of this.#entries) this.#detach(entry);
      this.#connection.close();
      this.#connection = undefined;
      this.#wasReady = false;
      this.#retry.failed(nowMs);
      if (this.#entries.size > 0) this.#lose(error);
    }
    if (this.#connection?.ready && !this.#wasReady) {
      this.#wasReady = true;
      this.#retry.reset();
      for (const entry of this.#entries) entry.dueMs = 0;
    }
    if (this.#connection || this.#entries.size === 0 || nowMs < this.#retry.dueMs) return;
    this.#connection = new Connection(this.#library, this.#loop, this.name);
    this.#connectMs = nowMs;
  }

  // What it waited for is gone: it waits no more.
  #detach(entry: Entry): void {
    entry.forgetPulse();
    entry.patientUntilMs = 0;
  }

  #lose(why: string): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.log("warn", `${this.#label}: ${why}: nothing is heard until the server is there`);
  }

  #find(): void {
    if (!this.#isLost) return;
    this.#isLost = false;
    this.log("info", `${this.#label}: the server is there again`);
  }

  get #label(): string {
    return this.name === "" ? "pulse" : `pulse:${this.name}`;
  }

  #serve(entry: Entry, nowMs: number): number {
    const { stream, stopgap } = entry;
    this.#attach(entry, nowMs);
    if (entry.pulse?.ready && this.#fits(entry, entry.pulse, nowMs)) {
      return this.#move(entry, entry.pulse, nowMs);
    }
    if (nowMs < entry.patientUntilMs) return this.#await(stream, nowMs);
    if (stream.link.closed) {
      this.#forget(entry);
      return Infinity;
    }
    if (nowMs - this.#askedMs(entry) > NO_ANSWER_MS) this.#lose("no answer");
    return stopgap.turn(nowMs);
  }

  /** When the server was asked for what has not been answered yet; Infinity if nothing is. */
  #askedMs({ pulse, askedMs }: Entry): number {
    if (!this.#connection) return Infinity;
    if (!this.#connection.ready) return this.#connectMs;
    return pulse ? askedMs : Infinity;
  }

  /** Makes it a stream at the server, unless it has one. */
  #attach(entry: Entry, nowMs: number): void {
    const { stream, retry } = entry;
    if (entry.pulse?.failed) {
      this.#refuse(entry);
      this.#detach(entry);
      retry.failed(nowMs);
    }
    if (entry.pulse || !this.#connection?.ready || nowMs < retry.dueMs) return;
    this.#create(entry, stream.rateHz, nowMs);
  }

  #create(entry: Entry, rateHz: number, nowMs: number): void {
    const { stream } = entry;
    const Kind = stream.direction === "play" ? PulsePlayback : PulseRecording;
    entry.pulse = new Kind(this.#connection!, stream, rateHz);
    entry.askedMs = nowMs;
  }

  /**
   * Whether it goes to the server at the rate at which it should: its own, unless the server would have
   * to resample it and we are better at that. Then it is made anew, at the device's rate; which device
   * it gets, and what rate that takes on for it, is not known before.
   */
  #fits(entry: Entry, pulse: PulseStream, nowMs: number): boolean {
    if (entry.fits) return true;
    const { stream } = entry;
    const servesWell = !resamplesWell(stream.resample) || this.#connection!.resamplesWell;
    if (servesWell === undefined) return false;
    if (!servesWell) {
      entry.deviceRate ??= this.#connection!.rateOf(stream.direction, pulse.device);
      if (!entry.deviceRate.done) return false;
    }
    entry.fits = true;
    const rateHz = entry.deviceRate?.answer ?? stream.rateHz;
    if (rateHz === stream.rateHz) return true;
    pulse.close();
    this.#create(entry, rateHz, nowMs);
    return false;
  }

  // A server that has only just been started may have no devices yet.
  #refuse(entry: Entry): void {
    if (this.#isLost || entry.isRefused) return;
    entry.isRefused = true;
    const { command } = entry.stream;
    this.log("warn", `${this.#label}: ${command} is refused: ${this.#connection!.error}`);
  }

  /** Lets a stream that the server has go on. */
  #move(entry: Entry, pulse: PulseStream, nowMs: number): number {
    const next = pulse.turn(nowMs);
    if (pulse.ended) {
      this.#forget(entry);
      return Infinity;
    }
    if (pulse.stalled(nowMs)) {
      this.#lose(pulse.suspended ? "the device is suspended" : "no answer");
      return Math.min(next, entry.stopgap.turn(nowMs));
    }
    entry.stopgap.leave();
    entry.retry.reset();
    entry.isRefused = false;
    entry.patientUntilMs = 0;
    this.#find();
    return next;
  }

  // Its time stands still meanwhile.
  #await({ link, direction }: ServerStream, nowMs: number): number {
    if (direction === "play") {
      link.report({ atMs: nowMs + 2 * WAITING_TURN_MS, frames: link.read, delayFrames: 0 });
    }
    return WAITING_TURN_MS;
  }

  #forget(entry: Entry): void {
    entry.forgetPulse();
    this.#entries.delete(entry);
  }

  wait(wakeFd: number, ms: number): void {
    const library = this.#library;
    this.#watch ??= new InputWatch(library.pa_mainloop_get_api(this.#loop)!, wakeFd);
    iterate(library, this.#loop, ms);
  }

  close(): void {
    const library = this.#library;
    const isEnding = ({ stream, pulse }: Entry) => stream.link.closed && pulse?.ready;
    const endMs = epochMs() + END_MS;
    while ([...this.#entries].some(isEnding) && epochMs() < endMs) {
      iterate(library, this.#loop, this.turn(epochMs()));
    }
    for (const entry of this.#entries) entry.forgetPulse();
    this.#connection?.close();
    library.pa_mainloop_free(this.#loop);
    this.#watch?.close();
  }
}

/**
 * Why a server cannot be used now, by its name as libpulse takes it; undefined if it can. It is not
 * started. May wait for ever.
 */
export function probe(name: string): string | undefined {
  let library: PulseLibrary;
  try {
    library = pulseLibrary();
  } catch (error) {
    return (error as Error).message;
  }
  const loop = library.pa_mainloop_new()!;
  const connection = new Connection(library, loop, name);
  try {
    while (!connection.ready) {
      if (connection.failed) return `${connection.error} (start PulseAudio or PipeWire)`;
      iterate(library, loop, Infinity);
    }
    return undefined;
  } finally {
    connection.close();
    library.pa_mainloop_free(loop);
  }
}
