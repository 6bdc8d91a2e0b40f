// A sound card for a sndiod of a test's own. sndiod can play to another sndiod in place of a card; what
// it finds here takes that one's part: it moves frames at the sample rate, keeps what it hears with the
// time of it, and records silence. The layout of the messages is libsndio's amsg.h.

import { sleep } from "../native/ossp.ts";

const MESSAGE_BYTES = 40;

const Message = {
  ACK: 0,
  GETPAR: 1,
  SETPAR: 2,
  START: 3,
  STOP: 4,
  DATA: 5,
  FLOWCTL: 6,
  MOVE: 7,
  HELLO: 10,
  BYE: 11,
  AUTH: 12,
} as const;

/** The modes of HELLO that make a connection one of sound, and not of controls. */
const SOUND_MODES = 3;

/** What it plays: S16 little-endian in stereo. */
export const CARD_SOUND = { format: "s16le", rateHz: 48000, channels: 2 } as const;
const FRAME_BYTES = 4;
const ROUND_FRAMES = 480;
const ROUND_BYTES = ROUND_FRAMES * FRAME_BYTES;
export const ROUND_MS = ROUND_FRAMES * 1000 / CARD_SOUND.rateHz;

/** Some of what was heard. */
export interface Heard {
  /** When the first frame of it was, in milliseconds since the epoch. */
  readonly atMs: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Bytes that are read from a connection as they are wanted. */
class Input {
  #bytes = new Uint8Array(0);

  constructor(readonly connection: Deno.Conn) {}

  /** The next bytes; undefined when the other side has hung up. */
  async take(length: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    while (this.#bytes.length < length) {
      const more = new Uint8Array(65536);
      const count = await this.connection.read(more).catch(() => null);
      if (count === null) return undefined;
      const joined = new Uint8Array(this.#bytes.length + count);
      joined.set(this.#bytes);
      joined.set(more.subarray(0, count), this.#bytes.length);
      this.#bytes = joined;
    }
    const taken = this.#bytes.slice(0, length);
    this.#bytes = this.#bytes.subarray(length);
    return taken;
  }
}

/** The card. */
export class SndioCard implements Disposable {
  /** All that has been heard, a round at a time. */
  readonly heard: Heard[] = [];
  /** How long a round of it takes, in milliseconds. */
  roundMs = ROUND_MS;
  readonly #listener: Deno.UnixListener;
  readonly #connections = new Set<Deno.Conn>();

  /** @param path where its socket goes */
  constructor(path: string) {
    this.#listener = Deno.listen({ transport: "unix", path });
    this.#accept();
  }

  async #accept(): Promise<void> {
    try {
      for await (const connection of this.#listener) this.#serve(connection);
    } catch {
      // It has been closed.
    }
  }

  async #serve(connection: Deno.Conn): Promise<void> {
    this.#connections.add(connection);
    const player = new Player(connection, this);
    try {
      await player.serve();
    } catch {
      // The server has hung up while something was written to it.
    } finally {
      player.stop();
      this.#connections.delete(connection);
      try {
        connection.close();
      } catch {
        // It has been closed with the card.
      }
    }
  }

  /** What has been heard, all of it. */
  get bytes(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.heard.reduce((sum, { bytes }) => sum + bytes.length, 0));
    let at = 0;
    for (const { bytes } of this.heard) {
      all.set(bytes, at);
      at += bytes.length;
    }
    return all;
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const connection of this.#connections) connection.close();
  }
}

/** The card as one connection of the server's sees it. */
class Player {
  readonly #input: Input;
  readonly #queue: Uint8Array<ArrayBuffer>[] = [];
  #queuedBytes = 0;
  #parameters = new Uint8Array(MESSAGE_BYTES);
  #bufferFrames = 0;
  #records = false;
  #running = false;
  #playing = false;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(readonly connection: Deno.Conn, readonly card: SndioCard) {
    this.#input = new Input(connection);
  }

