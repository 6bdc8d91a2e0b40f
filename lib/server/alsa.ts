// ALSA: each stream has a PCM of its own, opened in its own parameters, or a share of one that is
// open where the PCM, a bare sound card's say, is busy.

import { AlsaError } from "../../ffi/asound.ts";
import { EPIPE } from "../../ffi/libc.ts";
import { AlsaInput } from "./alsa_input.ts";
import { AlsaOutput } from "./alsa_output.ts";
import { AlsaPcm, isBusy, tryPcm } from "./alsa_pcm.ts";
import { Retry } from "./retry.ts";
import type { Server, ServerLog, ServerStream } from "./server.ts";
import { Stopgap } from "./stopgap.ts";

const DEFAULT_PCM = "default";

// The longest between two attempts to open a PCM.
const MOST_RETRY_MS = 2000;

// A PCM that does nothing but run dry is lost.
const XRUNS_IN_A_ROW = 8;

// A machine on which a PCM ran dry is held to be as slow for so long.
const SLOW_MS = 60_000;

/** An open PCM with its streams. */
type Line = AlsaOutput | AlsaInput;

/** The PCMs of one name. */
export class AlsaServer implements Server {
  readonly #name: string;
  readonly #log: ServerLog;
  /** Every stream, and what serves it while it has no PCM. */
  readonly #streams = new Map<ServerStream, Stopgap>();
  readonly #lines = new Set<Line>();
  readonly #lineOf = new Map<ServerStream, Line>();
  /** How many turns in a row found that a PCM had run dry, or over. */
  #xruns = 0;
  /** How much had to lie in the last PCM that ran dry, and how long others get as much. */
  #levelMs = 0;
  #slowUntilMs = 0;
  #lost = false;
  readonly #retry = new Retry(MOST_RETRY_MS);

  /** @param name the PCM's; empty for the default one */
  constructor(name: string, log: ServerLog) {
    this.#name = name || DEFAULT_PCM;
    this.#log = log;
  }

  add(stream: ServerStream): void {
    this.#streams.set(stream, new Stopgap(stream));
  }

  turn(nowMs: number): number {
    let next = Infinity;
    for (const [stream, stopgap] of this.#streams) {
      if (!this.#lineOf.has(stream)) next = Math.min(next, this.#connect(stream, stopgap, nowMs));
    }
    for (const line of this.#lines) next = Math.min(next, this.#turnLine(line, nowMs));
    return next;
  }

  /** Finds a stream a PCM when it needs one, and serves it otherwise. */
  #connect(stream: ServerStream, stopgap: Stopgap, nowMs: number): number {
    const { link, direction } = stream;
    const wanted = link.running || direction === "play" && link.filled > 0;
    if (wanted && nowMs >= this.#retry.dueMs && this.#open(stream, nowMs)) {
      stopgap.leave();
      return 0;
    }
    if (link.closed) {
      this.#streams.delete(stream);
      return Infinity;
    }
    if (!wanted && !this.#lost) return Infinity;
    const next = stopgap.turn(nowMs);
    return wanted ? Math.min(next, Math.max(0, this.#retry.dueMs - nowMs)) : next;
  }

  #open(stream: ServerStream, nowMs: number): boolean {
    try {
      this.#lineOf.set(stream, this.#openLine(stream, nowMs));
    } catch (error) {
      this.#fail(error as Error, nowMs);
      return false;
    }
    if (this.#lost) this.#log("info", `alsa: ${this.#name} is back`);
    this.#lost = false;
    this.#retry.reset();
    return true;
  }

  #openLine(stream: ServerStream, nowMs: number): Line {
    const ended = (stream: ServerStream) => {
      this.#streams.delete(stream);
      this.#lineOf.delete(stream);
    };
    try {
      const pcm = new AlsaPcm(this.#name, stream);
      const { format, rateHz, channels } = pcm;
      const what = `${format.name} ${rateHz} Hz × ${channels}`;
      this.#log("debug", `alsa: ${this.#name} is open for ${stream.command}: ${what}`);
      const line = stream.direction === "play"
        ? new AlsaOutput(pcm, stream, nowMs < this.#slowUntilMs ? this.#levelMs : 0, ended)
        : new AlsaInput(pcm, stream, ended);
      this.#lines.add(line);
      return line;
    } catch (error) {
      const shared = [...this.#lines].find(({ direction }) => direction === stream.direction);
      if (!shared || !isBusy(error)) throw error;
      shared.add(stream);
      return shared;
    }
  }

  #fail(error: Error, nowMs: number): void {
    if (!this.#lost) this.#log("warn", `alsa: ${this.#name} is lost: ${error.message}`);
    this.#lost = true;
    this.#retry.failed(nowMs);
  }

  #turnLine(line: Line, nowMs: number): number {
    try {
      const next = line.turn(nowMs);
      this.#xruns = 0;
      if (line.empty) this.#close(line);
      return next;
    } catch (error) {
      const isXrun = error instanceof AlsaError && error.errno === EPIPE;
      this.#xruns = isXrun ? this.#xruns + 1 : 0;
      if (isXrun && this.#xruns <= XRUNS_IN_A_ROW) {
        this.#log("debug", `alsa: ${this.#name}: xrun`);
        line.recover();
        if (line.direction === "play") {
          this.#levelMs = line.levelMs;
          this.#slowUntilMs = nowMs + SLOW_MS;
        }
        return 0;
      }
      for (const stream of line.streams) this.#lineOf.delete(stream);
      this.#close(line);
      this.#fail(error as Error, nowMs);
      return 0;
    }
  }

  #close(line: Line): void {
    this.#lines.delete(line);
    line.close();
  }

  close(): void {
    for (const line of this.#lines) line.close();
    this.#lines.clear();
  }
}

/**
 * Why a PCM cannot play now; undefined if it can. It is opened and closed; nothing is heard. May wait for
 * ever.
 */
export function probe(name: string): string | undefined {
  try {
    tryPcm(name || DEFAULT_PCM);
    return undefined;
  } catch (error) {
    return `${name || DEFAULT_PCM}: ${(error as Error).message}`;
  }
}
