// One FUSE or CUSE connection: decodes what the kernel sends, checks it, hands it to the device
// files, and encodes their answers. It does no input or output of its own: bytes come in through
// `receive` and leave through the `send` it was given. Every request is answered exactly once, or
// parked by a file that answers it later.

import { EINVAL, EIO, ENODEV, ENOENT, ENOSYS, EPROTO } from "../../ffi/libc.ts";
import { getU64, setU64 } from "../struct.ts";
import * as abi from "./abi.ts";
import type { CharacterDevice, OpenFile, Retriever } from "./device.ts";
import type { Directory } from "./directory.ts";
import { onlyLooks } from "./looking.ts";
import type { Watcher } from "./watcher.ts";

const { Opcode, InHeader, OutHeader } = abi;

const OPCODE_NAMES = new Map<number, string>(
  Object.entries(Opcode).map(([name, number]) => [number, name]),
);

/** The most data bytes of one READ or WRITE. */
export const MAX_TRANSFER_BYTES = 128 * 1024;

/** A buffer for `receive` must hold this much: the kernel refuses smaller ones. */
export const REQUEST_BUFFER_BYTES = MAX_TRANSFER_BYTES + abi.FUSE_MIN_READ_BUFFER;

// ioctl numbers have 14 bits for the size of the argument (asm-generic/ioctl.h).
const MAX_IOCTL_BYTES = 1 << 14;

const BODY = OutHeader.$size;
const IOCTL_DATA = BODY + abi.IoctlOut.$size;

/** The smallest body of each request that has one: a shorter one is malformed. */
const BODY_BYTES = new Map<number, number>([
  [Opcode.FORGET, abi.ForgetIn.$size],
  [Opcode.GETATTR, abi.GetattrIn.$size],
  [Opcode.SETATTR, abi.SetattrIn.$size],
  [Opcode.OPEN, abi.OpenIn.$size],
  [Opcode.READ, abi.ReadIn.$size],
  [Opcode.WRITE, abi.WriteIn.$size],
  [Opcode.RELEASE, abi.ReleaseIn.$size],
  [Opcode.FSYNC, abi.FsyncIn.$size],
  [Opcode.FLUSH, abi.FlushIn.$size],
  [Opcode.INIT, abi.INIT_IN_SIZE_7_34],
  [Opcode.READDIR, abi.ReadIn.$size],
  [Opcode.CREATE, abi.CreateIn.$size],
  [Opcode.INTERRUPT, abi.InterruptIn.$size],
  [Opcode.IOCTL, abi.IoctlIn.$size],
  [Opcode.POLL, abi.PollIn.$size],
  [Opcode.NOTIFY_REPLY, abi.NotifyRetrieveIn.$size],
  [Opcode.BATCH_FORGET, abi.BatchForgetIn.$size],
  [Opcode.CUSE_INIT, abi.CuseInitIn.$size],
]);

// Parallel writes (Linux 6.2): or whoever writes beside a blocked write waits for a lock in the kernel,
// where no signal reaches it.
const OPEN_FLAGS = abi.FOPEN_DIRECT_IO | abi.FOPEN_NONSEEKABLE | abi.FOPEN_STREAM |
  abi.FOPEN_PARALLEL_DIRECT_WRITES;

// A file with a page cache: what direct I/O is not, is allowed to be mapped on any kernel.
const CACHED_OPEN_FLAGS = abi.FOPEN_NONSEEKABLE | abi.FOPEN_STREAM;

// Requests that the kernel expects no answer to.
const UNANSWERED: ReadonlySet<number> = new Set([
  Opcode.FORGET,
  Opcode.BATCH_FORGET,
  Opcode.INTERRUPT,
  Opcode.NOTIFY_REPLY,
]);

/** What a session serves: a mounted directory of devices, or one character device. */
export type Serving = { readonly directory: Directory } | CharacterDevice;

/** Where a session's answers and complaints go. */
export interface SessionOutlets {
  /** Takes `buffer[0, length)`, valid during the call only. */
  send(buffer: Uint8Array<ArrayBuffer>, length: number): void;
  /** Whether `sendAside` can be called. */
  canSendAside(): boolean;
  /**
   * Takes `buffer[0, length)`, which stays as it is until `onSent`, and sends it from a thread that
   * may wait; `onSent` is called though it could not be sent.
   */
  sendAside(buffer: Uint8Array<ArrayBuffer>, length: number, onSent: () => void): void;
  /** Takes one line about a request that could not be served as it came. */
  warn(message: string): void;
}

