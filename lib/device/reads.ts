// The read(2)s of one open dsp. As with a sound card's driver a read waits for all that it asked for;
// it gets less when a signal interrupts it, or when it may not wait.

import { EAGAIN, EINTR, EIO } from "../../ffi/libc.ts";
import type { OpenFile } from "../fuse/device.ts";
import type { Session } from "../fuse/session.ts";
import type { Capture } from "../oss/capture.ts";

interface WaitingRead {
  unique: number;
  /** What it has got so far; reused, so it may be longer than what was asked for. */
  bytes: Uint8Array<ArrayBuffer>;
  wanted: number;
  got: number;
}

/** Reads that are answered at once, and those that wait for sound, first come first served. */
export class Reads {
  readonly #session: Session;
  readonly #file: OpenFile;
  readonly #capture: Capture;
  readonly #waiting: WaitingRead[] = [];
  readonly #spare: WaitingRead[] = [];

  /** @param file whom the session tells of an interrupt of a read that waits */
  constructor(session: Session, file: OpenFile, capture: Capture) {
    this.#session = session;
    this.#file = file;
    this.#capture = capture;
  }

  /** Answers a read, or parks it if it may wait. */
  read(unique: number, size: number, mayWait: boolean): void {
    const session = this.#session;
    // Those that wait already come first.
    const got = this.#waiting.length > 0 ? 0 : this.#capture.read(session.data, 0, size);
    if (got < 0) session.replyError(unique, -got);
    else if (got === size || (got > 0 && !mayWait)) session.replyRead(unique, got);
    else if (!mayWait) session.replyError(unique, EAGAIN);
    else this.#park(unique, size, got);
  }

  #park(unique: number, wanted: number, got: number): void {
    this.#session.park(unique, this.#file);
    const read = this.#spare.pop() ?? { unique: 0, bytes: new Uint8Array(0), wanted: 0, got: 0 };
    if (read.bytes.length < wanted) read.bytes = new Uint8Array(wanted);
    read.bytes.set(this.#session.data.subarray(0, got));
    read.unique = unique;
    read.wanted = wanted;
    read.got = got;
    this.#waiting.push(read);
  }

  /** Goes on with those that wait, now that time has passed or the state has changed. */
  progress(): void {
    while (this.#waiting.length > 0) {
      const read = this.#waiting[0];
      const more = this.#capture.read(read.bytes, read.got, read.wanted - read.got);
      if (more >= 0) read.got += more;
      if (more >= 0 && read.got < read.wanted) return;
      this.#answer(this.#waiting.shift()!, -more);
    }
  }

  /** A signal: the read of this number, if it is one that waits, gets what there is. */
  interrupt(unique: number): void {
    const index = this.#waiting.findIndex((read) => read.unique === unique);
    if (index >= 0) this.#answer(this.#waiting.splice(index, 1)[0], EINTR);
  }

  /** Ends all that wait: the file closes. */
  abort(): void {
    for (const read of this.#waiting.splice(0)) this.#answer(read, EIO);
  }

  /** Answers with what the read has got, or with an errno if that is nothing. */
  #answer(read: WaitingRead, errno: number): void {
    const { unique, bytes, got } = read;
    this.#spare.push(read);
    if (got === 0) return this.#session.replyError(unique, errno);
    this.#session.data.set(bytes.subarray(0, got));
    this.#session.replyRead(unique, got);
  }
}
