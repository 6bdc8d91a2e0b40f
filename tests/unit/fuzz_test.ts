// The session core and the device files under random and mutated requests, in a time of the test's
// own making: whatever comes in, each request gets one answer of the right shape, and nothing stays.

import { assert, assertEquals } from "@std/assert";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY, POLLIN, POLLOUT } from "../../ffi/libc.ts";
import { NullSink } from "../../lib/backend/null.ts";
import { ToneSource } from "../../lib/backend/tone.ts";
import { type DeviceHost, DspDevice, type DspFile } from "../../lib/device/dsp.ts";
import { MixerDevice } from "../../lib/device/mixer.ts";
import { Schedule } from "../../lib/device/schedule.ts";
import { TurnClock } from "../../lib/device/turn_clock.ts";
import * as abi from "../../lib/fuse/abi.ts";
import { Directory } from "../../lib/fuse/directory.ts";
import { REQUEST_BUFFER_BYTES, type Serving, Session } from "../../lib/fuse/session.ts";
import type { Cards } from "../../lib/oss/cards.ts";
import { callNamed, DSP_CALLS, MIXER_CALLS } from "../../lib/oss/calls.ts";
import { Mixer } from "../../lib/oss/mixer.ts";
import type { ClockKind } from "../../lib/pcm/clock.ts";
import { prepareSlips } from "../../lib/pcm/drift.ts";
import { getU64, setU64, type Struct } from "../../lib/struct.ts";
import { fuzzCount, fuzzRandom, type Random } from "../random.ts";
import { parseTranscript, Traced } from "./traced.ts";

const { InHeader, OutHeader, Opcode } = abi;
const BODY = InHeader.$size;

const REQUESTS = 100_000;
const REQUESTS_A_ROUND = 500;
const MAX_STREAMS = 24;
/** What the largest buffer lasts at the slowest rate: 4 MiB at a byte a second. */
const LONGEST_MS = (4 << 20) * 1000;
/** The fragments of the longest writes of all streams together. */
const MOST_TURNS = 3 * MAX_STREAMS * REQUEST_BUFFER_BYTES / 16;
/** So little that calls are lost: a trace says so, and goes on. */
const TRACE_BYTES = 512 << 10;
// What the heap may grow by from one half of a run to the next: 100 bytes a request would show.
const HEAP_GROWTH_BYTES = 4 << 20;

const COMMANDS = [...new Set([...DSP_CALLS.keys(), ...MIXER_CALLS.keys()])];
const SETTRIGGER = callNamed(DSP_CALLS, "SNDCTL_DSP_SETTRIGGER")!.command;
const SYNCGROUP = callNamed(DSP_CALLS, "SNDCTL_DSP_SYNCGROUP")!;
const SYNCSTART = callNamed(DSP_CALLS, "SNDCTL_DSP_SYNCSTART")!;
const NAMES = ["dsp", "mixer", "", ".", "..", "midi", "dsp\0", "\xff\xfe", "d".repeat(5000)];
const OPEN_FLAGS = [O_WRONLY, O_RDWR, O_WRONLY | O_NONBLOCK, O_RDWR | O_NONBLOCK, O_RDONLY, 3];
// One that there is, and two that no process can have.
const PIDS = [Deno.pid, 0, 0x7ffffffe];

/** Requests that carry an answer of one size when they succeed: the kernel refuses any other. */
const ANSWER_BYTES = new Map<number, number>([
  [Opcode.LOOKUP, abi.EntryOut.$size],
  [Opcode.GETATTR, abi.AttrOut.$size],
  [Opcode.SETATTR, abi.AttrOut.$size],
  [Opcode.OPEN, abi.OpenOut.$size],
  [Opcode.WRITE, abi.WriteOut.$size],
  [Opcode.STATFS, abi.Statfs.$size],
  [Opcode.RELEASE, 0],
  [Opcode.FSYNC, 0],
  [Opcode.FLUSH, 0],
  [Opcode.INIT, abi.InitOut.$size],
  [Opcode.OPENDIR, abi.OpenOut.$size],
  [Opcode.RELEASEDIR, 0],
  [Opcode.ACCESS, 0],
  [Opcode.CREATE, abi.EntryOut.$size + abi.OpenOut.$size],
  [Opcode.DESTROY, 0],
  [Opcode.POLL, abi.PollOut.$size],
]);

