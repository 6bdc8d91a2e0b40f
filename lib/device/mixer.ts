// /dev/mixer: requests on a device file become calls on a mixer. Nothing here ever waits.

import { EINVAL } from "../../ffi/libc.ts";
import type { Caller, Device, OpenFile } from "../fuse/device.ts";
import type { Session } from "../fuse/session.ts";
import { MIXER_CALLS, unknownCall } from "../oss/calls.ts";
import type { Cards } from "../oss/cards.ts";
import type { Mixer } from "../oss/mixer.ts";

/** A mixer device. */
export class MixerDevice implements Device {
  constructor(readonly name: string, readonly mixer: Mixer, readonly cards: Cards) {}

  open(session: Session, _nodeid: number, _caller: Caller, _flags: number): OpenFile {
    return new MixerFile(session, this);
  }
}

class MixerFile implements OpenFile {
  readonly #session: Session;
  readonly mixer: Mixer;
  readonly cards: Cards;

  constructor(session: Session, { mixer, cards }: MixerDevice) {
    this.#session = session;
    this.mixer = mixer;
    this.cards = cards;
  }

  ioctl(unique: number, command: number, _inSize: number, outSize: number): void {
    const call = MIXER_CALLS.get(command);
    if (!call) return this.#session.replyError(unique, unknownCall(command));
    const result = call.run(this, this.#session.argument);
    if (result < 0) this.#session.replyError(unique, -result);
    else this.#session.replyIoctl(unique, result, outSize);
  }

  read(unique: number): void {
    this.#session.replyError(unique, EINVAL);
  }

  fill(unique: number): void {
    this.#session.replyError(unique, EINVAL);
  }

  /** A mixer has nothing to map. */
  absorb(): void {}

  write(unique: number): void {
    this.#session.replyError(unique, EINVAL);
  }

  poll(unique: number): void {
    this.#session.replyPoll(unique, 0);
  }

  flush(unique: number): void {
    this.#session.replyEmpty(unique);
  }

  fsync(unique: number): void {
    this.#session.replyEmpty(unique);
  }

  release(unique: number): void {
    this.#session.replyEmpty(unique);
  }

  /** Nothing is ever parked here. */
  interrupt(): void {}
}
