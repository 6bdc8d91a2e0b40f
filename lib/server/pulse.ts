// PulseAudio, or PipeWire's server of that protocol: one connection for all streams, made anew when it
// is lost.

import { cString } from "../../ffi/libc.ts";
import {
  InputWatch,
  PA_CONTEXT_FAILED,
  PA_CONTEXT_NOAUTOSPAWN,
  PA_CONTEXT_READY,
  type PulseLibrary,
  pulseLibrary,
} from "../../ffi/pulse.ts";
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

// How long `probe` waits.
const PROBE_MS = 800;

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

  constructor(readonly stream: ServerStream, nowMs: number) {
    this.stopgap = new Stopgap(stream);
    this.patientUntilMs = nowMs + PATIENCE_MS;
  }

  forgetPulse(): void {
    this.pulse?.close();
    this.pulse = undefined;
  }
}

/** A main loop of libpulse and a context in it, which runs only while it is waited for. */
class Connection {
  readonly loop: Deno.PointerObject;
  readonly context: Deno.PointerObject;

  /** @param name the server's; empty for the default */
  constructor(readonly library: PulseLibrary, loop: Deno.PointerObject, name: string) {
    this.loop = loop;
    const properties = library.pa_proplist_new();
    library.pa_proplist_sets(properties, cString("application.icon_name"), cString("audio-card"));
    this.context = library.pa_context_new_with_proplist(
      library.pa_mainloop_get_api(loop),
      cString("ossp"),
      properties,
    )!;
    library.pa_proplist_free(properties);
    const server = name === "" ? null : cString(name);
    library.pa_context_connect(this.context, server, PA_CONTEXT_NOAUTOSPAWN, null);
  }

  get ready(): boolean {
    return this.library.pa_context_get_state(this.context) === PA_CONTEXT_READY;
  }

  get failed(): boolean {
    return this.library.pa_context_get_state(this.context) >= PA_CONTEXT_FAILED;
  }

  /** Why it failed, in the library's words. */
  get error(): string {
    const { library, context } = this;
    const text = library.pa_strerror(library.pa_context_errno(context));
    return Deno.UnsafePointerView.getCString(text!);
  }

  close(): void {
    this.library.pa_context_disconnect(this.context);
    this.library.pa_context_unref(this.context);
  }
}

/** Runs a main loop until something has happened in it, or the time is over. */
function iterate(library: PulseLibrary, loop: Deno.PointerObject, ms: number): void {
  const us = ms === Infinity ? -1 : Math.ceil(ms * 1000);
  library.pa_mainloop_prepare(loop, us);
  library.pa_mainloop_poll(loop);
  library.pa_mainloop_dispatch(loop);
}

/** The server. */
export class PulseServer implements Server {
  readonly #library = pulseLibrary();
  readonly #loop = this.#library.pa_mainloop_new()!;
  readonly #entries = new Set<Entry>();
  readonly #retry = new Retry(MOST_RETRY_MS);
  #watch: InputWatch | undefined;
  #connection: Connection | undefined;
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
    for (const entry of this.#entries) next = Math.min(next, this.#serve(entry, nowMs));
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
      this.#retry.failed(nowMs);
      if (this.#entries.size > 0) this.#lose(error);
    }
    if (this.#connection?.ready) this.#retry.reset();
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
    if (entry.pulse?.ready) return this.#move(entry, entry.pulse, nowMs);
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
    const Kind = stream.direction === "play" ? PulsePlayback : PulseRecording;
    entry.pulse = new Kind(this.#library, this.#connection.context, stream);
    entry.askedMs = nowMs;
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
      this.#lose("no answer");
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
 * Whether a server can be used now: undefined, or else one line that says why not. It is not started,
 * and not waited for longer than a second.
 *
 * @param name as libpulse takes it; empty for the default
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
  const endMs = epochMs() + PROBE_MS;
  try {
    while (!connection.ready) {
      if (connection.failed) return `${connection.error} (start PulseAudio or PipeWire)`;
      const leftMs = endMs - epochMs();
      if (leftMs <= 0) return `no answer in ${PROBE_MS} ms (is the server stopped?)`;
      iterate(library, loop, leftMs);
    }
    return undefined;
  } finally {
    connection.close();
    library.pa_mainloop_free(loop);
  }
}
