// A descriptor of /dev/fuse or /dev/cuse and the session behind it: one read is one request.

import { CURRENT_OFFSET, type FileCalls } from "../../ffi/file_calls.ts";
import {
  close,
  EAGAIN,
  EINTR,
  ENODEV,
  ENOENT,
  ENOTCONN,
  errnoName,
  lastErrno,
  read,
  SystemError,
  write,
} from "../../ffi/libc.ts";
import { REQUEST_BUFFER_BYTES, type Serving, Session } from "./session.ts";

/** The server's end of a connection to the kernel. */
export class Channel {
  readonly session: Session;

  /** Where requests are read into. */
  readonly buffer = new Uint8Array(REQUEST_BUFFER_BYTES);

  /** How answers are written: at once, until a loop takes that over. */
  write: (fd: number, buffer: Uint8Array<ArrayBuffer>, length: number) => void = (
    fd,
    buffer,
    length,
  ) => {
    if (write(fd, buffer, length) < 0) this.#warnOfAnswer(lastErrno());
  };

  /** How what may have to wait is written, by another thread; undefined where there is no way. */
  aside: FileCalls | undefined;

  readonly #view = new DataView(this.buffer.buffer);
  readonly #warnOfAnswer: (errno: number) => void;

  /**
   * @param fd a non-blocking descriptor, owned by the channel from here on
   * @param serving what the connection serves
   * @param warn takes one line about a request or an answer that went wrong
   */
  constructor(readonly fd: number, serving: Serving, warn: (message: string) => void) {
    this.#warnOfAnswer = (errno) => warnOfAnswer(errno, warn);
    this.session = new Session(serving, {
      warn,
      send: (buffer, length) => this.write(fd, buffer, length),
      canSendAside: () => this.aside !== undefined,
      sendAside: (buffer, length, onSent) =>
        this.aside!.write(fd, buffer, length, CURRENT_OFFSET, (result) => {
          if (result < 0) this.#warnOfAnswer(-result);
          onSent();
        }),
    });
  }

  /**
   * Serves the request that was read into `buffer`.
   *
   * @param result what read(2) returned, or -errno
   * @returns false when the connection has ended
   * @throws {SystemError} for an errno that the kernel's FUSE does not give
   */
  serve(result: number): boolean {
    if (result > 0) this.session.receive(this.buffer, this.#view, result);
    switch (result) {
      case 0:
      case -ENODEV: // unmounted
      case -ENOTCONN: // aborted
        return false;
      case -ENOENT: // interrupted while it was being read
      case -EAGAIN:
      case -EINTR:
        return true;
      default:
        if (result < 0) throw new SystemError(-result, "read", "FUSE connection");
        return true;
    }
  }

  /** Reads and serves one request, if there is one; false when the connection has ended. */
  readAndServe(): boolean {
    const length = read(this.fd, this.buffer, this.buffer.length);
    return this.serve(length < 0 ? -lastErrno() : length);
  }

  /** Ends the connection: whoever waits in the kernel gets an error. */
  close(): void {
    close(this.fd);
  }
}

/** Says what went wrong with an answer, if anything did. */
export function warnOfAnswer(errno: number, warn: (message: string) => void): void {
  // ENOENT: the request was interrupted and is gone. ENODEV, ENOTCONN: so is the connection, which
  // the next read will find.
  if (errno === ENOENT || errno === ENODEV || errno === ENOTCONN) return;
  warn(`answer: write: ${errnoName(errno)}`);
}
