// /dev/sndstat: a text that tells what there is and what it does, as it was when it was opened.

import { EACCES, ENOTTY, O_ACCMODE, O_RDONLY, POLLIN, POLLRDNORM } from "../../ffi/libc.ts";
import type { Caller, Device, OpenFile } from "../fuse/device.ts";
import type { Session } from "../fuse/session.ts";
import type { Cards } from "../oss/cards.ts";
import { sndstatText } from "../oss/sndstat.ts";
import { STATUS_JSON, statusOf } from "../oss/status.ts";
import { PlainFile } from "./plain_file.ts";
import type { TurnClock } from "./turn_clock.ts";

/** The status device. */
export class SndstatDevice implements Device {
  readonly mode = 0o444;
  // As the files of /proc: what it holds is known when it is opened.
  readonly bytes = 0;

  constructor(
    readonly name: string,
    readonly cards: Cards,
    readonly kernel: string,
    readonly clock: TurnClock,
  ) {}

  open(session: Session, _nodeid: number, _caller: Caller, flags: number): OpenFile | number {
    if ((flags & O_ACCMODE) !== O_RDONLY) return EACCES;
    this.clock.next();
    return new SndstatFile(session, this);
  }
}

class SndstatFile extends PlainFile {
  readonly seekable = true;
  readonly #device: SndstatDevice;
  #text: Uint8Array<ArrayBuffer>;
  /** Where the next read begins where the kernel does not say: of a character device. */
  #position = 0;

  constructor(session: Session, device: SndstatDevice) {
    super(session);
    this.#device = device;
    this.#text = new TextEncoder().encode(sndstatText(statusOf(device.cards), device.kernel));
  }

  override read(unique: number, size: number, _flags: number, offset: number): void {
    const at = this.session.tellsOffsets ? offset : this.#position;
    this.#position += this.#reply(unique, at, size);
  }

  override fill(unique: number, offset: number, size: number): void {
    this.#reply(unique, offset, size);
  }

  #reply(unique: number, at: number, size: number): number {
    const part = this.#text.subarray(at, at + size);
    this.session.data.set(part);
    this.session.replyRead(unique, part.length);
    return part.length;
  }

  override poll(unique: number, events: number): void {
    this.session.replyPoll(unique, events & (POLLIN | POLLRDNORM));
  }

  override ioctl(unique: number, command: number): void {
    if (command !== STATUS_JSON) return this.session.replyError(unique, ENOTTY);
    this.#device.clock.next();
    this.#text = new TextEncoder().encode(JSON.stringify(statusOf(this.#device.cards)));
    this.#position = 0;
    this.session.replyIoctl(unique, 0, 0);
  }
}
