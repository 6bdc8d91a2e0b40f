// The thread that opens connections to sndiod. libsndio waits for the server's answer until the sound
// moves, and a server that is stopped never answers: this thread may wait for ever, the one that
// serves the streams may not.

import { receiveMessageOnPort } from "node:worker_threads";
import { cString, read, setProgramName, write } from "../../ffi/libc.ts";
import { SIO_PAR, SIO_PLAY, SIO_REC, type Sndio, sndio } from "../../ffi/sndio.ts";
import { FORMATS, type SampleFormat } from "../pcm/format.ts";
import type { AsideLine } from "./orders.ts";

/** A connection to open. */
export interface Opening {
  readonly id: number;
  /** The device, as sio_open(3) has it. */
  readonly device: string;
  readonly direction: "play" | "record";
  /** What it is to carry; the server may choose otherwise. */
  readonly format: string;
  readonly rateHz: number;
  readonly channels: number;
  /** Whether we resample to the server's rate, rather than have it do that. */
  readonly resamples: boolean;
  /** Frames that wait in the server for their turn. */
  readonly queueFrames: number;
  /** The program's name. */
  readonly command: string;
  /** The address of what sio_onmove is given. */
  readonly onMove: bigint;
}

/** A connection that has been opened and started, as the server has it. */
export interface Opened {
  readonly id: number;
  /** The address of its handle. */
  readonly handle: bigint;
  readonly format: string;
  readonly rateHz: number;
  readonly channels: number;
  /** Frames that the server moves at once. */
  readonly roundFrames: number;
  /** Frames that wait in the server before it begins to play. */
  readonly queueFrames: number;
  /** Those, and what waits in the device behind it. */
  readonly bufferFrames: number;
}

/** A connection that could not be had. */
export interface Refused {
  readonly id: number;
  readonly reason: string;
}

/** The way to that thread, for who asks it. */
export class Opener {
  readonly #line: AsideLine;
  readonly #woken = new Uint8Array(8);

  constructor(line: AsideLine) {
    this.#line = line;
  }

  /** Can be read when there is an answer. */
  get answerFd(): number {
    return this.#line.answerFd;
  }

  open(opening: Opening): void {
    this.#line.port.postMessage(opening);
  }

  /** The next answer, undefined while there is none. */
  answer(): Opened | Refused | undefined {
    read(this.#line.answerFd, this.#woken, this.#woken.length);
    const received = receiveMessageOnPort(this.#line.port);
    return (received as { message: Opened | Refused } | undefined)?.message;
  }
}

/** The thread's work: answers each opening, in turn. */
export function serveOpenings({ port, answerFd }: AsideLine): void {
  const one = new Uint8Array(new BigUint64Array([1n]).buffer);
  const openings = port as unknown as { onmessage: (event: MessageEvent<Opening>) => void };
  openings.onmessage = ({ data }) => {
    port.postMessage(openNow(data));
    write(answerFd, one, one.length);
  };
}

/** Opens a connection; may wait for ever. */
export function openNow(opening: Opening): Opened | Refused {
  try {
    return open(sndio(), opening);
  } catch (error) {
    return { id: opening.id, reason: (error as Error).message };
  }
}

function open(library: Sndio, opening: Opening): Opened {
  const { id, device, direction, command, onMove } = opening;
  setProgramName(command); // the server names the connection after it
  const handle = library.sio_open(cString(device), direction === "play" ? SIO_PLAY : SIO_REC, 1);
  if (!handle) throw new Error(`${device} does not answer, or has no place for another stream`);
  try {
    const parameters = negotiate(library, handle, opening);
    library.sio_onmove(handle, Deno.UnsafePointer.create(onMove), null);
    if (!library.sio_start(handle)) throw new Error(`${device} does not start`);
    return { id, handle: Deno.UnsafePointer.value(handle), ...parameters };
  } catch (error) {
    library.sio_close(handle);
    throw error;
  }
}

// What we resample is sent so, whatever the program's format.
const RESAMPLED_FORMAT = "s32le";

/** The rate that is the server's own: until it is asked for another, it offers that. */
function ownRateHz(library: Sndio, handle: Deno.PointerObject): number {
  const words = new Uint32Array(SIO_PAR.WORDS);
  const bytes = new Uint8Array(words.buffer);
  library.sio_initpar(bytes);
  return library.sio_getpar(handle, bytes) ? words[SIO_PAR.RATE] : 0;
}

function negotiate(
  library: Sndio,
  handle: Deno.PointerObject,
  opening: Opening,
): Omit<Opened, "id" | "handle"> {
  const { device, direction, channels, resamples } = opening;
  const rateHz = (resamples && ownRateHz(library, handle)) || opening.rateHz;
  const queueFrames = Math.ceil(opening.queueFrames * rateHz / opening.rateHz);
  const words = new Uint32Array(SIO_PAR.WORDS);
  const bytes = new Uint8Array(words.buffer);
  const channelsWord = direction === "play" ? SIO_PAR.PCHAN : SIO_PAR.RCHAN;
  const wanted = rateHz === opening.rateHz ? opening.format : RESAMPLED_FORMAT;
  const format = FORMATS.find(({ name }) => name === wanted)!;
  library.sio_initpar(bytes);
  words[SIO_PAR.BITS] = format.bits;
  words[SIO_PAR.BPS] = format.bytes;
  words[SIO_PAR.SIG] = format.coding === "signed" ? 1 : 0;
  words[SIO_PAR.LE] = format.bigEndian ? 0 : 1;
  words[SIO_PAR.MSB] = 0;
  words[channelsWord] = channels;
  words[SIO_PAR.RATE] = rateHz;
  words[SIO_PAR.APPBUFSZ] = queueFrames;
  if (!library.sio_setpar(handle, bytes) || !library.sio_getpar(handle, bytes)) {
    throw new Error(`${device} has hung up`);
  }
  const chosen = formatOf(words, format);
  if (!chosen) throw new Error(`${device} wants samples of a kind that ossp has not`);
  return {
    format: chosen.name,
    rateHz: words[SIO_PAR.RATE],
    channels: words[channelsWord],
    roundFrames: words[SIO_PAR.ROUND],
    queueFrames: words[SIO_PAR.APPBUFSZ],
    bufferFrames: words[SIO_PAR.BUFSZ],
  };
}

/** The format that parameters describe, `wanted` if it is that. */
function formatOf(words: Uint32Array, wanted: SampleFormat): SampleFormat | undefined {
  const coding = words[SIO_PAR.SIG] ? "signed" : "unsigned";
  const fits = (format: SampleFormat) =>
    format.coding === coding && format.bits === words[SIO_PAR.BITS] &&
    format.bytes === words[SIO_PAR.BPS] &&
    (format.bytes === 1 || format.bigEndian === !words[SIO_PAR.LE]);
  return fits(wanted) ? wanted : FORMATS.find(fits);
}