const UNANSWERED: readonly number[] = [
  Opcode.FORGET,
  Opcode.BATCH_FORGET,
  Opcode.INTERRUPT,
  Opcode.NOTIFY_REPLY,
];

/** What is remembered of a request that wants an answer. */
interface Asked {
  readonly opcode: number;
  /** The most bytes of data that it allows: READ's and WRITE's size, IOCTL's out_size. */
  readonly limit: number;
  /** IOCTL's number. */
  readonly command: number;
}

/** `performance.now()` as the test moves it, until disposed of. */
class TestTime implements Disposable {
  nowMs = 1000;

  constructor() {
    performance.now = () => this.nowMs;
  }

  [Symbol.dispose](): void {
    // The method proper is the prototype's.
    delete (performance as Partial<Performance>).now;
  }
}

/** A session with its devices, the kernel's part played by a random generator. */
class Kernel {
  readonly session: Session;
  readonly schedule = new Schedule();
  readonly dsp: DspDevice;
  readonly directory: Directory | undefined;
  requests = 0;
  /** How many answers were good news. */
  successes = 0;
  /** The numbers of the calls that have succeeded. */
  readonly made = new Set<number>();
  /** How many requests were parked. */
  parkings = 0;
  /** How often something was to be shown in a mapping. */
  stores = 0;

  readonly clock: ClockKind;
  readonly #random: Random;
  readonly #time: TestTime;
  readonly #bytes = new Uint8Array(REQUEST_BUFFER_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #asked = new Map<number, Asked>();
  readonly #pollHandles = new Set<number>();
  /** The handles of files that are likely to be open, and all that were in this round. */
  readonly #open: number[] = [];
  readonly #opened: number[] = [];
  readonly #nodes: number[] = [];
  /** What the session has asked the page cache for. */
  readonly #retrievals: { unique: number; offset: number; size: number }[] = [];
  /** Stores that the kernel has not made yet. */
  readonly #stores: (() => void)[] = [];
  readonly turnClock = new TurnClock();
  /** Of some, everything is traced. */
  readonly #traced: Traced | undefined;
  #length = 0;
  #unique = 0;

  constructor(random: Random, time: TestTime, frontend: "fuse" | "cuse", clock: ClockKind) {
    this.#random = random;
    this.#time = time;
    this.clock = clock;
    const mixer = new Mixer();
    const streams = new Set<DspFile>();
    const cards: Cards = {
      cards: [{ name: "ossp", about: "a card" }],
      audios: [{ card: 0, mixer: 0, name: "sound", path: "/dev/dsp", records: true }],
      mixers: [{ card: 0, name: "levels", path: "/dev/mixer", mixer }],
      streams,
    };
    const host: DeviceHost = {
      sink: new NullSink(clock),
      source: new ToneSource(clock, 440),
      drifts: true,
      mixer,
      cards,
      audio: 0,
      streams,
      schedule: this.schedule,
      clock: this.turnClock,
      maxStreams: MAX_STREAMS,
      mappedOptions: {
        leadMs: random.pick([undefined, 0, 20, 10_000]),
        silence: random.chance(0.3),
      },
      mapsAlways: random.chance(0.5),
      log: (level, message) => assert(level !== "warn", message),
    };
    this.dsp = new DspDevice("dsp", host);
    let serving: Serving;
    if (frontend === "fuse") {
      const devices = [this.dsp, new MixerDevice("mixer", mixer, cards)];
      this.directory = new Directory(devices.map((device) => ({ device, major: 14, minor: 3 })));
      serving = { directory: this.directory };
    } else serving = { device: this.dsp, major: 14, minor: 3 };
    this.session = new Session(serving, {
      send: (buffer, length) => this.#take(buffer, length),
      canSendAside: () => random.chance(0.8),
      sendAside: (buffer, length, onSent) => this.#takeStore(buffer, length, onSent),
      warn: (message) =>
        assert(!/left without|Error|\n/.test(message), `after ${this.requests}: ${message}`),
    });
    const deviceOf = (nodeid: number) => this.directory?.device(nodeid) ?? this.dsp;
    this.#traced = clock === "real" ? new Traced(this.session, deviceOf, TRACE_BYTES) : undefined;
    this.session.mapping = frontend === "fuse"
      ? random.pick(["any", "any", "cached", undefined])
      : undefined;
  }