/** The server's side of one connection to the kernel. */
export class Session {
  /** Whether the kernel and the server have agreed on a protocol version. */
  ready = false;

  /**
   * How programs can map the device files: as they are, or only those that are `cached`, as on kernels
   * before 6.6; undefined if not at all, as on cuse.
   */
  mapping: "any" | "cached" | undefined;

  /** Sees who sleeps; undefined where nobody wants to know. */
  watcher: Watcher | undefined;

  /** Where an answer to READ is put before `replyRead`. */
  readonly data: Uint8Array<ArrayBuffer>;

  /** The argument of the ioctl being answered: what came in, then what goes out. */
  readonly argument: DataView<ArrayBuffer>;

  readonly #out = new Uint8Array(BODY + MAX_TRANSFER_BYTES);
  readonly #outView = new DataView(this.#out.buffer);
  readonly #argumentBytes: Uint8Array<ArrayBuffer>;
  readonly #notification = new Uint8Array(BODY + abi.NotifyRetrieveOut.$size);
  readonly #notificationView = new DataView(this.#notification.buffer);
  readonly #files = new Map<number, OpenFile>();
  readonly #parked = new Map<number, OpenFile>();
  readonly #spareStores: Uint8Array<ArrayBuffer>[] = [];
  readonly #retrievals = new Map<number, Retriever>();
  readonly #caller = { pid: 0, uid: 0, gid: 0 };
  readonly #directory: Directory | undefined;
  readonly #character: CharacterDevice | undefined;
  readonly #outlets: SessionOutlets;
  #nextFile = 1;
  #nextRetrieval = 1;
  /** Stores that are under way. */
  #stores = 0;
  /** The request being served, 0 once it is answered or parked. */
  #unanswered = 0;
  /** The kernel's handle of the file that was last polled. */
  #polled = 0;

