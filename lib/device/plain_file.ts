// An open device file of which nobody ever waits for anything, and which refuses what its kind does
// not say otherwise.

import { EINVAL, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "../../ffi/libc.ts";
import type { OpenFile } from "../fuse/device.ts";
import type { Session } from "../fuse/session.ts";

/** What a mixer and a status file have in common. */
export abstract class PlainFile implements OpenFile {
  constructor(protected readonly session: Session) {}

  abstract ioctl(unique: number, command: number, inSize: number, outSize: number): void;

  read(unique: number, _size: number, _flags: number, _offset: number): void {
    this.session.replyError(unique, EINVAL);
  }

  fill(unique: number, _offset: number, _size: number): void {
    this.session.replyError(unique, EINVAL);
  }

  /** There is nothing to map that could be written to. */
  absorb(): void {}

  write(unique: number): void {
    this.session.replyError(unique, EINVAL);
  }

  /** As the kernel's of a device that nobody waits for: nobody has to. */
  poll(unique: number, events: number, _kh: number, _notify: boolean): void {
    this.session.replyPoll(unique, events & (POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM));
  }

  flush(unique: number): void {
    this.session.replyEmpty(unique);
  }

  fsync(unique: number): void {
    this.session.replyEmpty(unique);
  }

  release(unique: number): void {
    this.session.replyEmpty(unique);
  }

  /** Nothing is ever parked here. */
  interrupt(_unique: number): void {}
}