  /** A number of random requests and passages of time, then everything is given back. */
  round(requests: number): void {
    this.#time.nowMs = 1000; // nothing is left that remembers a later time
    for (let i = 0; i < requests; i++) {
      this.#compose();
      if (this.#random.chance(0.15)) this.#mutate();
      this.#send();
      if (this.#random.chance(0.3)) this.#passTime();
      if (this.#random.chance(0.3)) this.#traced?.drain();
    }
    this.#giveBack();
    const trace = this.#traced?.finish() ?? "";
    if (trace !== "") parseTranscript(trace);
  }

  /** Checks an answer or a notification as the kernel would, and by what was asked. */
  #take(buffer: Uint8Array<ArrayBuffer>, length: number): void {
    this.#traced?.tap.answer(buffer, length);
    const view = new DataView(buffer.buffer, buffer.byteOffset, length);
    assertEquals(view.getUint32(OutHeader.len, true), length);
    const error = view.getInt32(OutHeader.error, true);
    const unique = getU64(view, OutHeader.unique);
    const body = OutHeader.$size;
    if (unique === 0 && error === abi.NOTIFY_RETRIEVE) {
      assertEquals(length, body + abi.NotifyRetrieveOut.$size);
      this.#retrievals.push({
        unique: getU64(view, body + abi.NotifyRetrieveOut.notify_unique),
        offset: getU64(view, body + abi.NotifyRetrieveOut.offset),
        size: view.getUint32(body + abi.NotifyRetrieveOut.size, true),
      });
      return;
    }
    if (unique === 0) {
      assertEquals(error, abi.NOTIFY_POLL);
      assertEquals(length, body + abi.NotifyPollWakeupOut.$size);
      const kh = getU64(view, body);
      assert(this.#pollHandles.has(kh), `a wake-up of nobody's poll ${kh}`);
      return;
    }
    const asked = this.#asked.get(unique);
    assert(asked, `an answer that was not asked for, or a second one: ${unique}`);
    this.#asked.delete(unique);
    const { opcode, limit, command } = asked;
    assert(error > -512 && error <= 0, `opcode ${opcode}: error ${error}`);
    const bytes = length - body;
    if (error !== 0) return assertEquals(bytes, 0, `opcode ${opcode}: an error with a body`);
    this.successes++;
    const exact = ANSWER_BYTES.get(opcode);
    if (exact !== undefined) assertEquals(bytes, exact, `opcode ${opcode}`);
    switch (opcode) {
      case Opcode.READ:
      case Opcode.READDIR:
        assert(bytes <= limit, `opcode ${opcode}: ${bytes} bytes for ${limit}`);
        break;
      case Opcode.IOCTL:
        assert(bytes >= abi.IoctlOut.$size && bytes - abi.IoctlOut.$size <= limit);
        this.made.add(command);
        break;
      case Opcode.WRITE:
        assert(view.getUint32(body + abi.WriteOut.size, true) <= limit);
        break;
      case Opcode.LOOKUP:
        this.#nodes.push(getU64(view, body + abi.EntryOut.nodeid));
        break;
      case Opcode.CREATE:
        this.#nodes.push(getU64(view, body + abi.EntryOut.nodeid));
        this.#noteOpen(getU64(view, body + abi.EntryOut.$size + abi.OpenOut.fh));
        break;
      case Opcode.OPEN:
        this.#noteOpen(getU64(view, body + abi.OpenOut.fh));
        break;
      case Opcode.CUSE_INIT:
        assert(bytes > abi.CuseInitOut.$size);
        break;
    }
  }

  #takeStore(
    buffer: Uint8Array<ArrayBuffer>,
    length: number,
    onSent: () => void,
  ): void {
    const view = new DataView(buffer.buffer, buffer.byteOffset, length);
    assertEquals(view.getUint32(OutHeader.len, true), length);
    assertEquals(view.getInt32(OutHeader.error, true), abi.NOTIFY_STORE);
    const body = OutHeader.$size;
    const size = view.getUint32(body + abi.NotifyStoreOut.size, true);
    assertEquals(length, body + abi.NotifyStoreOut.$size + size);
    this.stores++;
    this.#stores.push(onSent);
  }

