// The first sound server that can be used, whichever that is: looked for at the start, and again while
// there is none, or while the one that was found has long been gone.

import { poll, POLLIN } from "../../ffi/libc.ts";
import { AlsaServer } from "./alsa.ts";
import { JackServer } from "./jack.ts";
import { LinkState } from "./link.ts";
import type { Finding, FoundKind, JackOptions } from "./orders.ts";
import { PulseServer } from "./pulse.ts";
import {
  epochMs,
  type Server,
  type ServerHost,
  type ServerLog,
  type ServerStream,
} from "./server.ts";
import { SndioServer } from "./sndio.ts";
import { Stopgap } from "./stopgap.ts";

const LOOK_MS = 2000;

// A server that is there is found within this; a stream waits so long before a clock serves it.
const PATIENCE_MS = 500;

// A server that is away for so long is left for another.
const GONE_MS = 10_000;

/** The ways to the default servers, in the order in which they are looked for. */
const WAYS: Readonly<
  Record<FoundKind, (log: ServerLog, host: ServerHost, jack: JackOptions) => Server>
> = {
  pulse: (log) => new PulseServer("", log),
  jack: (log, host, options) => new JackServer("", log, host.startAside("jack"), options),
  alsa: (log) => new AlsaServer("", log),
  sndio: (log, host) => new SndioServer("", log, host.startAside("sndio")),
};

/** The server that was found, or a clock. */
export class AutoServer implements Server {
  readonly #log: ServerLog;
  readonly #host: ServerHost;
  readonly #jack: JackOptions;
  /** The streams that the loop has not done with; while there is no server a clock serves them. */
  readonly #streams = new Map<ServerStream, Stopgap>();
  #server: Server | undefined;
  #kind: FoundKind | undefined;
  /** The kinds that have not been found nor refused yet, the first of which is being looked for. */
  #kinds: FoundKind[] = [];
  #refusals: string[] = [];
  /** When to look for a server next, and since when the one that was found is gone. */
  #lookMs = 0;
  #goneMs = Infinity;
  #asked = false;
  #patientUntilMs = 0;
  /** Whether somebody who is not heard has been told so. */
  #told = false;

  /** @param jack how JACK is used, if that is found */
  constructor(log: ServerLog, host: ServerHost, jack: JackOptions) {
    this.#log = log;
    this.#host = host;
    this.#jack = jack;
  }

  add(stream: ServerStream): void {
    if (!this.#told) this.#patientUntilMs = epochMs() + PATIENCE_MS;
    this.#streams.set(stream, new Stopgap(stream));
    this.#server?.add(stream);
  }

  turn(nowMs: number): number {
    for (const stream of this.#streams.keys()) {
      if (stream.link.closed) this.#streams.delete(stream);
    }
    const isNeeded = !this.#server || nowMs - this.#goneMs > GONE_MS;
    const finding = this.#host.found();
    if (finding) this.#hear(finding, isNeeded);
    // Who has nothing to play asks once, so that the first stream need not wait for that.
    const isWanted = this.#streams.size > 0 || !this.#asked;
    if (isNeeded && isWanted && !this.#isLooking && nowMs >= this.#lookMs) this.#look(nowMs);
    if (!this.#server) return this.#turnAlone(nowMs);
    const next = this.#server.turn(nowMs);
    if (!this.#isGone()) this.#goneMs = Infinity;
    else if (this.#goneMs === Infinity) this.#goneMs = nowMs;
    return next;
  }

  #turnAlone(nowMs: number): number {
    if (this.#isLooking && nowMs < this.#patientUntilMs) return this.#patientUntilMs - nowMs;
    const isWaiting = this.#isLooking || this.#streams.size === 0;
    let next = isWaiting ? Infinity : this.#lookMs - nowMs;
    for (const stopgap of this.#streams.values()) next = Math.min(next, stopgap.turn(nowMs));
    return next;
  }

  #isGone(): boolean {
    const links = [...this.#streams.keys()].map(({ link }) => link);
    return links.some(({ state }) => state === LinkState.LOST) &&
      links.every(({ state }) => state !== LinkState.READY);
  }

  get #isLooking(): boolean {
    return this.#kinds.length > 0;
  }

  /** Looks for the first server that can be used, other than the one that there may be. */
  #look(nowMs: number): void {
    this.#asked = true;
    this.#lookMs = nowMs + LOOK_MS;
    this.#refusals = [];
    this.#kinds = (Object.keys(WAYS) as FoundKind[]).filter((kind) => kind !== this.#kind);
    this.#host.look(this.#kinds[0]);
  }

  /** @param isNeeded whether the server that was there is still away */
  #hear({ kind, refusal }: Finding, isNeeded: boolean): void {
    this.#kinds.shift();
    if (!isNeeded) this.#kinds = [];
    else if (refusal === undefined) this.#take(kind);
    else this.#refuse(`${kind}: ${refusal}`);
  }

  #refuse(refusal: string): void {
    this.#refusals.push(refusal);
    if (this.#isLooking) return this.#host.look(this.#kinds[0]);
    if (this.#told || this.#streams.size === 0) return;
    this.#told = true;
    const why = this.#refusals.join("; ");
    this.#log("warn", `nothing is heard until there is a sound server: ${why}`);
  }

  #take(kind: FoundKind): void {
    this.#log("info", `sound goes by ${kind}`);
    this.#server?.close();
    this.#server = WAYS[kind](this.#log, this.#host, this.#jack);
    this.#kind = kind;
    this.#kinds = [];
    this.#goneMs = Infinity;
    this.#told = false;
    for (const stream of this.#streams.keys()) this.#server.add(stream);
  }

  wait(wakeFd: number, ms: number): void {
    if (this.#server?.wait) this.#server.wait(wakeFd, ms);
    else poll(wakeFd, POLLIN, ms === Infinity ? -1 : Math.ceil(ms));
  }

  close(): void {
    this.#server?.close();
  }
}