  constructor(serving: Serving, outlets: SessionOutlets) {
    this.#directory = "directory" in serving ? serving.directory : undefined;
    this.#character = "directory" in serving ? undefined : serving;
    this.#outlets = outlets;
    this.data = new Uint8Array(this.#out.buffer, BODY, MAX_TRANSFER_BYTES);
    this.#argumentBytes = new Uint8Array(this.#out.buffer, IOCTL_DATA, MAX_IOCTL_BYTES);
    this.argument = new DataView(this.#out.buffer, IOCTL_DATA, MAX_IOCTL_BYTES);
  }

  /** The number of files that are open. */
  get openFiles(): number {
    return this.#files.size;
  }

  /** An open file by its handle. */
  file(handle: number): OpenFile | undefined {
    return this.#files.get(handle);
  }

  /** Whether reads say where: the kernel's CUSE says 0 of each. */
  get tellsOffsets(): boolean {
    return this.#character === undefined;
  }

  /** The inode number that programs see of a node's file; 0 on the cuse front end. */
  inode(nodeid: number): number {
    return this.#directory?.inode(nodeid) ?? 0;
  }

  /** The number of requests that wait for their answer. */
  get parkedRequests(): number {
    return this.#parked.size;
  }

  /** Whether the kernel owes no answer to a retrieval or a store. */
  get settled(): boolean {
    return this.#retrievals.size === 0 && this.#stores === 0;
  }

  /**
   * Serves one request.
   *
   * @param bytes the buffer that was read into
   * @param view the same memory
   * @param length how many bytes were read
   */
  receive(bytes: Uint8Array<ArrayBuffer>, view: DataView<ArrayBuffer>, length: number): void {
    if (length < InHeader.$size) {
      this.#outlets.warn(`request of ${length} bytes: shorter than its header`);
      return;
    }
    const opcode = view.getUint32(InHeader.opcode, true);
    const unique = getU64(view, InHeader.unique);
    const answered = !UNANSWERED.has(opcode);
    this.#unanswered = answered ? unique : 0;
    const bodyBytes = length - InHeader.$size;
    if (
      view.getUint32(InHeader.len, true) !== length || bodyBytes < (BODY_BYTES.get(opcode) ?? 0)
    ) {
      this.#outlets.warn(`${opcodeName(opcode)} request: malformed, ${length} bytes`);
      if (answered) this.replyError(unique, EINVAL);
      return;
    }
    this.#caller.pid = view.getUint32(InHeader.pid, true);
    this.#caller.uid = view.getUint32(InHeader.uid, true);
    this.#caller.gid = view.getUint32(InHeader.gid, true);
    try {
      this.#dispatch(opcode, unique, bytes, view, length);
    } catch (error) {
      // A bug of ours must not leave the caller hanging in the kernel.
      this.#outlets.warn(`${opcodeName(opcode)} request: ${(error as Error).stack ?? error}`);
    }
    if (this.#unanswered !== 0) {
      this.#outlets.warn(`${opcodeName(opcode)} request: left without an answer`);
      this.replyError(unique, EIO);
    }
  }

  #dispatch(
    opcode: number,
    unique: number,
    bytes: Uint8Array<ArrayBuffer>,
    view: DataView<ArrayBuffer>,
    length: number,
  ): void {
    const body = InHeader.$size;
    switch (opcode) {
      case Opcode.WRITE: {
        const file = this.#file(unique, view);
        if (!file) return;
        const size = view.getUint32(body + abi.WriteIn.size, true);
        const start = body + abi.WriteIn.$size;
        if (size > length - start) return this.#refuse(unique, opcode, `${size} bytes of data`);
        if (view.getUint32(body + abi.WriteIn.write_flags, true) & abi.FUSE_WRITE_CACHE) {
          file.absorb(getU64(view, body + abi.WriteIn.offset), bytes, start, size);
          return this.replyWrite(unique, size);
        }
        return file.write(
          unique,
          bytes,
          start,
          size,
          view.getUint32(body + abi.WriteIn.flags, true),
        );
      }
      case Opcode.READ: {
        const file = this.#file(unique, view);
        if (!file) return;
        const size = Math.min(view.getUint32(body + abi.ReadIn.size, true), MAX_TRANSFER_BYTES);
        const isCall = view.getUint32(body + abi.ReadIn.read_flags, true) & abi.FUSE_READ_LOCKOWNER;
        const offset = getU64(view, body + abi.ReadIn.offset);
        // A character device has no pages to fill.
        if (isCall || this.#character) {
          const flags = view.getUint32(body + abi.ReadIn.flags, true);
          return file.read(unique, size, flags, offset);
        }
        return file.fill(unique, offset, size);
      }
      case Opcode.NOTIFY_REPLY: {
        const start = body + abi.NotifyRetrieveIn.$size;
        const size = view.getUint32(body + abi.NotifyRetrieveIn.size, true);
        const offset = getU64(view, body + abi.NotifyRetrieveIn.offset);
        const retriever = this.#retrievals.get(unique);
        this.#retrievals.delete(unique);
        return retriever?.onRetrieved(offset, bytes, start, Math.min(size, length - start));
      }
      case Opcode.IOCTL: {
        const file = this.#file(unique, view);
        if (!file) return;
        const inSize = view.getUint32(body + abi.IoctlIn.in_size, true);
        const outSize = view.getUint32(body + abi.IoctlIn.out_size, true);
        const start = body + abi.IoctlIn.$size;
        if (inSize > length - start || Math.max(inSize, outSize) > MAX_IOCTL_BYTES) {
          return this.#refuse(unique, opcode, `${inSize} bytes in, ${outSize} out`);
        }
        const argument = this.#argumentBytes;
        for (let i = 0; i < inSize; i++) argument[i] = bytes[start + i];
        argument.fill(0, inSize, Math.max(inSize, outSize, 4));
        return file.ioctl(unique, view.getUint32(body + abi.IoctlIn.cmd, true), inSize, outSize);
      }
      case Opcode.POLL:
        this.#polled = getU64(view, body + abi.PollIn.kh);
        return this.#file(unique, view)?.poll(
          unique,
          view.getUint32(body + abi.PollIn.events, true),
          this.#polled,
          (view.getUint32(body + abi.PollIn.flags, true) & abi.FUSE_POLL_SCHEDULE_NOTIFY) !== 0,
        );
      case Opcode.FLUSH:
        return this.#file(unique, view)?.flush(unique, this.#caller);
      case Opcode.FSYNC:
        return this.#file(unique, view)?.fsync(unique);
      case Opcode.RELEASE: {
        const file = this.#file(unique, view);
        if (!file) return;
        this.#files.delete(getU64(view, body + abi.ReleaseIn.fh));
        // The kernel's CUSE waits for this answer in close(2); FUSE sends it behind the caller's back.
        return file.release(unique, this.#character !== undefined);
      }
      case Opcode.OPEN:
        return this.#open(unique, getU64(view, InHeader.nodeid), view.getUint32(body, true));
      case Opcode.INTERRUPT: {
        const target = getU64(view, body + abi.InterruptIn.unique);
        return this.#parked.get(target)?.interrupt(target);
      }
      case Opcode.INIT:
        return this.#init(unique, view);
      case Opcode.CUSE_INIT:
        return this.#cuseInit(unique, view);
      case Opcode.DESTROY:
        return this.replyEmpty(unique);
      default:
        return this.#dispatchDirectory(opcode, unique, bytes, view, length);
    }
  }

  #dispatchDirectory(
    opcode: number,
    unique: number,
    bytes: Uint8Array<ArrayBuffer>,
    view: DataView<ArrayBuffer>,
    length: number,
  ): void {
    const directory = this.#directory;
    if (!directory) {
      if (this.#unanswered !== 0) this.replyError(unique, ENOSYS);
      return;
    }
    const body = InHeader.$size;
    const nodeid = getU64(view, InHeader.nodeid);
    switch (opcode) {
      case Opcode.LOOKUP: {
        const looks = onlyLooks(this.#caller.pid);
        const child = directory.lookup(nodeid, nameAt(bytes, body, length), looks);
        if (child < 0) return this.replyError(unique, -child);
        directory.writeEntry(child, this.#outView, BODY);
        return this.#reply(unique, abi.EntryOut.$size);
      }
      case Opcode.CREATE: {
        // The kernel sends this only for names that its LOOKUP did not find.
        const name = nameAt(bytes, body + abi.CreateIn.$size, length);
        const child = directory.lookup(nodeid, name, false, true);
        if (child < 0) return this.replyError(unique, -child);
        const fh = this.#openFile(unique, child, view.getUint32(body + abi.CreateIn.flags, true));
        if (fh === 0) return directory.forget(child, 1);
        directory.writeEntry(child, this.#outView, BODY);
        this.#writeOpen(BODY + abi.EntryOut.$size, fh, this.#openFlags(fh));
        return this.#reply(unique, abi.EntryOut.$size + abi.OpenOut.$size);
      }
      case Opcode.FORGET:
        return directory.forget(nodeid, getU64(view, body));
      case Opcode.BATCH_FORGET: {
        const count = view.getUint32(body + abi.BatchForgetIn.count, true);
        let at = body + abi.BatchForgetIn.$size;
        for (let i = 0; i < count && at + abi.ForgetOne.$size <= length; i++) {
          directory.forget(
            getU64(view, at + abi.ForgetOne.nodeid),
            getU64(view, at + abi.ForgetOne.nlookup),
          );
          at += abi.ForgetOne.$size;
        }
        return;
      }
      case Opcode.GETATTR:
        // Read(2) of a file with a page cache asks for its attributes first, because of
        // FUSE_AUTO_INVAL_DATA, and nobody else asks for those of an open file.
        if (view.getUint32(body + abi.GetattrIn.getattr_flags, true) & abi.FUSE_GETATTR_FH) {
          const file = this.#files.get(getU64(view, body + abi.GetattrIn.fh));
          if (file?.cached) return this.replyError(unique, ENODEV);
        }
      // falls through
      case Opcode.SETATTR: // `> /dev/dsp` truncates; a device has no size, mode or time to change
        if (!directory.writeAttributes(nodeid, this.#outView, BODY)) {
          return this.replyError(unique, ENOENT);
        }
        return this.#reply(unique, abi.AttrOut.$size);
      case Opcode.OPENDIR:
        this.#writeOpen(BODY, 0, 0);
        return this.#reply(unique, abi.OpenOut.$size);
      case Opcode.READDIR: {
        const size = view.getUint32(body + abi.ReadIn.size, true);
        const offset = getU64(view, body + abi.ReadIn.offset);
        const limit = Math.min(size, MAX_TRANSFER_BYTES);
        return this.#reply(
          unique,
          directory.writeEntries(offset, this.data, this.#outView, BODY, limit),
        );
      }
      case Opcode.RELEASEDIR:
      case Opcode.ACCESS: // the mount has default_permissions: the kernel has checked the mode
        return this.replyEmpty(unique);
      case Opcode.STATFS:
        this.#out.fill(0, BODY, BODY + abi.Statfs.$size);
        this.#outView.setUint32(BODY + abi.Statfs.bsize, 4096, true);
        this.#outView.setUint32(BODY + abi.Statfs.frsize, 4096, true);
        this.#outView.setUint32(BODY + abi.Statfs.namelen, 255, true);
        return this.#reply(unique, abi.Statfs.$size);
      default:
        return this.replyError(unique, ENOSYS);
    }
  }

  // The fh is the first member of every request about an open file.
  #file(unique: number, view: DataView): OpenFile | undefined {
    const file = this.#files.get(getU64(view, InHeader.$size));
    // EBADF from the kernel's own table cannot reach here, so this is a request out of nowhere.
    if (!file) this.replyError(unique, EIO);
    return file;
  }

  #refuse(unique: number, opcode: number, why: string): void {
    this.#outlets.warn(`${opcodeName(opcode)} request: malformed, ${why}`);
    this.replyError(unique, EINVAL);
  }

  #open(unique: number, nodeid: number, flags: number): void {
    const fh = this.#openFile(unique, nodeid, flags);
    if (fh === 0) return;
    this.#writeOpen(BODY, fh, this.#openFlags(fh));
    this.#reply(unique, abi.OpenOut.$size);
  }

  /** Opens the device behind a node: the file's handle, or 0 when the request was refused. */
  #openFile(unique: number, nodeid: number, flags: number): number {
    const device = this.#character?.device ?? this.#directory?.device(nodeid);
    const file = device ? device.open(this, nodeid, this.#caller, flags) : ENOENT;
    if (typeof file === "number") {
      this.replyError(unique, file);
      return 0;
    }
    const fh = this.#nextFile++;
    this.#files.set(fh, file);
    return fh;
  }

  #openFlags(fh: number): number {
    const file = this.#files.get(fh);
    if (file?.seekable) return abi.FOPEN_DIRECT_IO;
    return file?.cached ? CACHED_OPEN_FLAGS : OPEN_FLAGS;
  }

  #writeOpen(at: number, fh: number, openFlags: number): void {
    setU64(this.#outView, at + abi.OpenOut.fh, fh);
    this.#outView.setUint32(at + abi.OpenOut.open_flags, openFlags, true);
    this.#outView.setUint32(at + abi.OpenOut.padding, 0, true);
  }

  #agree(unique: number, view: DataView): boolean {
    const body = InHeader.$size;
    const major = view.getUint32(body + abi.InitIn.major, true);
    const minor = view.getUint32(body + abi.InitIn.minor, true);
    if (major !== abi.FUSE_KERNEL_VERSION || minor < 31) {
      this.#outlets.warn(`the kernel speaks FUSE ${major}.${minor}; 7.31 (Linux 5.4) is needed`);
      this.replyError(unique, EPROTO);
      return false;
    }
    this.ready = true;
    return true;
  }

