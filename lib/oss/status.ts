// What there is and what it does at one moment, as data: /dev/sndstat makes a text of it, and
// `ossp status` shows it or hands it on as JSON.

import type { Cards, OpenStream } from "./cards.ts";
import { VERSION } from "../version.ts";
import { IO } from "./soundcard.ts";

/** /dev/sndstat's own ioctl, not OSS's: what is read after it, from the start, is a `Status` as JSON. */
export const STATUS_JSON = IO("O", 1);

/** The playing half of a stream. */
export interface PlayStatus {
  /** Written and not heard yet, of the buffer's bytes; the same in milliseconds. */
  readonly queuedBytes: number;
  readonly queuedMs: number;
  /** Heard since the open. */
  readonly playedBytes: number;
  /** How often there was nothing to play though the program had not said that it was done. */
  readonly underruns: number;
}

/** The recording half. */
export interface RecordStatus {
  /** Recorded and not read yet, of the buffer's bytes; the same in milliseconds. */
  readonly waitingBytes: number;
  readonly waitingMs: number;
  /** Recorded since the open, lost bytes included. */
  readonly recordedBytes: number;
  /** How often sound was lost because the program did not read in time. */
  readonly overruns: number;
}

/** A stream that is open. */
export interface StreamStatus {
  /** The name of the file that it was opened by, e.g. "dsp". */
  readonly device: string;
  /** The number of its card. */
  readonly card: number;
  readonly pid: number;
  readonly command: string;
  /** Whether its program has closed it, and only the rest is played. */
  readonly closed: boolean;
  /** Whether its program has mapped the buffer. */
  readonly mapped: boolean;
  /** The name of a `SampleFormat`. */
  readonly format: string;
  readonly rateHz: number;
  readonly channels: number;
  readonly fragmentBytes: number;
  readonly bufferBytes: number;
  /** Absent where it was not opened for that. */
  readonly play?: PlayStatus;
  readonly record?: RecordStatus;
}

/** All of it. */
export interface Status {
  /** Of ossp. */
  readonly version: string;
  readonly cards: readonly { readonly name: string; readonly about: string }[];
  /** Audio devices and mixers; `card` is the number of a card. */
  readonly audios: readonly {
    readonly name: string;
    readonly path: string;
    readonly card: number;
    readonly records: boolean;
  }[];
  readonly mixers: readonly {
    readonly name: string;
    readonly path: string;
    readonly card: number;
  }[];
  readonly streams: readonly StreamStatus[];
}

/** What there is at this moment. */
export function statusOf(cards: Cards): Status {
  return {
    version: VERSION,
    cards: cards.cards.map(({ name, about }) => ({ name, about })),
    audios: cards.audios.map(({ name, path, card, records }) => ({ name, path, card, records })),
    mixers: cards.mixers.map(({ name, path, card }) => ({ name, path, card })),
    streams: Array.from(cards.streams, (stream) => streamStatus(cards, stream)),
  };
}

function streamStatus(cards: Cards, { name, client, dsp, released }: OpenStream): StreamStatus {
  const { parameters, playback, capture } = dsp;
  const { format, rateHz, channels, fragmentBytes, bufferBytes } = parameters;
  const queuedBytes = playback.queuedBytes();
  const waitingBytes = capture?.readableBytes() ?? 0;
  const inMs = (bytes: number) => Math.round(bytes * 1000 / parameters.bytesPerSecond);
  return {
    device: name,
    card: cards.audios[dsp.audio].card,
    pid: client.pid,
    command: client.command,
    closed: released,
    mapped: dsp.mapping?.touched ?? false,
    format: format.name,
    ...{ rateHz, channels, fragmentBytes, bufferBytes },
    play: dsp.plays
      ? {
        queuedBytes,
        queuedMs: inMs(queuedBytes),
        playedBytes: playback.playedBytes(),
        underruns: playback.underruns,
      }
      : undefined,
    record: capture && {
      waitingBytes,
      waitingMs: inMs(waitingBytes),
      recordedBytes: capture.capturedBytes(),
      overruns: capture.overruns,
    },
  };
}
