// A descriptor of /dev/fuse or /dev/cuse and the session behind it: one read is one request.

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
import { REQUEST_BUFFER_BYTES, type Served, Session } from "./session.ts";

/** The server's end of a connection to the kernel. */
export class Channel {
  readonly session: Session;
  readonly #request = new Uint8Array(REQUEST_BUFFER_BYTES);
  readonly #view = new DataView(this.#request.buffer);

  /**
   * @param fd a non-blocking descriptor, owned by the channel from here on
   * @param served what the connection serves
   * @param warn takes one line about a request or an answer that went wrong
   */
  constructor(readonly fd: number, served: Served, warn: (message: string) => void) {
    this.session = new Session(served, {
      warn,
      send(buffer, length) {
        if (write(fd, buffer, length) === length) return;
        const errno = lastErrno();
        // ENOENT: the request was interrupted and is gone. ENODEV, ENOTCONN: so is the connection,
        // which the next read will find.
        if (errno !== ENOENT && errno !== ENODEV && errno !== ENOTCONN) {
          warn(`answer of ${length} bytes: write: ${errnoName(errno)}`);
        }
      },
    });
  }

  /** Reads and serves one request, if there is one; false when the connection has ended. */
  serve(): boolean {
    const length = read(this.fd, this.#request, REQUEST_BUFFER_BYTES);
    if (length > 0) {
      this.session.receive(this.#request, this.#view, length);
      return true;
    }
    if (length === 0) return false;
    const errno = lastErrno();
    // ENOENT: the request was interrupted while it was being read.
    if (errno === EAGAIN || errno === EINTR || errno === ENOENT) return true;
    if (errno === ENODEV || errno === ENOTCONN) return false; // unmounted, or aborted
    throw new SystemError(errno, "read", "FUSE connection");
  }

  /** Ends the connection: whoever waits in the kernel gets an error. */
  close(): void {
    close(this.fd);
  }
}
