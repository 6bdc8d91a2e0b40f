// sndio: a connection to sndiod for each stream that runs, polled by one thread.

import { pollAll, POLLFD_SIZE, POLLIN } from "../../ffi/libc.ts";
import { sndio } from "../../ffi/sndio.ts";
import { resamplesWell } from "../pcm/resample.ts";
import type { AsideLine } from "./orders.ts";
import { Retry } from "./retry.ts";
import type { Server, ServerLog, ServerStream } from "./server.ts";
import { onMoveAddress, SndioConnection } from "./sndio_connection.ts";
import { Opener, type Opening, openNow } from "./sndio_opener.ts";
import { type SndioHost, SndioPlaying, SndioRecording, type SndioStream } from "./sndio_stream.ts";

// After a failure the next try comes later and later, but after this time.
const MOST_RETRY_MS = 1000;

// What waits in the server's queue: two of the program's fragments, within these limits. A recording's
// queue fills only when we are late, and costs nothing.
const LEAST_QUEUE_MS = 40;
const MOST_QUEUE_MS = 200;

// sndiod computes in 24 bits.
const WIDE_BITS = 16;

// No stream has this number.
const PROBE_ID = 0;

/** The device that a name in `--sink` or `--source` means. */
function deviceOf(name: string, direction: ServerStream["direction"]): string {
  if (name !== "") return name;
  // The library's own default falls back on the sound card itself, which no other program can then use.
  const variable = direction === "play" ? "AUDIOPLAYDEVICE" : "AUDIORECDEVICE";
  return Deno.env.get(variable) ?? Deno.env.get("AUDIODEVICE") ?? "snd/default";
}

/** sndiod, or a device that libsndio opens by itself. */
export class SndioServer implements Server, SndioHost {
  readonly #opener: Opener;
  readonly #streams = new Map<number, SndioStream>();
  #fds = new Uint8Array(0);
  /** Whether its user has been told that it is gone. */
  #lost = false;
  readonly #retry = new Retry(MOST_RETRY_MS);

  /**
   * @param opener the way to the thread that opens connections
   * @throws {Error} if libsndio cannot be loaded
   */
  constructor(readonly name: string, readonly log: ServerLog, opener: AsideLine) {
    sndio();
    this.#opener = new Opener(opener);
  }

  add(stream: ServerStream): void {
    const Stream = stream.direction === "play" ? SndioPlaying : SndioRecording;
    this.#streams.set(stream.id, new Stream(stream, this));
  }

  turn(nowMs: number): number {
    this.#takeAnswers(nowMs);
    let next = Infinity;
    for (const [id, stream] of this.#streams) {
      next = Math.min(next, stream.turn(nowMs));
      if (!stream.finished) continue;
      stream.close();
      this.#streams.delete(id);
    }
    return next;
  }

  #takeAnswers(nowMs: number): void {
    for (;;) {
      const answer = this.#opener.answer();
      if (!answer) return;
      const stream = this.#streams.get(answer.id);
      if ("reason" in answer) {
        stream?.refuse();
        this.#refused(answer.reason, nowMs);
        continue;
      }
      const connection = new SndioConnection(answer);
      if (stream) stream.connect(connection, nowMs);
      else connection.close();
    }
  }

  #refused(reason: string, nowMs: number): void {
    this.gone(reason, nowMs);
    if (nowMs >= this.#retry.dueMs) this.#retry.failed(nowMs);
  }

  gone(reason: string, nowMs: number): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#retry.reset();
    this.#retry.failed(nowMs);
    this.log("warn", `sndio: ${reason}; until it is back nothing is heard`);
  }

  back(): void {
    if (this.#lost) this.log("info", "sndio: it is back");
    this.#lost = false;
    this.#retry.reset();
  }

  open({ stream }: SndioStream, nowMs: number): boolean {
    if (nowMs < this.#retry.dueMs) return false;
    this.#opener.open({ ...openingOf(stream, this.name), onMove: onMoveAddress() });
    return true;
  }

  wait(wakeFd: number, ms: number): void {
    let count = 0;
    let most = 2;
    for (const { connection } of this.#streams.values()) most += connection?.mostFds ?? 0;
    if (this.#fds.length < most * POLLFD_SIZE) this.#fds = new Uint8Array(most * POLLFD_SIZE);
    count = this.#putFd(wakeFd, count);
    count = this.#putFd(this.#opener.answerFd, count);
    for (const { connection, writes, stream } of this.#streams.values()) {
      if (connection) count += connection.putFds(this.#fds, count, stream.direction, writes);
    }
    pollAll(this.#fds, count, ms === Infinity ? -1 : Math.ceil(ms));
    let at = 2;
    for (const { connection } of this.#streams.values()) {
      if (connection) at += connection.takeFds(this.#fds, at);
    }
  }

  #putFd(fd: number, at: number): number {
    const view = new DataView(this.#fds.buffer, at * POLLFD_SIZE, POLLFD_SIZE);
    view.setInt32(0, fd, true);
    view.setInt32(4, POLLIN, true);
    return at + 1;
  }

  close(): void {
    for (const stream of this.#streams.values()) stream.close();
  }
}

function openingOf(stream: ServerStream, name: string): Omit<Opening, "onMove"> {
  const { id, direction, format, rateHz, channels, fragmentBytes, command } = stream;
  // sndiod takes integers of up to 32 bits.
  const integers = format.coding === "signed" || format.coding === "unsigned";
  const substitute = format.bits > WIDE_BITS ? "s32le" : "s16le";
  const fragmentsMs = 2 * fragmentBytes * 1000 / (format.bytes * channels * rateHz);
  const queueMs = direction === "record"
    ? MOST_QUEUE_MS
    : Math.min(Math.max(fragmentsMs, LEAST_QUEUE_MS), MOST_QUEUE_MS);
  const device = deviceOf(name, direction);
  return {
    ...{ id, direction, rateHz, channels, command, device },
    // A sound card's own device takes many rates as they are, sndiod resamples: 23 dB for 18 kHz.
    resamples: resamplesWell(stream.resample) && !device.startsWith("rsnd/"),
    format: integers ? format.name : substitute,
    queueFrames: Math.ceil(queueMs * rateHz / 1000),
  };
}

/** Why sndio cannot be used now, by its name in `--sink`; undefined if it can. May wait for ever. */
export function probe(name: string): string | undefined {
  try {
    sndio();
  } catch (error) {
    return (error as Error).message;
  }
  const opened = openNow({
    ...{ id: PROBE_ID, device: deviceOf(name, "play"), direction: "play", command: "ossp" },
    ...{ format: "s16le", rateHz: 48000, channels: 2, queueFrames: 4800, onMove: 0n },
    resamples: false,
  });
  if ("reason" in opened) return `${opened.reason} (start sndiod)`;
  new SndioConnection(opened).close();
  return undefined;
}
