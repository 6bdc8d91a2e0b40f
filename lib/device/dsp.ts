// /dev/dsp and /dev/adsp: requests on a device file become calls on an OSS stream, and whoever must
// wait for the sound is parked here.

import {
  EAGAIN,
  EBUSY,
  EINTR,
  EINVAL,
  EIO,
  ENODEV,
  O_ACCMODE,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  POLLERR,
  POLLIN,
  POLLOUT,
  POLLRDNORM,
  POLLWRNORM,
} from "../../ffi/libc.ts";
import type { Sink } from "../backend/sink.ts";
import type { Source } from "../backend/source.ts";
import type { PageCache } from "../buffer/mapped.ts";
import type { Caller, Device, OpenFile, Retriever } from "../fuse/device.ts";
import { MAX_TRANSFER_BYTES, type Session } from "../fuse/session.ts";
import { type Call, WAIT } from "../oss/call.ts";
import { DSP_CALLS, unknownCall } from "../oss/calls.ts";
import { Dsp } from "../oss/dsp.ts";
import type { MappedOptions } from "../oss/mapped_playback.ts";
import type { Cards, OpenStream } from "../oss/cards.ts";
import type { Mixer } from "../oss/mixer.ts";
import type { SampleFormat } from "../pcm/format.ts";
import { HeldAnswers } from "./held_answers.ts";
import { isMappingGame } from "../games.ts";
import { holdsDevice, ownerOf, ProcessClient, threadGroup } from "./client.ts";
import { Reads } from "./reads.ts";
import type { Schedule, Scheduled } from "./schedule.ts";
import type { TurnClock } from "./turn_clock.ts";

/** What the device files need of the loop that they live in. */
export interface DeviceHost {
  readonly sink: Sink;
  /** Undefined where nothing can be recorded. */
  readonly source: Source | undefined;
  /** Whether the clocks of both may drift apart. */
  readonly drifts: boolean;
  readonly mixer: Mixer;
  /** All cards, and the number that the devices of this host have among them. */
  readonly cards: Cards;
  readonly audio: number;
  readonly schedule: Schedule;
  readonly clock: TurnClock;
  /** The streams of all hosts that are open, or closed by their program but not played to the end. */
  readonly streams: Set<DspFile>;
  /** The most of them at once. */
  readonly maxStreams: number;
  /** How mapped rings are played. */
  readonly mappedOptions: MappedOptions;
  /** Whether every open that can be is made for mapping, on kernels where that must be known then. */
  readonly mapsAlways: boolean;
  /** Takes one line about something that went wrong, or that somebody may want to know. */
  log(level: "warn" | "info" | "debug", message: string): void;
}

/** A dsp device. */
export class DspDevice implements Device {
  /** @param format what it is opened in; unsigned 8 bit if none is said */
  constructor(readonly name: string, readonly host: DeviceHost, readonly format?: SampleFormat) {}

  open(session: Session, nodeid: number, caller: Caller, flags: number): OpenFile | number {
    // A program that may also play is let in for that.
    const { name, format, host } = this;
    const { streams, source, maxStreams } = host;
    if ((flags & O_ACCMODE) === O_RDONLY && !source) return ENODEV;
    if (streams.size >= maxStreams) return EBUSY;
    const opened = { session, nodeid, caller, name, format, accessMode: flags & O_ACCMODE };
    const file = new DspFile(opened, host);
    streams.add(file);
    return file;
  }
}

/** A write(2) that waits for room. */
interface WaitingWrite {
  unique: number;
  /** A copy of what it was to write, from its start; reused, so it may be longer. */
  bytes: Uint8Array<ArrayBuffer>;
  length: number;
  taken: number;
}

/** An ioctl(2), close(2) or fsync(2) that waits for the sound to end. */
interface WaitingForEnd {
  readonly unique: number;
  /** The call to make again; undefined for requests that are then simply answered. */
  readonly call: Call<Dsp> | undefined;
  readonly value: number;
  readonly outSize: number;
  readonly closes: boolean;
  /** What must have been played, as `Playback.endBytes` counts it. */
  readonly endBytes: number;
  /** When it is answered though the sound has not ended. */
  readonly limitMs: number;
}

