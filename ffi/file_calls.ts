// System calls that may have to wait, for a disk or for a lock, in a form that lets another thread make
// them: what they return is handed on when it is known.

import { close, EINTR, lastErrno, open, pread, pwrite, SystemError, write } from "./libc.ts";

/** The offset of a write where the file is, as write(2) has it. */
export const CURRENT_OFFSET = -1;

/** Calls on files. `onResult` gets what the system call returns, or -errno. */
export interface FileCalls {
  /** open(2), with O_CLOEXEC added and mode 0666. */
  open(path: string, flags: number, onResult: (result: number) => void): void;
  /** pread(2) of `buffer`, which nobody looks at until the result comes. */
  read(
    fd: number,
    buffer: Uint8Array<ArrayBuffer>,
    offset: number,
    onResult: (result: number) => void,
  ): void;
  /**
   * write(2) of `buffer[0, length)`, or pwrite(2) at an `offset` that is not CURRENT_OFFSET. The buffer
   * stays as it is until the result comes.
   */
  write(
    fd: number,
    buffer: Uint8Array<ArrayBuffer>,
    length: number,
    offset: number,
    onResult: (result: number) => void,
  ): void;
  /** close(2), whose result nobody needs. */
  close(fd: number): void;
}

/** What a call returns in the end, or -errno. */
function uninterrupted(call: () => number): number {
  for (;;) {
    const result = call();
    if (result >= 0) return result;
    const errno = lastErrno();
    if (errno !== EINTR) return -errno;
  }
}

/** The calls made here and now: `onResult` is called before they return. */
export const HERE: FileCalls = {
  open(path, flags, onResult) {
    let result;
    try {
      result = open(path, flags);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      result = -error.errno;
    }
    onResult(result);
  },

  read(fd, buffer, offset, onResult) {
    onResult(uninterrupted(() => pread(fd, buffer, buffer.length, offset)));
  },

  write(fd, buffer, length, offset, onResult) {
    onResult(
      uninterrupted(() =>
        offset === CURRENT_OFFSET ? write(fd, buffer, length) : pwrite(fd, buffer, length, offset)
      ),
    );
  },

  close,
};