  #init(unique: number, view: DataView): void {
    if (!this.#directory || !this.#agree(unique, view)) return this.#refuseUnanswered(unique);
    const { InitIn, InitOut } = abi;
    const out = this.#outView;
    const offered = view.getUint32(InHeader.$size + InitIn.flags, true);
    // Without the extension, the second word is not part of the request.
    const offered2 = offered & abi.FUSE_INIT_EXT
      ? view.getUint32(InHeader.$size + InitIn.flags2, true)
      : 0;
    this.mapping = offered2 & abi.FLAGS2_DIRECT_IO_ALLOW_MMAP ? "any" : "cached";
    const extra = this.mapping === "cached" ? abi.FUSE_AUTO_INVAL_DATA : 0;
    this.#out.fill(0, BODY, BODY + InitOut.$size);
    out.setUint32(BODY + InitOut.major, abi.FUSE_KERNEL_VERSION, true);
    out.setUint32(BODY + InitOut.minor, abi.FUSE_KERNEL_MINOR_VERSION, true);
    out.setUint32(
      BODY + InitOut.flags,
      offered & (abi.FUSE_BIG_WRITES | abi.FUSE_INIT_EXT | extra),
      true,
    );
    out.setUint32(BODY + InitOut.flags2, offered2 & abi.FLAGS2_DIRECT_IO_ALLOW_MMAP, true);
    const readahead = view.getUint32(InHeader.$size + InitIn.max_readahead, true);
    out.setUint32(BODY + InitOut.max_readahead, Math.min(readahead, MAX_TRANSFER_BYTES), true);
    out.setUint32(BODY + InitOut.max_write, MAX_TRANSFER_BYTES, true);
    out.setUint32(BODY + InitOut.time_gran, 1, true);
    this.#reply(unique, InitOut.$size);
  }

