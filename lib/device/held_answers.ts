// Answers to ioctls that must not overtake what a mapping is being shown: a pointer tells of sound
// that the program then looks for in its memory.

import type { OpenFile } from "../fuse/device.ts";
import type { Session } from "../fuse/session.ts";

// No OSS argument that tells of a mapping is longer.
const MAX_ARGUMENT_BYTES = 16;

interface HeldAnswer {
  readonly unique: number;
  readonly result: number;
  readonly outSize: number;
  readonly argument: Uint8Array<ArrayBuffer>;
}

/** Answers that wait, in the order of their requests. */
export class HeldAnswers {
  readonly #session: Session;
  readonly #file: OpenFile;
  readonly #held: HeldAnswer[] = [];

  /** @param file whom the session tells of an interrupt of a request whose answer is held */
  constructor(session: Session, file: OpenFile) {
    this.#session = session;
    this.#file = file;
  }

  /** Keeps the answer that is in the session's argument; false when it is too long to be kept. */
  hold(unique: number, result: number, outSize: number): boolean {
    if (outSize > MAX_ARGUMENT_BYTES) return false;
    const { buffer, byteOffset } = this.#session.argument;
    const argument = new Uint8Array(buffer, byteOffset, outSize).slice();
    this.#session.park(unique, this.#file);
    this.#held.push({ unique, result, outSize, argument });
    return true;
  }

  /** Sends all: the program sees what they tell of, or nobody waits for it any more. */
  release(): void {
    for (const answer of this.#held.splice(0)) this.#send(answer);
  }

  /** A signal: the answer to this request, if it is held, does not wait any longer. */
  interrupt(unique: number): void {
    const index = this.#held.findIndex((answer) => answer.unique === unique);
    if (index >= 0) this.#send(this.#held.splice(index, 1)[0]);
  }

  #send({ unique, result, outSize, argument }: HeldAnswer): void {
    const { buffer, byteOffset } = this.#session.argument;
    new Uint8Array(buffer, byteOffset, outSize).set(argument);
    this.#session.replyIoctl(unique, result, outSize);
  }
}