  /** The kernel makes some of the stores that it was asked for. */
  #completeStores(): void {
    for (const onSent of this.#stores.splice(0, this.#random.below(3))) onSent();
  }

  #noteOpen(fh: number): void {
    this.#open.push(fh);
    this.#opened.push(fh);
  }

  /** Hands the composed request over; what it then wants is read from its bytes, as they became. */
  #send(): void {
    const view = this.#view;
    const length = this.#length;
    this.requests++;
    if (length >= BODY) {
      const opcode = view.getUint32(InHeader.opcode, true);
      const unique = getU64(view, InHeader.unique);
      if (!UNANSWERED.includes(opcode)) {
        const command = opcode === Opcode.IOCTL ? view.getUint32(BODY + abi.IoctlIn.cmd, true) : 0;
        this.#asked.set(unique, { opcode, limit: this.#limit(opcode), command });
      }
      if (opcode === Opcode.POLL && length >= BODY + abi.PollIn.$size) {
        this.#pollHandles.add(getU64(view, BODY + abi.PollIn.kh));
      }
      if (opcode === Opcode.RELEASE) {
        const index = this.#open.indexOf(getU64(view, BODY));
        if (index >= 0) this.#open.splice(index, 1);
      }
    }
    const before = this.session.parkedRequests;
    this.#traced?.tap.request(this.#bytes, view, length);
    this.session.receive(this.#bytes, view, length);
    const { parkedRequests } = this.session;
    if (parkedRequests > before) this.parkings++;
    assertEquals(this.#asked.size, parkedRequests, "neither answered nor parked");
  }

  #limit(opcode: number): number {
    switch (opcode) {
      case Opcode.READ:
      case Opcode.READDIR:
        return this.#view.getUint32(BODY + abi.ReadIn.size, true);
      case Opcode.WRITE:
        return this.#view.getUint32(BODY + abi.WriteIn.size, true);
      case Opcode.IOCTL:
        return this.#view.getUint32(BODY + abi.IoctlIn.out_size, true);
      default:
        return 0;
    }
  }

  /** Begins a request of a header alone; `#put` and `#append` go on. */
  #begin(opcode: number, nodeid = 0): void {
    const view = this.#view;
    this.#unique += 2;
    view.setUint32(InHeader.opcode, opcode, true);
    setU64(view, InHeader.unique, this.#unique + (opcode === Opcode.INTERRUPT ? 1 : 0));
    setU64(view, InHeader.nodeid, nodeid);
    view.setUint32(InHeader.uid, 0, true);
    view.setUint32(InHeader.gid, 0, true);
    view.setUint32(InHeader.pid, this.#random.pick(PIDS), true);
    view.setUint32(InHeader.total_extlen, 0, true);
    this.#extend(BODY);
  }

  #extend(length: number): void {
    this.#length = length;
    this.#view.setUint32(InHeader.len, length, true);
  }

  /** Appends a struct: `fields` as given, and elsewhere zeros or, at times, anything. */
  #put<F extends string>(layout: Struct<F>, fields: Partial<Record<F, number>> = {}): void {
    const view = this.#view;
    const at = this.#length;
    const dirty = this.#random.chance(0.2);
    for (let i = 0; i < layout.$size; i += 4) {
      view.setUint32(at + i, dirty ? this.#random.edge() : 0, true);
    }
    const names = layout.$fields as readonly F[];
    names.forEach((name, i) => {
      const value = fields[name];
      if (value === undefined) return;
      const end = i + 1 < names.length ? layout[names[i + 1]] : layout.$size;
      if (end - layout[name] === 8) setU64(view, at + layout[name], value);
      else view.setUint32(at + layout[name], value, true);
    });
    this.#extend(at + layout.$size);
  }

  /** Appends `length` bytes of which the first word is an edge value and the rest what was there. */
  #append(length: number): void {
    const at = this.#length;
    if (at + Math.max(length, 4) <= REQUEST_BUFFER_BYTES) {
      this.#view.setUint32(at, this.#random.edge(), true);
    }
    this.#extend(Math.min(at + length, REQUEST_BUFFER_BYTES));
  }

  #appendName(name: string): void {
    const bytes = Uint8Array.from(name + "\0", (character) => character.charCodeAt(0));
    this.#bytes.set(bytes, this.#length);
    this.#extend(this.#length + bytes.length);
  }

  /** Composes a request that the kernel could send, more or less in this state of things. */
  #compose(): void {
    const random = this.#random;
    // Without files there is little to test, and with all of them in use too.
    if (this.#open.length < 3 + random.below(MAX_STREAMS)) {
      if (random.chance(0.3)) return this.#composeOpen();
    } else if (random.chance(0.3)) return this.#composeRelease();
    if (this.#retrievals.length > 0 && random.chance(0.5)) return this.#composeNotifyReply();
    const dice = random.below(100);
    if (dice < 8) this.#composeMapping();
    else if (dice < 10) this.#composeSync();
    else if (dice < 35) this.#composeIoctl();
    else if (dice < 60) this.#composeWrite();
    else if (dice < 68) this.#composePoll();
    else if (dice < 76) this.#composeInterrupt();
    else if (dice < 80) this.#composeRelease();
    else if (dice < 90) this.#composeOnFile();
    else this.#composeOnDirectory();
  }

  /** The handle of an open file, or of one that was, or never was. */
  #fh(): number {
    const random = this.#random;
    if (this.#open.length > 0 && random.chance(0.97)) return random.pick(this.#open);
    return random.edge();
  }

  #node(): number {
    const random = this.#random;
    if (this.#nodes.length > 0 && random.chance(0.9)) return random.pick(this.#nodes);
    return random.chance(0.5) ? abi.FUSE_ROOT_ID : random.edge();
  }

  #parent(): number {
    return this.#random.chance(0.95) ? abi.FUSE_ROOT_ID : this.#random.edge();
  }

  #name(): string {
    return this.#random.chance(0.7) ? "dsp" : this.#random.pick(NAMES);
  }

  #composeOpen(): void {
    const random = this.#random;
    const flags = random.chance(0.9) ? random.pick(OPEN_FLAGS) : random.edge();
    if (!this.directory || this.#nodes.length > 0 && random.chance(0.7)) {
      this.#begin(Opcode.OPEN, this.#node());
      this.#put(abi.OpenIn, { flags });
    } else if (random.chance(0.5)) {
      this.#begin(Opcode.LOOKUP, this.#parent());
      this.#appendName(this.#name());
    } else {
      this.#begin(Opcode.CREATE, this.#parent());
      this.#put(abi.CreateIn, { flags });
      this.#appendName(this.#name());
    }
  }

  #composeRelease(fh = this.#fh()): void {
    this.#begin(Opcode.RELEASE);
    this.#put(abi.ReleaseIn, { fh });
  }

  #composeIoctl(): void {
    const random = this.#random;
    const cmd = random.chance(0.9) ? random.pick(COMMANDS) : random.u32();
    const size = random.chance(0.95) ? cmd >>> 16 & 0x3fff : random.edge();
    // asm-generic/ioctl.h: bit 30 is a write to the device, bit 31 a read from it.
    const inSize = cmd & 1 << 30 ? size : 0;
    const outSize = cmd & 1 << 31 ? size : 0;
    this.#begin(Opcode.IOCTL);
    this.#put(abi.IoctlIn, { fh: this.#fh(), cmd, in_size: inSize, out_size: outSize });
    const at = this.#length;
    this.#append(inSize);
    // Structs begin with numbers of devices, controls and groups, of which there are few.
    if (random.chance(0.3)) return;
    for (let i = at; i + 4 <= Math.min(this.#length, at + 64); i += 4) {
      const word = random.chance(0.8) ? random.pick([0, 0, 1, 2, -1]) : random.edge();
      this.#view.setInt32(i, word, true);
    }
  }

  /** What sets a mapping going, mostly that of the file that has been open for longest. */
  #composeMapping(): void {
    const random = this.#random;
    const fh = random.chance(0.7) ? this.#open[0] ?? 0 : this.#fh();
    if (random.chance(0.5)) {
      this.#begin(Opcode.READ);
      return this.#put(abi.ReadIn, { fh, size: 4096, offset: 4096 * random.below(20) });
    }
    this.#begin(Opcode.IOCTL);
    this.#put(abi.IoctlIn, { fh, cmd: SETTRIGGER, in_size: 4, out_size: 0 });
    this.#append(4);
    this.#view.setUint32(this.#length - 4, random.pick([0, 1, 1, 1, 2, 3]), true);
  }

  /** What makes a group of streams, or starts it. */
  #composeSync(): void {
    const random = this.#random;
    const call = random.pick([SYNCGROUP, SYNCSTART]);
    const size = call.command >>> 16 & 0x3fff;
    this.#begin(Opcode.IOCTL);
    const fields = { cmd: call.command, in_size: size, out_size: call === SYNCGROUP ? size : 0 };
    this.#put(abi.IoctlIn, { fh: this.#open[0] ?? 0, ...fields });
    const at = this.#length;
    this.#append(size);
    this.#view.setInt32(at, random.below(call === SYNCGROUP ? 2 : 4), true);
    if (call === SYNCGROUP) this.#view.setInt32(at + 4, random.below(4), true);
  }

  #composeWrite(): void {
    const random = this.#random;
    const most = REQUEST_BUFFER_BYTES - BODY - abi.WriteIn.$size;
    const size = random.chance(0.7) ? random.below(5000) : Math.min(random.edge(), most);
    this.#begin(Opcode.WRITE);
    this.#put(abi.WriteIn, {
      fh: this.#fh(),
      size: random.chance(0.97) ? size : random.edge(),
      write_flags: random.chance(0.98) ? 0 : random.edge(),
      flags: random.pick(OPEN_FLAGS),
    });
    this.#append(size);
  }

  #composePoll(): void {
    const random = this.#random;
    const fh = this.#fh();
    this.#begin(Opcode.POLL);
    this.#put(abi.PollIn, {
      fh,
      kh: random.chance(0.9) ? fh + 1000 : random.edge(),
      events: random.chance(0.8) ? random.pick([POLLIN, POLLOUT, POLLIN | POLLOUT]) : random.edge(),
      flags: random.below(2),
    });
  }

  #composeInterrupt(unique?: number): void {
    const pending = [...this.#asked.keys()];
    const random = this.#random;
    unique ??= pending.length > 0 && random.chance(0.9) ? random.pick(pending) : random.edge();
    this.#begin(Opcode.INTERRUPT);
    this.#put(abi.InterruptIn, { unique });
  }

  /** Answers a retrieval: with all of it, with less, or with something else. */
  #composeNotifyReply(): void {
    const random = this.#random;
    const { unique, offset, size } = this.#retrievals.shift()!;
    const found = random.chance(0.7) ? size : random.below(size + 1);
    this.#begin(Opcode.NOTIFY_REPLY);
    if (random.chance(0.9)) setU64(this.#view, InHeader.unique, unique);
    this.#put(abi.NotifyRetrieveIn, {
      offset: random.chance(0.9) ? offset : random.edge(),
      size: random.chance(0.9) ? found : random.edge(),
    });
    this.#append(found);
  }

  #composeOnFile(): void {
    const random = this.#random;
    const fh = this.#fh();
    const opcode = random.pick([Opcode.READ, Opcode.FLUSH, Opcode.FSYNC]);
    this.#begin(opcode);
    if (opcode === Opcode.READ) {
      // A read(2), or a page of a mapping that is touched.
      const read_flags = random.chance(0.5) ? abi.FUSE_READ_LOCKOWNER : 0;
      const offset = random.chance(0.8) ? 4096 * random.below(20) : random.edge();
      this.#put(abi.ReadIn, { fh, size: random.edge(), read_flags, offset });
    } else if (opcode === Opcode.FLUSH) this.#put(abi.FlushIn, { fh });
    else this.#put(abi.FsyncIn, { fh });
  }

  #composeOnDirectory(): void {
    const random = this.#random;
    switch (random.below(12)) {
      case 0:
        this.#begin(Opcode.FORGET, this.#node());
        return this.#put(abi.ForgetIn, { nlookup: random.chance(0.5) ? 1 : random.edge() });
      case 1: {
        const count = random.below(20);
        this.#begin(Opcode.BATCH_FORGET);
        this.#put(abi.BatchForgetIn, { count: random.chance(0.8) ? count : random.edge() });
        for (let i = 0; i < count; i++) {
          this.#put(abi.ForgetOne, { nodeid: this.#node(), nlookup: random.below(2) });
        }
        return;
      }
      case 2:
        this.#begin(Opcode.GETATTR, this.#node());
        return this.#append(16);
      case 3:
        this.#begin(Opcode.SETATTR, this.#node());
        return this.#put(abi.SetattrIn, { valid: abi.FATTR_SIZE });
      case 4:
        this.#begin(random.pick([Opcode.OPENDIR, Opcode.RELEASEDIR]), abi.FUSE_ROOT_ID);
        return this.#put(abi.OpenIn);
      case 5:
      case 6:
        this.#begin(Opcode.READDIR, abi.FUSE_ROOT_ID);
        return this.#put(abi.ReadIn, {
          offset: random.chance(0.7) ? random.below(6) : random.edge(),
          size: random.edge(),
        });
      case 7:
        this.#begin(random.pick([Opcode.STATFS, Opcode.ACCESS]), this.#node());
        return this.#put(abi.AccessIn);
      case 8:
        this.#begin(Opcode.INIT);
        return this.#put(abi.InitIn, {
          major: 7,
          minor: random.edge(),
          flags: random.edge() | abi.FUSE_INIT_EXT,
          flags2: random.chance(0.9) ? abi.FLAGS2_DIRECT_IO_ALLOW_MMAP : random.edge(),
        });
      case 9:
        this.#begin(Opcode.CUSE_INIT);
        return this.#put(abi.CuseInitIn, { major: 7, minor: random.edge() });
      case 10:
        return this.#begin(Opcode.DESTROY);
      default:
        this.#begin(random.chance(0.8) ? random.below(60) : random.edge(), this.#node());
        return this.#append(random.below(200));
    }
  }

  /** Spoils the composed request, but for its unique, which the kernel would not give out twice. */
  #mutate(): void {
    const random = this.#random;
    const kind = random.below(10);
    if (kind < 6) {
      for (let i = random.below(6); i >= 0; i--) {
        // The front, where the meaning is, more often than the data.
        const at = random.below(random.chance(0.8) ? Math.min(this.#length, 120) : this.#length);
        if (at >= InHeader.unique && at < InHeader.nodeid) continue;
        this.#bytes[at] = random.chance(0.5)
          ? random.edge()
          : this.#bytes[at] ^ 1 << random.below(8);
      }
    }
    if (kind === 6) this.#length = random.below(this.#length + 1); // less than the header says
    if (kind === 7) this.#extend(BODY + random.below(Math.max(1, this.#length - BODY)));
    if (kind === 8) this.#extend(Math.min(this.#length + random.below(300), REQUEST_BUFFER_BYTES));
    if (kind === 9) this.#view.setUint32(InHeader.len, random.edge(), true);
  }

  #passTime(): void {
    const random = this.#random;
    const dice = random.below(10);
    const { nextMs } = this.schedule;
    if (dice < 5) this.#runAt(this.#time.nowMs + random.below(2000) / 100);
    else if (dice < 9 && nextMs < Infinity) this.#runAt(nextMs);
    else if (dice === 9) this.#runAt(this.#time.nowMs + random.edge());
  }

  #runAt(ms: number): void {
    this.#time.nowMs = Math.max(ms, this.#time.nowMs);
    this.turnClock.next();
    this.#completeStores();
    this.schedule.run(this.#time.nowMs);
    assertEquals(this.#asked.size, this.session.parkedRequests);
  }

  /** Closes and forgets everything, in one of the ways in which that happens. */
  #giveBack(): void {
    const random = this.#random;
    if (random.chance(0.3)) {
      for (const unique of [...this.#asked.keys()]) {
        this.#composeInterrupt(unique);
        this.#send();
      }
      assertEquals(this.session.parkedRequests, 0, "parked, though interrupted");
    }
    for (const fh of this.#opened.splice(0)) {
      this.#composeRelease(fh);
      this.#send();
    }
    this.#open.length = 0;
    // A write that waits takes a turn for each of its fragments; the slowest, a long time for each.
    for (let i = 0; i < MOST_TURNS && this.schedule.nextMs < Infinity; i++) {
      this.#runAt(i % 16 === 0 ? this.#time.nowMs + LONGEST_MS : this.schedule.nextMs);
    }
    while (this.#stores.length > 0) this.#completeStores();
    assertEquals(this.schedule.nextMs, Infinity, "something is always due");
    assertEquals(this.session.parkedRequests, 0, "parked for ever");
    assertEquals(this.session.openFiles, 0);
    assertEquals(this.dsp.host.streams.size, 0, "streams that do not end");
    for (const nodeid of this.#nodes.splice(0)) {
      this.#begin(Opcode.FORGET, nodeid);
      this.#put(abi.ForgetIn, { nlookup: 1 });
      this.#send();
    }
    assertEquals(this.directory?.nodeCount ?? 0, 0);
    this.#pollHandles.clear();
  }
}

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

/** What is alive, JavaScript's heap and the memory of its buffers, in bytes. */
function liveBytes(): number {
  collectGarbage();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

Deno.test("random requests get one answer each, and leave nothing behind", () => {
  prepareSlips();
  using time = new TestTime();
  const random = fuzzRandom();
  const kernels = (["fuse", "cuse"] as const).flatMap((frontend) =>
    (["free", "real"] as const).map((clock) => new Kernel(random, time, frontend, clock))
  );
  const rounds = Math.ceil(fuzzCount(REQUESTS) / REQUESTS_A_ROUND / 2);
  const half = () => {
    for (let i = 0; i < rounds; i++) kernels[i % kernels.length].round(REQUESTS_A_ROUND);
    return liveBytes();
  };
  const growth = -half() + half();
  assert(growth < HEAP_GROWTH_BYTES, `${growth} bytes more are alive after the second half`);
  // That the generator still meets the code: many requests mean something to it.
  for (const { clock, requests, successes, parkings } of kernels.slice(0, rounds)) {
    assert(successes > requests / 4, `${successes} of ${requests} requests succeeded`);
    if (clock === "real") assert(parkings > requests / 100, `${parkings} of ${requests} parked`);
  }
  if (fuzzCount(REQUESTS) >= REQUESTS) {
    // Whatever a program can do was done.
    for (const { name, command, refusal } of [...DSP_CALLS.values(), ...MIXER_CALLS.values()]) {
      // Controls want to be named by the time that the mixer has told.
      if (/^SNDCTL_MIX_(READ|WRITE|ENUMINFO|DESCRIPTION)$/.test(name)) continue;
      const made = kernels.some((kernel) => kernel.made.has(command));
      assertEquals(made, refusal === undefined, `whether ${name} has ever succeeded`);
    }
  }
  const stores = kernels.reduce((sum, kernel) => sum + kernel.stores, 0);
  if (fuzzCount(REQUESTS) >= REQUESTS) assert(stores > 0, "nothing was shown in a mapping");
});