// How long a close waits for the sound, which plays on all the same: a process that ends waits where
// no signal reaches it. snd-pcm-oss gives up after as long.
const CLOSE_LIMIT_MS = 10_000;

/** What is known of an open(2). */
interface Opened {
  readonly session: Session;
  readonly nodeid: number;
  readonly caller: Caller;
  /** The device's name. */
  readonly name: string;
  /** What the device is opened in. */
  readonly format: SampleFormat | undefined;
  /** O_RDONLY, O_WRONLY or O_RDWR. */
  readonly accessMode: number;
}

/** One open of a dsp. */
export class DspFile implements OpenFile, Retriever, Scheduled, OpenStream {
  /** The device's name. */
  readonly name: string;
  readonly client: ProcessClient;
  readonly dsp: Dsp;
  readonly cached: boolean;
  readonly #session: Session;
  /** The number of the file's inode, on the fuse front end; else 0. */
  readonly #inode: number;
  readonly #host: DeviceHost;
  readonly #writes: WaitingWrite[] = [];
  readonly #spareWrites: WaitingWrite[] = [];
  readonly #ends: WaitingForEnd[] = [];
  /** Undefined where nothing can be recorded. */
  readonly #reads: Reads | undefined;
  readonly #held: HeldAnswers;
  /** Whether it was opened for playing. */
  readonly #plays: boolean;
  /** The kernel's handle of polls that sleep until one of `#pollEvents` comes. */
  #pollHandle: number | undefined;
  #pollEvents = 0;
  /** The last close has come; the sound may go on. */
  #released = false;
  /** Whoever closed it was killed: what is not played will not be. */
  #abandoned = false;

  constructor(opened: Opened, host: DeviceHost) {
    const { session, nodeid, caller, name, format, accessMode } = opened;
    this.#session = session;
    this.#inode = session.inode(nodeid);
    this.name = name;
    this.#host = host;
    this.client = new ProcessClient(caller.pid);
    this.#plays = accessMode !== O_RDONLY;
    this.#held = new HeldAnswers(session, this);
    const { sink, mixer, mappedOptions, cards, audio } = host;
    this.cached = session.mapping === "cached" && accessMode === O_RDWR &&
      (host.mapsAlways || isMappingGame(this.client.command));
    if (this.cached) this.#log("info", "can map the device, but not record from it");
    const records = accessMode !== O_WRONLY && !this.cached;
    this.dsp = new Dsp(
      {
        sink,
        client: this.client,
        owner: ownerOf(mixer.scope, caller),
        now: () => host.clock.now(),
        warn: (message) => this.#log("warn", message),
        mappedOptions,
        cards,
        audio,
        onShown: () => this.#held.release(),
        onStarted: () => this.#progress(),
      },
      mixer,
      {
        plays: this.#plays,
        format,
        source: records ? host.source : undefined,
        drifts: host.drifts,
        pages: this.#pages(nodeid, accessMode),
      },
    );
    this.#reads = this.dsp.capture && new Reads(session, this, this.dsp.capture);
    host.schedule.add(this);
  }

