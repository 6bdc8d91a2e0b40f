// System calls on files that are made when a test says so.

import { type FileCalls, HERE } from "../../ffi/file_calls.ts";
import { EINTR } from "../../ffi/libc.ts";

/** The real calls, each made by `next`; and what they return can be made less. */
export class Later implements FileCalls {
  readonly waiting: (() => void)[] = [];
  names: string[] = [];
  /** The most bytes of one read or write. */
  most = Infinity;
  /** Whether the next read or write is interrupted. */
  interrupts = false;

  open(...[path, flags, onResult]: Parameters<FileCalls["open"]>): void {
    this.names.push("open");
    this.waiting.push(() => HERE.open(path, flags, onResult));
  }

  read(...[fd, buffer, offset, onResult]: Parameters<FileCalls["read"]>): void {
    this.names.push(`read ${buffer.length} at ${offset}`);
    const rest = () => buffer.subarray(0, Math.min(buffer.length, this.most));
    this.#wait(onResult, () => HERE.read(fd, rest(), offset, onResult));
  }

  write(...[fd, buffer, length, offset, onResult]: Parameters<FileCalls["write"]>): void {
    this.names.push(`write ${length} at ${offset}`);
    const most = () => Math.min(length, this.most);
    this.#wait(onResult, () => HERE.write(fd, buffer, most(), offset, onResult));
  }

  #wait(onResult: (result: number) => void, call: () => void): void {
    this.waiting.push(() => {
      if (!this.interrupts) return call();
      this.interrupts = false;
      onResult(-EINTR);
    });
  }

  close(fd: number): void {
    this.names.push("close");
    this.waiting.push(() => HERE.close(fd));
  }

  next(): void {
    this.waiting.shift()!();
  }

  all(): void {
    while (this.waiting.length > 0) this.next();
  }
}