  async serve(): Promise<void> {
    for (;;) {
      const message = await this.#input.take(MESSAGE_BYTES);
      if (!message) return;
      const view = new DataView(message.buffer);
      switch (view.getUint32(0)) {
        case Message.HELLO:
          if ((view.getUint16(8) & SOUND_MODES) === 0) return; // it has no controls
          this.#records = (view.getUint16(8) & 2) !== 0;
          this.#send(Message.ACK);
          break;
        case Message.SETPAR:
          this.#parameters = message;
          break;
        case Message.GETPAR:
          this.#answerParameters();
          break;
        case Message.START:
          this.#running = true;
          this.#send(Message.FLOWCTL, this.#bufferFrames);
          break;
        case Message.DATA: {
          const bytes = await this.#input.take(view.getUint32(8));
          if (!bytes) return;
          this.#queue.push(bytes);
          this.#queuedBytes += bytes.length;
          if (this.#queuedBytes >= this.#bufferFrames * FRAME_BYTES) this.#play();
          break;
        }
        case Message.STOP:
          this.stop();
          this.#send(Message.STOP);
          break;
        case Message.BYE:
          return;
      }
    }
  }

  stop(): void {
    this.#running = false;
    this.#queue.length = this.#queuedBytes = 0;
  }

  // SETPAR and GETPAR have one layout.
  #answerParameters(): void {
    const view = new DataView(this.#parameters.buffer);
    view.setUint32(0, Message.GETPAR);
    this.#bufferFrames = Math.max(2, Math.round(view.getUint32(36 - 4) / ROUND_FRAMES)) *
      ROUND_FRAMES;
    view.setUint32(24, this.#bufferFrames);
    view.setUint32(28, ROUND_FRAMES);
    this.#write(this.#parameters.slice());
  }

  /** Moves a round whenever the time of one has passed. */
  async #play(): Promise<void> {
    if (this.#playing) return;
    this.#playing = true;
    const { roundMs, heard } = this.card;
    for (let atMs = epochMs();; atMs += roundMs) {
      await sleep(Math.max(0, atMs + roundMs - epochMs()));
      if (!this.#running) break;
      const bytes = this.#takeRound();
      if (bytes) {
        heard.push({ atMs, bytes });
        this.#send(Message.MOVE, ROUND_FRAMES);
        this.#send(Message.FLOWCTL, ROUND_FRAMES);
        if (this.#records) this.#send(Message.DATA, ROUND_BYTES, new Uint8Array(ROUND_BYTES));
      }
    }
    this.#playing = false;
  }

  /** The next round; undefined when the server is late. */
  #takeRound(): Uint8Array<ArrayBuffer> | undefined {
    if (this.#queuedBytes < ROUND_BYTES) return undefined;
    const round = new Uint8Array(ROUND_BYTES);
    let filled = 0;
    while (filled < ROUND_BYTES) {
      const first = this.#queue[0];
      const taken = first.subarray(0, ROUND_BYTES - filled);
      round.set(taken, filled);
      filled += taken.length;
      if (taken.length === first.length) this.#queue.shift();
      else this.#queue[0] = first.subarray(taken.length);
    }
    this.#queuedBytes -= ROUND_BYTES;
    return round;
  }

  #send(command: number, value = 0xffffffff, data?: Uint8Array): void {
    const bytes = new Uint8Array(MESSAGE_BYTES + (data?.length ?? 0)).fill(0xff);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, command);
    view.setUint32(8, value);
    if (data) bytes.set(data, MESSAGE_BYTES);
    this.#write(bytes);
  }

  #write(bytes: Uint8Array<ArrayBuffer>): void {
    this.#writing = this.#writing.then(async () => {
      for (let at = 0; at < bytes.length;) {
        at += await this.connection.write(bytes.subarray(at));
      }
    }).catch(() => {});
  }
}

function epochMs(): number {
  return performance.timeOrigin + performance.now();
}