  #log(level: "warn" | "info" | "debug", message: string): void {
    this.#host.log(level, `stream of ${this.client.command} (${this.client.pid}): ${message}`);
  }

  /** The page cache of the file's node, if it can be mapped. */
  #pages(nodeid: number, accessMode: number): PageCache | undefined {
    const session = this.#session;
    const canMap = this.cached || session.mapping === "any";
    // A mapping to look at needs a source that can be shown.
    const canUse = this.#plays || session.canStore;
    if (!canMap || !canUse || accessMode === O_WRONLY) return undefined;
    return {
      maxBytes: MAX_TRANSFER_BYTES,
      canStore: session.canStore,
      retrieve: (offset, size) => session.retrieve(nodeid, offset, size, this),
      cancel: () => session.cancelRetrievals(this),
      store: (offset, bytes, length, onStored) =>
        session.store(nodeid, offset, bytes, offset, length, onStored),
    };
  }

  /** Whether the last close has come: only what is left in the buffer is still to be played. */
  get released(): boolean {
    return this.#released;
  }

  get dueMs(): number {
    const { playback, capture, mapping } = this.dsp;
    let dueMs = Math.min(playback.dueMs, capture?.dueMs ?? Infinity, mapping?.dueMs ?? Infinity);
    for (let i = 0; i < this.#ends.length; i++) dueMs = Math.min(dueMs, this.#ends[i].limitMs);
    return dueMs;
  }

  run(): void {
    this.dsp.capture?.pump();
    this.dsp.mapping?.pump();
    this.dsp.playback.pump();
    this.#progress();
    for (let i = this.#ends.length - 1; i >= 0; i--) {
      if (this.#ends[i].limitMs > this.#host.clock.now()) continue;
      this.#session.replyEmpty(this.#ends.splice(i, 1)[0].unique);
    }
  }

  read(unique: number, size: number, flags: number): void {
    if (!this.#reads) return this.#session.replyError(unique, ENODEV);
    this.#host.clock.next();
    this.dsp.leaveMappedCapture();
    this.#reads.read(unique, size, !this.dsp.nonblocking && (flags & O_NONBLOCK) === 0);
    this.#host.schedule.update(this);
  }

  fill(unique: number, offset: number, size: number): void {
    this.#host.clock.next();
    this.dsp.fillPage(offset, this.#session.data, size);
    this.#session.replyRead(unique, size);
    this.#host.schedule.update(this);
  }

  absorb(offset: number, bytes: Uint8Array<ArrayBuffer>, start: number, length: number): void {
    this.dsp.mapping?.ring.absorb(offset, bytes, start, length);
  }

  onRetrieved(
    offset: number,
    bytes: Uint8Array<ArrayBuffer>,
    start: number,
    length: number,
  ): void {
    this.#host.clock.next();
    this.dsp.mapping?.ring.onRetrieved(offset, bytes, start, length);
    this.#host.schedule.update(this);
  }

  write(
    unique: number,
    bytes: Uint8Array<ArrayBuffer>,
    start: number,
    length: number,
    flags: number,
  ): void {
    this.#host.clock.next();
    this.#abandoned = false;
    this.dsp.mapping?.playback?.leave();
    const session = this.#session;
    // Those that wait already come first.
    const taken = this.#writes.length > 0 ? 0 : this.dsp.playback.write(bytes, start, length);
    if (taken < 0) session.replyError(unique, -taken);
    else if (taken === length) session.replyWrite(unique, length);
    else if (this.dsp.nonblocking || (flags & O_NONBLOCK) !== 0) {
      if (taken > 0) session.replyWrite(unique, taken);
      else session.replyError(unique, EAGAIN);
    } else {
      session.park(unique, this);
      this.#waitForRoom(unique, bytes, start, length, taken);
    }
    this.#host.schedule.update(this);
    if (this.#ends.length > 0) this.#progress();
  }

  ioctl(unique: number, command: number, _inSize: number, outSize: number): void {
    const call = DSP_CALLS.get(command);
    if (!call) return this.#session.replyError(unique, unknownCall("dsp", command));
    this.#host.clock.next();
    const { argument } = this.#session;
    const value = argument.getInt32(0, true);
    const result = call.run(this.dsp, argument);
    if (result === WAIT) this.#waitForEnd(unique, { call, value, outSize });
    else if (result < 0) this.#session.replyError(unique, -result);
    else if (!this.dsp.mapping?.showing || !this.#held.hold(unique, result, outSize)) {
      this.#session.replyIoctl(unique, result, outSize);
    }
    this.#progress();
  }

  poll(unique: number, events: number, kh: number, notify: boolean): void {
    this.#host.clock.next();
    if (events & (POLLIN | POLLRDNORM)) this.dsp.capture?.start();
    const ready = this.#readyEvents();
    const mapped = this.dsp.mapping?.playback;
    if (ready & events & POLLOUT) mapped?.blocks.polled();
    if (ready & events & POLLIN) this.dsp.followedBlocks?.polled();
    if (notify && (ready & events) === 0) {
      if (mapped?.running) {
        mapped.wakesWanted = true;
        mapped.pump();
      }
      // The kernel has one handle for all who poll this file.
      this.#pollEvents = events | (this.#pollHandle === undefined ? 0 : this.#pollEvents);
      this.#pollHandle = kh;
    }
    this.#host.schedule.update(this);
    this.#session.replyPoll(unique, ready & (events | POLLERR));
  }

  /** What poll(2) can say of the file now. */
  #readyEvents(): number {
    const { playback, capture, mapping } = this.dsp;
    let ready = 0;
    const writable = mapping?.playback?.running
      ? mapping.playback.blocks.ready
      : playback.writable();
    const readable = this.dsp.followedBlocks?.ready ?? capture?.readable();
    if (this.#plays && writable) ready |= POLLOUT | POLLWRNORM;
    if (readable || capture?.failed) ready |= POLLIN | POLLRDNORM;
    if (playback.failed || capture?.failed) ready |= POLLERR;
    return ready;
  }

  flush(unique: number, caller: Caller): void {
    // close(2) waits for the sound, as OSS's does, when it may be the last one. Whether it is, the
    // kernel does not say. A process that did not open the file has inherited it, and whoever it
    // inherited it from plays on: `(cat a; cat b) > /dev/dsp` must not pause in between.
    const { process } = this.client;
    const mayBeLast = !this.dsp.mapping?.playback?.running && !this.dsp.playback.drained &&
      (caller.pid === this.client.pid || threadGroup(caller.pid) === process) &&
      !(process !== undefined && holdsDevice(process, this.name, this.#inode));
    if (mayBeLast || this.dsp.playback.failed) this.fsync(unique);
    else this.#session.replyEmpty(unique);
  }

  fsync(unique: number): void {
    this.#host.clock.next();
    const { playback, mapping } = this.dsp;
    const { endBytes } = playback;
    // A mapping has no end, and msync(2) brings us here.
    if (mapping?.playback?.running) this.#session.replyEmpty(unique);
    else if (!this.dsp.settle()) this.#waitForEnd(unique, { endBytes });
    else if (playback.failed) this.#session.replyError(unique, EIO);
    else this.#session.replyEmpty(unique);
    this.#progress();
  }

  release(unique: number, waits: boolean): void {
    this.#host.clock.next();
    this.#released = true;
    const { mapping, playback } = this.dsp;
    if (mapping?.playback?.inUse) {
      const { retrievedBytes } = mapping.ring;
      const played = playback.playedBytes();
      this.#log(
        "debug",
        `mapped: ${played} bytes played, ${retrievedBytes} fetched, ${playback.underruns} underruns`,
      );
    }
    mapping?.stop();
    this.#reads?.abort();
    this.#held.release();
    this.dsp.capture?.close(); // what was not read is nobody's
    if (!waits) this.#session.replyEmpty(unique);
    if (this.#abandoned || this.dsp.settle()) {
      this.#close();
      if (waits) this.#session.replyEmpty(unique);
    } else if (waits) this.#waitForEnd(unique, { closes: true });
    this.#host.schedule.update(this);
  }

  interrupt(unique: number): void {
    this.#host.clock.next();
    const write = this.#writes.findIndex((waiting) => waiting.unique === unique);
    if (write >= 0) {
      const [waiting] = this.#writes.splice(write, 1);
      this.#spareWrites.push(waiting);
      const { taken } = waiting;
      if (taken > 0) this.#session.replyWrite(unique, taken);
      else this.#session.replyError(unique, EINTR);
    }
    this.#reads?.interrupt(unique);
    this.#held.interrupt(unique);
    const end = this.#ends.findIndex((waiting) => waiting.unique === unique);
    if (end < 0) return;
    const [{ call, closes }] = this.#ends.splice(end, 1);
    if (call) return this.#session.replyError(unique, EINTR);
    this.#session.replyEmpty(unique);
    // close(2) under a signal: as a sound card's driver, stop.
    this.#abandoned = true;
    if (closes) this.#close();
  }

  /** Ends the stream at once; what waits gets an error. For the end of the daemon. */
  abort(): void {
    this.#close();
  }

  #waitForRoom(
    unique: number,
    bytes: Uint8Array<ArrayBuffer>,
    start: number,
    length: number,
    taken: number,
  ): void {
    const waiting = this.#spareWrites.pop() ??
      { unique: 0, bytes: new Uint8Array(0), length: 0, taken: 0 };
    if (waiting.bytes.length < length) waiting.bytes = new Uint8Array(length);
    waiting.bytes.set(bytes.subarray(start, start + length));
    waiting.unique = unique;
    waiting.length = length;
    waiting.taken = taken;
    this.#writes.push(waiting);
  }

  #waitForEnd(unique: number, waiting: Partial<Omit<WaitingForEnd, "unique" | "limitMs">>): void {
    const { call, value = 0, outSize = 0, closes = false, endBytes = Infinity } = waiting;
    this.#session.park(unique, this);
    const limitMs = call ? Infinity : this.#host.clock.now() + CLOSE_LIMIT_MS;
    this.#ends.push({ unique, call, value, outSize, closes, endBytes, limitMs });
  }

  /** Goes on with whoever can go on now that time has passed or the state has changed. */
  #progress(): void {
    const { playback } = this.dsp;
    while (this.#writes.length > 0) {
      const waiting = this.#writes[0];
      const { unique, bytes, length, taken } = waiting;
      const more = playback.write(bytes, taken, length - taken);
      if (more >= 0) waiting.taken += more;
      if (more >= 0 && waiting.taken < length) break;
      this.#spareWrites.push(this.#writes.shift()!);
      if (more < 0) this.#session.replyError(unique, -more);
      else this.#session.replyWrite(unique, length);
    }
    if (this.#released && playback.drained) this.#close();
    else if (this.#ends.length > 0) this.#finishEnds();
    this.#reads?.progress();
    if (this.#pollHandle !== undefined && (this.#readyEvents() & (this.#pollEvents | POLLERR))) {
      const handle = this.#pollHandle;
      this.#pollHandle = undefined;
      this.#session.notifyPoll(handle);
    }
    this.#host.schedule.update(this);
  }

  /** Answers those that have waited for what has been played by now. */
  #finishEnds(): void {
    const { playback } = this.dsp;
    for (let i = 0; i < this.#ends.length;) {
      if (playback.hasPlayed(this.#ends[i].endBytes)) this.#finish(this.#ends.splice(i, 1)[0]);
      else i++;
    }
  }

  #finish({ unique, call, value, outSize }: WaitingForEnd): void {
    if (!call) {
      if (this.dsp.playback.failed) this.#session.replyError(unique, EIO);
      else this.#session.replyEmpty(unique);
      return;
    }
    this.#session.argument.setInt32(0, value, true);
    const result = call.run(this.dsp, this.#session.argument);
    if (result < 0) this.#session.replyError(unique, result === WAIT ? EINVAL : -result);
    else this.#session.replyIoctl(unique, result, outSize);
  }

  #close(): void {
    for (const { unique } of this.#writes.splice(0)) this.#session.replyError(unique, EIO);
    this.#reads?.abort();
    this.dsp.close();
    this.#finishEnds();
    this.#host.schedule.remove(this);
    this.#host.streams.delete(this);
  }
}