  #cuseInit(unique: number, view: DataView): void {
    const character = this.#character;
    if (!character || !this.#agree(unique, view)) return this.#refuseUnanswered(unique);
    const { CuseInitOut } = abi;
    const out = this.#outView;
    this.#out.fill(0, BODY, BODY + CuseInitOut.$size);
    out.setUint32(BODY + CuseInitOut.major, abi.FUSE_KERNEL_VERSION, true);
    out.setUint32(BODY + CuseInitOut.minor, abi.FUSE_KERNEL_MINOR_VERSION, true);
    out.setUint32(BODY + CuseInitOut.max_read, MAX_TRANSFER_BYTES, true);
    out.setUint32(BODY + CuseInitOut.max_write, MAX_TRANSFER_BYTES, true);
    out.setUint32(BODY + CuseInitOut.dev_major, character.major, true);
    out.setUint32(BODY + CuseInitOut.dev_minor, character.minor, true);
    const { written } = new TextEncoder().encodeInto(
      `DEVNAME=${character.device.name}\0`,
      this.#out.subarray(BODY + CuseInitOut.$size),
    );
    this.#reply(unique, CuseInitOut.$size + written);
  }

  #refuseUnanswered(unique: number): void {
    if (this.#unanswered !== 0) this.replyError(unique, EINVAL);
  }

