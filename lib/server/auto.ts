// The first sound server that can be used, whichever that is: looked for at the start, and again while
// there is none, or while the one that was found has long been gone.

import { poll, POLLIN } from "../../ffi/libc.ts";
import { AlsaServer, probe as probeAlsa } from "./alsa.ts";
import { JackServer, probe as probeJack } from "./jack.ts";
import { LinkState } from "./link.ts";
import type { RequestLine } from "./jack_requests.ts";
import type { JackOptions, OpenerLine, ServerKind } from "./orders.ts";
import { probe as probePulse, PulseServer } from "./pulse.ts";
import type { Server, ServerLog, ServerStream } from "./server.ts";
import { probe as probeSndio, SndioServer } from "./sndio.ts";
import { Stopgap } from "./stopgap.ts";

const PROBE_MS = 2000;

// A server that is away for so long is left for another.
const GONE_MS = 10_000;

/** What JACK needs, if it is found. */
interface JackWay extends JackOptions {
  /** Starts the thread that asks the server. */
  readonly ask: () => RequestLine;
}

/** A kind of server that can be found. */
export interface Candidate {
  readonly kind: Exclude<ServerKind, "auto">;
  /** Whether its default can be used now: undefined, or one line that says why not. */
  probe(name: string, opener: OpenerLine): string | undefined;
  /** The way to that default. */
  create(log: ServerLog, opener: OpenerLine, jack: JackWay): Server;
}

/** The kinds, in the order in which they are tried. */
export const CANDIDATES: readonly Candidate[] = [
  { kind: "pulse", probe: probePulse, create: (log) => new PulseServer("", log) },
  {
    kind: "jack",
    probe: probeJack,
    create: (log, _opener, { ask, ...options }) => new JackServer("", log, ask(), options),
  },
  { kind: "alsa", probe: probeAlsa, create: (log) => new AlsaServer("", log) },
  { kind: "sndio", probe: probeSndio, create: (log, opener) => new SndioServer("", log, opener) },
];

/** The server that was found, or a clock. */
export class AutoServer implements Server {
  readonly #log: ServerLog;
  readonly #opener: OpenerLine;
  readonly #jack: JackWay;
  /** The streams that the loop has not done with; while there is no server a clock serves them. */
  readonly #streams = new Map<ServerStream, Stopgap>();
  #server: Server | undefined;
  #kind: ServerKind | undefined;
  /** When to look for a server next, and since when the one that was found is gone. */
  #probeMs = 0;
  #goneMs = Infinity;
  #asked = false;
  /** Whether somebody who is not heard has been told so. */
  #told = false;

  /**
   * @param opener the way to the thread that opens connections, for sndio
   * @param jack how JACK is used, if that is found
   */
  constructor(log: ServerLog, opener: OpenerLine, jack: JackWay) {
    this.#jack = jack;
    this.#log = log;
    this.#opener = opener;
  }

  add(stream: ServerStream): void {
    this.#streams.set(stream, new Stopgap(stream));
    this.#server?.add(stream);
  }

  turn(nowMs: number): number {
    for (const stream of this.#streams.keys()) {
      if (stream.link.closed) this.#streams.delete(stream);
    }
    const needed = !this.#server || nowMs - this.#goneMs > GONE_MS;
    // Who has nothing to play asks once, so that the first stream need not wait for that.
    if (needed && nowMs >= this.#probeMs && (this.#streams.size > 0 || !this.#asked)) {
      this.#asked = true;
      this.#look();
      this.#probeMs = nowMs + PROBE_MS;
    }
    if (!this.#server) return this.#turnAlone(nowMs);
    const next = this.#server.turn(nowMs);
    if (!this.#isGone()) this.#goneMs = Infinity;
    else if (this.#goneMs === Infinity) this.#goneMs = nowMs;
    return next;
  }

  #turnAlone(nowMs: number): number {
    let next = this.#streams.size > 0 ? this.#probeMs - nowMs : Infinity;
    for (const stopgap of this.#streams.values()) next = Math.min(next, stopgap.turn(nowMs));
    return next;
  }

  #isGone(): boolean {
    const links = [...this.#streams.keys()].map(({ link }) => link);
    return links.some(({ state }) => state === LinkState.LOST) &&
      links.every(({ state }) => state !== LinkState.READY);
  }

  /** Takes the first server that can be used, in place of the one that there may be. */
  #look(): void {
    const refusals: string[] = [];
    for (const candidate of CANDIDATES) {
      if (candidate.kind === this.#kind) continue;
      const refusal = candidate.probe("", this.#opener);
      if (refusal === undefined) return this.#take(candidate);
      refusals.push(`${candidate.kind}: ${refusal}`);
    }
    if (!this.#told && this.#streams.size > 0) {
      this.#told = true;
      this.#log("warn", `nothing is heard until there is a sound server: ${refusals.join("; ")}`);
    }
  }

  #take({ kind, create }: Candidate): void {
    this.#log("info", `sound goes by ${kind}`);
    this.#server?.close();
    this.#server = create(this.#log, this.#opener, this.#jack);
    this.#kind = kind;
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
