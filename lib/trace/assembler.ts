// Makes the calls of programs out of the messages that the kernel and the devices have exchanged: a
// request and its answer are one call, so are the requests of a poll(2) that sleeps, and FLUSH and
// RELEASE are a close(2).

import { O_NONBLOCK } from "../../ffi/libc.ts";
import * as abi from "../fuse/abi.ts";
import { callNamed, DSP_CALLS } from "../oss/calls.ts";
import { getU64 } from "../struct.ts";
import { RecordHead, RecordKind } from "./record.ts";
import type { Request, TracedCall, TracedFile, TracedStream, Transfer } from "./traced_call.ts";

const { InHeader, Opcode, OutHeader } = abi;

/** Who is told of calls as they begin and end. */
export interface CallListener {
  began(call: TracedCall): void;
  ended(call: TracedCall): void;
  /** So many calls are not in the trace here. */
  lost(count: number): void;
}

/** What is known of one connection to the kernel. */
class Connection {
  readonly files = new Map<number, OpenedFile>();
  /** The calls that have no answer yet, by their request's number. */
  readonly asked = new Map<number, Asked>();
}

class OpenedFile {
  /** The last FLUSH: a close(2) if nothing else follows on the file. */
  flush: TracedCall | undefined;
  /** The poll(2)s that sleep, by thread. */
  readonly polls = new Map<number, TracedCall>();
  /** SNDCTL_DSP_NONBLOCK has been called. */
  neverWaits = false;

  constructor(readonly file: TracedFile) {}
}

interface Asked {
  readonly opcode: number;
  readonly call: TracedCall;
  readonly handle: number;
  readonly opened: OpenedFile;
}

const NONBLOCK = callNamed(DSP_CALLS, "SNDCTL_DSP_NONBLOCK")!.command;

const NO_BYTES = new Uint8Array(0);

/** Puts calls together from records. */
export class Assembler {
  readonly #listener: CallListener;
  readonly #connections: Connection[] = [];
  readonly #decoder = new TextDecoder();
  #lost = 0;

  constructor(listener: CallListener) {
    this.#listener = listener;
  }

  /** Takes the next record, which is the caller's no more. */
  take(record: Uint8Array<ArrayBuffer>): void {
    const view = new DataView(record.buffer, record.byteOffset, record.length);
    const lost = view.getUint32(RecordHead.lost, true);
    if (lost !== this.#lost) this.#listener.lost(lost - this.#lost);
    this.#lost = lost;
    const connection = this.#connections[view.getUint32(RecordHead.connection, true)] ??=
      new Connection();
    const timeMs = view.getFloat64(RecordHead.time, true);
    const messageBytes = view.getUint32(RecordHead.message_bytes, true);
    const message = record.subarray(RecordHead.$size, RecordHead.$size + messageBytes);
    if (view.getUint32(RecordHead.kind, true) === RecordKind.ANSWER) {
      return this.#answer(connection, message, timeMs);
    }
    const stream: TracedStream = {
      fragmentBytes: view.getUint32(RecordHead.fragment_bytes, true),
      bufferBytes: view.getUint32(RecordHead.buffer_bytes, true),
      bytesPerSecond: view.getUint32(RecordHead.bytes_per_second, true),
    };
    const text = this.#decoder.decode(record.subarray(RecordHead.$size + messageBytes));
    this.#request(connection, message, { timeMs, stream, text });
  }

  #request(
    connection: Connection,
    message: Uint8Array<ArrayBuffer>,
    { timeMs, stream, text }: { timeMs: number; stream: TracedStream; text: string },
  ): void {
    const view = new DataView(message.buffer, message.byteOffset, message.length);
    const opcode = view.getUint32(InHeader.opcode, true);
    const body = InHeader.$size;
    if (opcode === Opcode.INTERRUPT) {
      const target = connection.asked.get(getU64(view, body + abi.InterruptIn.unique));
      if (target) target.call.interrupted = true;
      return;
    }
    const handle = opcode === Opcode.OPEN ? 0 : getU64(view, body);
    const opened = opcode === Opcode.OPEN
      ? new OpenedFile(openedFile(view.getUint32(body + abi.OpenIn.flags, true), text))
      : connection.files.get(handle);
    if (!opened) return; // its open has been lost, and was counted
    const call: TracedCall = {
      file: opened.file,
      pid: view.getUint32(InHeader.pid, true),
      stream,
      request: requestOf(opcode, message, view, opened.neverWaits),
      startMs: timeMs,
      endMs: NaN,
      result: 0,
      interrupted: false,
    };
    connection.asked.set(getU64(view, InHeader.unique), { opcode, call, handle, opened });
    if (opcode === Opcode.RELEASE || opcode === Opcode.FLUSH) return;
    this.#endFlush(opened);
    // Who has slept in poll(2) asks once more, because of an event or because the time is over.
    if (call.request.kind === "poll" && opened.polls.has(call.pid)) return;
    this.#endPoll(opened, call.pid, 0, timeMs);
    this.#listener.began(call);
  }

