// An open device file of which nobody ever waits for anything, and which refuses what its kind does
// not say otherwise.

import { EINVAL } from "../../ffi/libc.ts";
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

  poll(unique: number, _events: number): void {
    this.session.replyPoll(unique, 0);
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
  interrupt(): void {}
}
