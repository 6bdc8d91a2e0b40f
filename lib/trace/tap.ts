// The data plane's end of a trace: sees every message between the kernel and the devices pass, and
// copies those that programs have caused into memory that the control plane reads. It never waits;
// what does not fit is counted. There is none when nothing is traced.

import { ProcessClient } from "../device/client.ts";
import { DspFile } from "../device/dsp.ts";
import { MixerDevice } from "../device/mixer.ts";
import * as abi from "../fuse/abi.ts";
import type { Channel } from "../fuse/channel.ts";
import type { Device, OpenFile } from "../fuse/device.ts";
import { getU64 } from "../struct.ts";
import { RecordHead, RecordKind } from "./record.ts";
import { RecordRing } from "./record_ring.ts";

const { InHeader, Opcode, OutHeader } = abi;

/** The calls of programs, and the bytes that each request has at least: the rest is data. */
const LEAST_BYTES = new Map<number, number>([
  [Opcode.OPEN, abi.OpenIn.$size],
  [Opcode.READ, abi.ReadIn.$size],
  [Opcode.WRITE, abi.WriteIn.$size],
  [Opcode.IOCTL, abi.IoctlIn.$size],
  [Opcode.POLL, abi.PollIn.$size],
  [Opcode.FLUSH, abi.FlushIn.$size],
  [Opcode.FSYNC, abi.FsyncIn.$size],
  [Opcode.RELEASE, abi.ReleaseIn.$size],
  [Opcode.INTERRUPT, abi.InterruptIn.$size],
]);

// A name in /dev, a number and a program's name.
const MAX_TEXT_BYTES = 512;

// ioctl numbers have 14 bits for the size of the argument.
const MAX_ANSWER_BYTES = OutHeader.$size + abi.IoctlOut.$size + (1 << 14);

/** The room that an answer takes, wherever it comes to lie. */
function roomFor(answerBytes: number): number {
  return RecordHead.$size + answerBytes + 8;
}

/** What is traced, and where it goes: one for all connections to the kernel. */
export interface TraceTarget {
  readonly memory: SharedArrayBuffer;
  /** Whether what programs write is kept too, and not its length alone. */
  readonly keepsData: boolean;
}

/** The records of all connections. */
export class TapRecords {
  readonly #ring: RecordRing;
  readonly #now: () => number;
  readonly #encoder = new TextEncoder();
  readonly #text = new Uint8Array(MAX_TEXT_BYTES);
  /** Room that is kept for answers to requests that are in the ring. */
  #owedBytes = 0;
  #lost = 0;

  /** @param now the time in milliseconds */
  constructor(readonly target: TraceTarget, now: () => number) {
    this.#ring = new RecordRing(target.memory);
    this.#now = now;
  }

  /**
   * Keeps a request, if there is room for it and its answer.
   *
   * @param messageBytes how much of `message` to keep
   * @param text who opens what, for an OPEN
   * @param answerBytes the most bytes of its answer
   */
  request(
    connection: number,
    message: Uint8Array,
    messageBytes: number,
    file: OpenFile | undefined,
    text: string,
    answerBytes: number,
  ): boolean {
    const owed = answerBytes === 0 ? 0 : roomFor(answerBytes);
    const { written } = this.#encoder.encodeInto(text, this.#text);
    const length = RecordHead.$size + messageBytes + written;
    // Where the memory ends, one answer at most leaves its own length unused.
    const spare = this.#owedBytes + owed + roomFor(MAX_ANSWER_BYTES);
    const at = this.#ring.reserve(length, spare);
    if (at < 0) {
      if (answerBytes > 0) this.#lost++;
      return false;
    }
    this.#owedBytes += owed;
    this.#head(at, RecordKind.REQUEST, connection, file);
    this.#copy(at, message, messageBytes);
    const { view, bytes } = this.#ring;
    view.setUint32(at + RecordHead.text_bytes, written, true);
    for (let i = 0; i < written; i++) {
      bytes[at + RecordHead.$size + messageBytes + i] = this.#text[i];
    }
    this.#ring.commit(at, length);
    return true;
  }

  /**
   * Keeps the answer to a request that was kept.
   *
   * @param mostBytes what was said of it then; no more of it is kept
   */
  answer(connection: number, message: Uint8Array, length: number, mostBytes: number): void {
    this.#owedBytes -= roomFor(mostBytes);
    const messageBytes = Math.min(length, mostBytes);
    const at = this.#ring.reserve(RecordHead.$size + messageBytes, 0);
    this.#head(at, RecordKind.ANSWER, connection, undefined);
    this.#copy(at, message, messageBytes);
    this.#ring.view.setUint32(at + RecordHead.text_bytes, 0, true);
    this.#ring.commit(at, RecordHead.$size + messageBytes);
  }

