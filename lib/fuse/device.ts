// What a session serves: a device that can be opened, and the file that an open makes of it.
// The session decodes requests and calls these; lib/device implements them.

import type { Session } from "./session.ts";

/** Who made a request, as the kernel says it; ids are those of the mount's namespaces. */
export interface Caller {
  /** The thread's id; 0 when it has none in the server's pid namespace. */
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** A device file that can be opened any number of times. */
export interface Device {
  /** Its name in the directory, e.g. "dsp". */
  readonly name: string;
  /** Who may do what with its file, as chmod(2) has it; everybody may read and write if not said. */
  readonly mode?: number;
  /** The size that its file of the folder is said to have; one that covers all writes if not said. */
  readonly bytes?: number;
  /**
   * Opens it.
   *
   * @param session where the file's answers go
   * @param nodeid the node that it is opened by, on the fuse front end an open's own
   * @param caller who opens; valid during the call only
   * @param flags the flags of open(2)
   * @returns the open file, or an errno as a positive number
   */
  open(session: Session, nodeid: number, caller: Caller, flags: number): OpenFile | number;
}

/** A device with its numbers. */
export interface CharacterDevice {
  readonly device: Device;
  /** Major 0 lets the kernel's CUSE choose. */
  readonly major: number;
  readonly minor: number;
}

/**
 * An open device file. Each method answers its request, known by `unique`, through one of the
 * session's reply methods, or parks it with `Session.park` and answers it later.
 */
export interface OpenFile {
  /**
   * Whether the kernel is to keep a page cache between programs and the file, so that kernels before
   * 6.6 map it. Then it cannot be read: a read(2) would look like a page of a mapping being filled.
   */
  readonly cached?: boolean;
  /** Whether what is read depends on where: a program may seek in it. */
  readonly seekable?: boolean;
  /**
   * read(2): fill at most `size` bytes of `session.data`, then `session.replyRead`.
   *
   * @param offset where it is to be read from, for a seekable file; 0 unless `session.tellsOffsets`
   */
  read(unique: number, size: number, flags: number, offset: number): void;
  /** A page of a mapping is to be filled: as `read`, with what the file holds from `offset` on. */
  fill(unique: number, offset: number, size: number): void;
  /** Pages that a program has changed in its mapping come back, for whatever reason. */
  absorb(offset: number, bytes: Uint8Array<ArrayBuffer>, start: number, length: number): void;
  /** write(2) of `bytes[start, start + length)`, valid during the call only. */
  write(
    unique: number,
    bytes: Uint8Array<ArrayBuffer>,
    start: number,
    length: number,
    flags: number,
  ): void;
  /**
   * ioctl(2): `session.argument` holds what the caller passed, zeros after `inSize` bytes; what it
   * holds when the request is answered goes back, up to `outSize` bytes.
   */
  ioctl(unique: number, command: number, inSize: number, outSize: number): void;
  /** poll(2): answer with the events ready now; if `notify`, later ones by `session.notifyPoll`. */
  poll(unique: number, events: number, kh: number, notify: boolean): void;
  /** close(2) of one descriptor of several, perhaps; made by `caller`, valid during the call only. */
  flush(unique: number, caller: Caller): void;
  /** fsync(2). */
  fsync(unique: number): void;
  /**
   * The last close. The file gets no request after this one.
   *
   * @param waits whether somebody sleeps until the answer
   */
  release(unique: number, waits: boolean): void;
  /** A signal interrupts a request that this file has parked: answer it now. */
  interrupt(unique: number): void;
}

/** Takes what a retrieval has found in the page cache of a node. */
export interface Retriever {
  /**
   * @param offset in the file
   * @param bytes the buffer that holds it, valid during the call only
   * @param start where in the buffer
   * @param length fewer bytes than were asked for where a page was not in the cache
   */
  onRetrieved(
    offset: number,
    bytes: Uint8Array<ArrayBuffer>,
    start: number,
    length: number,
  ): void;
}