  /** Leaves a request to be answered later; `file.interrupt` is called if a signal comes before. */
  park(unique: number, file: OpenFile): void {
    this.#unanswered = 0;
    this.#parked.set(unique, file);
    this.watcher?.parked(unique, this.#caller.pid, () => file.interrupt(unique));
  }

  /** Answers with an error; `errno` is positive. */
  replyError(unique: number, errno: number): void {
    this.#send(unique, -errno, 0);
  }

  /** Answers a request that has nothing to say but success. */
  replyEmpty(unique: number): void {
    this.#send(unique, 0, 0);
  }

  /** Answers READ with the first `length` bytes of `data`. */
  replyRead(unique: number, length: number): void {
    this.#reply(unique, length);
  }

  /** Answers WRITE: `length` bytes were taken. */
  replyWrite(unique: number, length: number): void {
    this.#outView.setUint32(BODY + abi.WriteOut.size, length, true);
    this.#outView.setUint32(BODY + abi.WriteOut.padding, 0, true);
    this.#reply(unique, abi.WriteOut.$size);
  }

  /** Answers IOCTL with a result of 0 or more and the first `outSize` bytes of `argument`. */
  replyIoctl(unique: number, result: number, outSize: number): void {
    const out = this.#outView;
    out.setInt32(BODY + abi.IoctlOut.result, result, true);
    out.setUint32(BODY + abi.IoctlOut.flags, 0, true);
    out.setUint32(BODY + abi.IoctlOut.in_iovs, 0, true);
    out.setUint32(BODY + abi.IoctlOut.out_iovs, 0, true);
    this.#reply(unique, abi.IoctlOut.$size + outSize);
  }

  /** Answers POLL with the events that are ready. */
  replyPoll(unique: number, revents: number): void {
    this.#outView.setUint32(BODY + abi.PollOut.revents, revents, true);
    this.#outView.setUint32(BODY + abi.PollOut.padding, 0, true);
    this.#reply(unique, abi.PollOut.$size);
    this.watcher?.polled(this.#caller.pid, this.#polled, revents);
  }

  /** Tells the sleepers of a poll, known by its kernel handle, to ask again. */
  notifyPoll(kh: number): void {
    setU64(this.#notificationView, BODY + abi.NotifyPollWakeupOut.kh, kh);
    this.#notify(abi.NOTIFY_POLL, abi.NotifyPollWakeupOut.$size);
    this.watcher?.notified(kh);
  }

  /**
   * Asks for what the page cache of a node holds. The answer comes to `retriever`, in the order of
   * the questions; none comes for a node that is gone.
   *
   * @param size at most `MAX_TRANSFER_BYTES`
   */
  retrieve(nodeid: number, offset: number, size: number, retriever: Retriever): void {
    const unique = this.#nextRetrieval++;
    this.#retrievals.set(unique, retriever);
    const view = this.#notificationView;
    setU64(view, BODY + abi.NotifyRetrieveOut.notify_unique, unique);
    setU64(view, BODY + abi.NotifyRetrieveOut.nodeid, nodeid);
    setU64(view, BODY + abi.NotifyRetrieveOut.offset, offset);
    view.setUint32(BODY + abi.NotifyRetrieveOut.size, size, true);
    view.setUint32(BODY + abi.NotifyRetrieveOut.padding, 0, true);
    this.#notify(abi.NOTIFY_RETRIEVE, abi.NotifyRetrieveOut.$size);
  }

  /** Whether `store` can be called. */
  get canStore(): boolean {
    return this.mapping === "any" && this.#outlets.canSendAside();
  }

  /**
   * Changes what the page cache of a node holds. The kernel waits for the lock of each page, and
   * whoever fills a page holds it until we answer: so it is done aside.
   *
   * @param length at most `MAX_TRANSFER_BYTES` of `bytes` from `start` on, copied here
   * @param onStored called when programs that have mapped it see it, or never will
   */
  store(
    nodeid: number,
    offset: number,
    bytes: Uint8Array<ArrayBuffer>,
    start: number,
    length: number,
    onStored: () => void,
  ): void {
    const data = BODY + abi.NotifyStoreOut.$size;
    let message = this.#spareStores.pop();
    if (!message || message.length < data + length) message = new Uint8Array(data + length);
    const view = new DataView(message.buffer);
    setU64(view, BODY + abi.NotifyStoreOut.nodeid, nodeid);
    setU64(view, BODY + abi.NotifyStoreOut.offset, offset);
    view.setUint32(BODY + abi.NotifyStoreOut.size, length, true);
    view.setUint32(BODY + abi.NotifyStoreOut.padding, 0, true);
    message.set(bytes.subarray(start, start + length), data);
    writeNotifyHeader(view, abi.NOTIFY_STORE, data + length);
    this.#stores++;
    this.#outlets.sendAside(message, data + length, () => {
      this.#stores--;
      this.#spareStores.push(message);
      onStored();
    });
  }

  /** Forgets the retrievals of a file that closes. */
  cancelRetrievals(retriever: Retriever): void {
    for (const [unique, other] of this.#retrievals) {
      if (other === retriever) this.#retrievals.delete(unique);
    }
  }

  #notify(code: number, bodyBytes: number): void {
    const length = BODY + bodyBytes;
    writeNotifyHeader(this.#notificationView, code, length);
    this.#outlets.send(this.#notification, length);
  }

  #reply(unique: number, bodyBytes: number): void {
    this.#send(unique, 0, bodyBytes);
  }

  #send(unique: number, error: number, bodyBytes: number): void {
    if (unique === this.#unanswered) this.#unanswered = 0;
    else {
      this.#parked.delete(unique);
      this.watcher?.answered(unique);
    }
    const length = BODY + bodyBytes;
    const view = this.#outView;
    view.setUint32(OutHeader.len, length, true);
    view.setInt32(OutHeader.error, error, true);
    setU64(view, OutHeader.unique, unique);
    this.#outlets.send(this.#out, length);
  }
}

function writeNotifyHeader(view: DataView, code: number, length: number): void {
  view.setUint32(OutHeader.len, length, true);
  view.setInt32(OutHeader.error, code, true);
  setU64(view, OutHeader.unique, 0);
}

function opcodeName(opcode: number): string {
  return OPCODE_NAMES.get(opcode) ?? `opcode ${opcode}`;
}

const decoder = new TextDecoder();

/** The NUL-terminated name that starts at `start`, or what there is of it. */
function nameAt(bytes: Uint8Array<ArrayBuffer>, start: number, length: number): string {
  let end = start;
  while (end < length && bytes[end] !== 0) end++;
  return decoder.decode(bytes.subarray(start, end));
}