  #head(at: number, kind: number, connection: number, file: OpenFile | undefined): void {
    const { view } = this.#ring;
    const parameters = file instanceof DspFile ? file.dsp.parameters : undefined;
    view.setUint32(at + RecordHead.kind, kind, true);
    view.setFloat64(at + RecordHead.time, this.#now(), true);
    view.setUint32(at + RecordHead.connection, connection, true);
    view.setUint32(at + RecordHead.lost, this.#lost, true);
    view.setUint32(at + RecordHead.fragment_bytes, parameters?.fragmentBytes ?? 0, true);
    view.setUint32(at + RecordHead.buffer_bytes, parameters?.bufferBytes ?? 0, true);
    view.setUint32(at + RecordHead.bytes_per_second, parameters?.bytesPerSecond ?? 0, true);
  }

  #copy(at: number, message: Uint8Array, messageBytes: number): void {
    const { view, bytes } = this.#ring;
    view.setUint32(at + RecordHead.message_bytes, messageBytes, true);
    const from = at + RecordHead.$size;
    if (messageBytes > 256) bytes.set(message.subarray(0, messageBytes), from);
    else for (let i = 0; i < messageBytes; i++) bytes[from + i] = message[i];
  }
}

/** The messages of one connection to the kernel. */
export class Tap {
  readonly #records: TapRecords;
  readonly #connection: number;
  readonly #deviceOf: (nodeid: number) => Device | undefined;
  readonly #fileOf: (handle: number) => OpenFile | undefined;
  /** The requests that have been kept, by number: the most bytes of each one's answer. */
  readonly #asked = new Map<number, number>();
  /** The buffer that the last answer was in, and a view of it. */
  #answer: Uint8Array | undefined;
  #answerView = new DataView(new ArrayBuffer(OutHeader.$size));

  /**
   * @param connection a number that no other connection has
   * @param deviceOf the device behind a node
   * @param fileOf an open file by its handle
   */
  constructor(
    records: TapRecords,
    connection: number,
    deviceOf: (nodeid: number) => Device | undefined,
    fileOf: (handle: number) => OpenFile | undefined,
  ) {
    this.#records = records;
    this.#connection = connection;
    this.#deviceOf = deviceOf;
    this.#fileOf = fileOf;
  }

  /** Puts itself between a channel and who reads its requests and writes its answers. */
  into(channel: Channel, reader: { onRead(result: number): void }): void {
    const { onRead } = reader;
    const { buffer, write } = channel;
    const view = new DataView(buffer.buffer);
    reader.onRead = (result) => {
      if (result > 0) this.request(buffer, view, result);
      onRead(result);
    };
    channel.write = (fd, answer, length) => {
      this.answer(answer, length);
      write(fd, answer, length);
    };
  }

  /** A request has been read into `bytes[0, length)`, and is about to be served. */
  request(bytes: Uint8Array, view: DataView, length: number): void {
    if (length < InHeader.$size) return;
    const opcode = view.getUint32(InHeader.opcode, true);
    const least = LEAST_BYTES.get(opcode);
    const body = InHeader.$size;
    if (least === undefined || length < body + least) return;
    let kept = body + least;
    let answerBytes = OutHeader.$size + abi.OpenOut.$size; // no other is longer
    switch (opcode) {
      case Opcode.INTERRUPT:
        answerBytes = 0;
        break;
      case Opcode.READ: // what was read would be long, and is the source's
        answerBytes = OutHeader.$size;
        break;
      case Opcode.WRITE:
        // A page of a mapping that comes back is no call.
        if (view.getUint32(body + abi.WriteIn.write_flags, true) & abi.FUSE_WRITE_CACHE) return;
        if (this.#records.target.keepsData) kept = length;
        break;
      case Opcode.IOCTL:
        kept = length;
        answerBytes = Math.min(
          OutHeader.$size + abi.IoctlOut.$size + view.getUint32(body + abi.IoctlIn.out_size, true),
          MAX_ANSWER_BYTES,
        );
        break;
    }
    const isOpen = opcode === Opcode.OPEN;
    const file = isOpen || answerBytes === 0 ? undefined : this.#fileOf(getU64(view, body));
    const text = isOpen ? this.#opening(view) : "";
    const isKept = this.#records.request(this.#connection, bytes, kept, file, text, answerBytes);
    if (isKept && answerBytes > 0) this.#asked.set(getU64(view, InHeader.unique), answerBytes);
  }

  #opening(view: DataView): string {
    const device = this.#deviceOf(getU64(view, InHeader.nodeid));
    const { process, command } = new ProcessClient(view.getUint32(InHeader.pid, true));
    const kind = device instanceof MixerDevice ? "mixer" : "dsp";
    return [device?.name ?? "", kind, process ?? 0, command].join("\0");
  }

  /** An answer, or a notification, in `bytes[0, length)` is about to be sent. */
  answer(bytes: Uint8Array<ArrayBuffer>, length: number): void {
    if (bytes !== this.#answer) {
      this.#answer = bytes;
      this.#answerView = new DataView(bytes.buffer, bytes.byteOffset, OutHeader.$size);
    }
    const unique = getU64(this.#answerView, OutHeader.unique);
    const mostBytes = this.#asked.get(unique);
    if (mostBytes === undefined) return;
    this.#asked.delete(unique);
    this.#records.answer(this.#connection, bytes, length, mostBytes);
  }
}