  /** A FLUSH that another call follows was that of a descriptor of several. */
  #endFlush(opened: OpenedFile): void {
    const { flush } = opened;
    if (!flush) return;
    opened.flush = undefined;
    this.#listener.began(flush);
    this.#listener.ended(flush);
  }

  #endPoll(opened: OpenedFile, pid: number, revents: number, endMs: number): void {
    const call = opened.polls.get(pid);
    if (call?.request.kind !== "poll") return;
    opened.polls.delete(pid);
    call.request.revents = revents;
    this.#end(call, endMs, 0);
  }

  #end(call: TracedCall, endMs: number, result: number): void {
    call.endMs = endMs;
    call.result = result;
    this.#listener.ended(call);
  }

  #answer(connection: Connection, message: Uint8Array<ArrayBuffer>, endMs: number): void {
    const view = new DataView(message.buffer, message.byteOffset, message.length);
    const unique = getU64(view, OutHeader.unique);
    const asked = connection.asked.get(unique);
    if (!asked) return;
    connection.asked.delete(unique);
    const { opcode, call, handle, opened } = asked;
    const error = view.getInt32(OutHeader.error, true);
    const body = OutHeader.$size;
    const { request } = call;
    switch (opcode) {
      case Opcode.OPEN:
        if (error === 0) connection.files.set(getU64(view, body + abi.OpenOut.fh), opened);
        return this.#end(call, endMs, error);
      case Opcode.READ: // the data was not kept, but their length is in the header
        return this.#end(call, endMs, error || view.getUint32(OutHeader.len, true) - body);
      case Opcode.WRITE:
        return this.#end(call, endMs, error || view.getUint32(body + abi.WriteOut.size, true));
      case Opcode.IOCTL: {
        const data = body + abi.IoctlOut.$size;
        if (request.kind === "ioctl" && error === 0) {
          request.output = message.subarray(data);
          opened.neverWaits ||= request.command === NONBLOCK;
        }
        return this.#end(call, endMs, error || view.getInt32(body + abi.IoctlOut.result, true));
      }
      case Opcode.POLL:
        return this.#polled(opened, call, error, error ? 0 : view.getUint32(body, true), endMs);
      case Opcode.FLUSH:
        call.endMs = endMs;
        call.result = error;
        this.#endFlush(opened);
        opened.flush = call;
        return;
      case Opcode.RELEASE:
        connection.files.delete(handle);
        for (const pid of [...opened.polls.keys()]) this.#endPoll(opened, pid, 0, endMs);
        return this.#closed(call, opened, endMs);
      default:
        return this.#end(call, endMs, error);
    }
  }

  #polled(
    opened: OpenedFile,
    call: TracedCall,
    error: number,
    revents: number,
    endMs: number,
  ): void {
    if (call.request.kind !== "poll") return;
    if (opened.polls.has(call.pid)) return this.#endPoll(opened, call.pid, revents, endMs);
    if (call.request.slept && revents === 0 && error === 0) {
      opened.polls.set(call.pid, call);
      return;
    }
    call.request.revents = revents;
    this.#end(call, endMs, error);
  }

  /** The last close(2): on fuse it was the FLUSH that waited for the sound. */
  #closed(release: TracedCall, { flush, file }: OpenedFile, endMs: number): void {
    const call: TracedCall = {
      ...release,
      file,
      pid: flush?.pid ?? release.pid,
      startMs: flush?.startMs ?? release.startMs,
    };
    this.#listener.began(call);
    this.#end(call, endMs, flush?.result ?? 0);
  }
}

function openedFile(flags: number, text: string): TracedFile {
  const [device, kind, process, name] = text.split("\0");
  // A program calls itself what it likes.
  const command = name.replaceAll(/\p{C}/gu, "?");
  return { device, kind, flags, process: Number(process), command };
}

function requestOf(
  opcode: number,
  message: Uint8Array<ArrayBuffer>,
  view: DataView,
  neverWaits: boolean,
): Request {
  const body = InHeader.$size;
  switch (opcode) {
    case Opcode.OPEN:
      return { kind: "open" };
    case Opcode.READ: {
      const length = view.getUint32(body + abi.ReadIn.size, true);
      const flags = view.getUint32(body + abi.ReadIn.read_flags, true);
      // A character device has no node, and no pages to fill.
      if (flags & abi.FUSE_READ_LOCKOWNER || getU64(view, InHeader.nodeid) === 0) {
        return { kind: "read", ...transfer(length, view, abi.ReadIn.flags, neverWaits) };
      }
      return { kind: "touch", offset: getU64(view, body + abi.ReadIn.offset), length };
    }
    case Opcode.WRITE: {
      const length = view.getUint32(body + abi.WriteIn.size, true);
      const data = message.subarray(body + abi.WriteIn.$size);
      return {
        kind: "write",
        ...transfer(length, view, abi.WriteIn.flags, neverWaits),
        data: data.length === length ? data : undefined,
      };
    }
    case Opcode.IOCTL:
      return {
        kind: "ioctl",
        command: view.getUint32(body + abi.IoctlIn.cmd, true),
        input: message.subarray(body + abi.IoctlIn.$size),
        output: NO_BYTES,
      };
    case Opcode.POLL: {
      const flags = view.getUint32(body + abi.PollIn.flags, true);
      return {
        kind: "poll",
        events: view.getUint32(body + abi.PollIn.events, true),
        revents: 0,
        slept: (flags & abi.FUSE_POLL_SCHEDULE_NOTIFY) !== 0,
      };
    }
    case Opcode.FLUSH:
      return { kind: "flush" };
    case Opcode.FSYNC:
      return { kind: "fsync" };
    default:
      return { kind: "close" };
  }
}

function transfer(length: number, view: DataView, flagsAt: number, neverWaits: boolean): Transfer {
  const flagged = (view.getUint32(InHeader.$size + flagsAt, true) & O_NONBLOCK) !== 0;
  return { length, flagged, nonblocking: flagged || neverWaits };
}
