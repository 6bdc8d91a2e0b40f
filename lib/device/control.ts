// The control device of a script's own run: each process of the script opens it once, lets time pass
// by it, and has faults set. It is there only where the clock is the script's.

import { EINTR, EINVAL, ENOTTY, POLLIN } from "../../ffi/libc.ts";
import type { Faults } from "../backend/faults.ts";
import type { Caller, Device, OpenFile } from "../fuse/device.ts";
import type { Session } from "../fuse/session.ts";
import { IOW, IOWR } from "../oss/soundcard.ts";
import { struct } from "../struct.ts";
import { PlainFile } from "./plain_file.ts";
import type { Schedule, Scheduled } from "./schedule.ts";
import type { VirtualClock } from "./virtual_clock.ts";

/** The name of its file, beside the devices. */
export const CONTROL_NAME = "control";

/** A time of the script's: milliseconds as a double. */
const TIME_BYTES = 8;

/** FAULT's argument: a number of `FAULT_KINDS`, and a double whose meaning depends on it. */
export const FaultArgument = struct("ossp_fault", { kind: "u32", padding: "u32", value: "u64" });

/** The faults that can be set: errnos, milliseconds, or a number of frames. */
export const FAULT_KINDS = [
  "none",
  "sink-error",
  "sink-open",
  "sink-slow",
  "short-write",
  "source-error",
  "server-lost",
  "clock-late",
] as const;

/** Waits until it is so late: the time, there and back. */
export const CONTROL_ADVANCE = IOWR("o", 1, TIME_BYTES);
/** What time it is: the argument is ignored. */
export const CONTROL_NOW = IOWR("o", 2, TIME_BYTES);
/** The control device becomes readable for poll(2) when it is so late; a new poll(2) begins. */
export const CONTROL_ALARM = IOWR("o", 3, TIME_BYTES);
/** Waits until no process is left whose parent is the one that asks: the argument is ignored. */
export const CONTROL_JOIN = IOWR("o", 4, TIME_BYTES);
/** Makes something go wrong. */
export const CONTROL_FAULT = IOW("o", 5, FaultArgument.$size);

// Who waits so long for something that is not a time waits for ever.
const HANG_MS = 600_000;

/** The device. */
export class ControlDevice implements Device, Scheduled {
  readonly name = CONTROL_NAME;
  readonly #files: ControlFile[] = [];

  constructor(
    readonly clock: VirtualClock,
    readonly faults: Faults,
    readonly schedule: Schedule,
  ) {
    schedule.add(this);
  }

  open(session: Session, _nodeid: number, caller: Caller): OpenFile {
    const { pid } = caller;
    const file = new ControlFile(session, pid, parentOf(pid), this);
    this.#files.push(file);
    this.clock.enter(pid);
    this.schedule.update(this);
    return file;
  }

  /** The next alarm; or else when those who still wait are given up. */
  get dueMs(): number {
    const next = Math.min(...this.#files.map(({ dueMs }) => dueMs));
    if (next !== Infinity || this.#files.length === 0) return next;
    return this.clock.wokenMs + HANG_MS;
  }

  /** Wakes one process: the next when all sleep again, so that each run is like the last. */
  run(): void {
    if (!this.clock.everybodySleeps()) return;
    const nowMs = this.clock.now();
    const due = this.#files.filter(({ dueMs }) => dueMs <= nowMs);
    due.sort((one, other) => one.dueMs - other.dueMs);
    if (due.length > 0) due[0].wake();
    else this.clock.interruptAll();
  }

  /** Whether a process has others that it has started. */
  hasChildren(pid: number): boolean {
    return this.#files.some(({ parent }) => parent === pid);
  }

  close(file: ControlFile): void {
    this.#files.splice(this.#files.indexOf(file), 1);
    this.clock.leave(file.pid);
    for (const other of this.#files) if (other.pid === file.parent) other.childHasEnded();
  }

  fault(kind: number, value: number): boolean {
    const { faults, clock } = this;
    const nowMs = clock.now();
    switch (FAULT_KINDS[kind]) {
      case "none":
        clock.lateMs = 0;
        faults.clear(nowMs);
        return true;
      case "sink-error":
        faults.sinkError = value;
        return true;
      case "sink-open":
        faults.sinkOpenError = value;
        return true;
      case "sink-slow":
        faults.stall(nowMs, value);
        return true;
      case "short-write":
        faults.mostFrames = Math.max(1, value);
        return true;
      case "source-error":
        faults.sourceError = value;
        return true;
      case "server-lost":
        faults.lostUntilMs = nowMs + value;
        return true;
      case "clock-late":
        clock.lateMs = value;
        return true;
      default:
        return false;
    }
  }
}

/** One process's open of it. */
class ControlFile extends PlainFile {
  /** When it is to be woken; Infinity for not by the time. */
  dueMs = Infinity;
  readonly #device: ControlDevice;
  /** The call that waits, 0 for none. */
  #waiting = 0;
  #joins = false;
  /** Whether the time of the alarm has come. */
  #rings = false;
  #pollHandle: number | undefined;

  constructor(
    session: Session,
    readonly pid: number,
    readonly parent: number,
    device: ControlDevice,
  ) {
    super(session);
    this.#device = device;
  }

  override ioctl(unique: number, command: number, _inSize: number, outSize: number): void {
    const { argument } = this.session;
    const device = this.#device;
    const timeMs = argument.getFloat64(0, true);
    switch (command) {
      case CONTROL_NOW:
        return this.#answer(unique, outSize);
      case CONTROL_ADVANCE:
        this.dueMs = timeMs;
        return this.#wait(unique);
      case CONTROL_ALARM:
        this.dueMs = timeMs;
        this.#rings = false;
        device.clock.polls(this.pid);
        device.schedule.update(device);
        return this.#answer(unique, outSize);
      case CONTROL_JOIN:
        if (!device.hasChildren(this.pid)) return this.#answer(unique, outSize);
        this.#joins = true;
        return this.#wait(unique);
      case CONTROL_FAULT: {
        const value = argument.getFloat64(FaultArgument.value, true);
        if (!device.fault(argument.getUint32(FaultArgument.kind, true), value)) {
          return this.session.replyError(unique, EINVAL);
        }
        return this.session.replyIoctl(unique, 0, outSize);
      }
      default:
        return this.session.replyError(unique, ENOTTY);
    }
  }

  #wait(unique: number): void {
    this.#waiting = unique;
    this.session.park(unique, this);
    this.#device.schedule.update(this.#device);
  }

  #answer(unique: number, outSize: number): void {
    this.session.argument.setFloat64(0, this.#device.clock.now(), true);
    this.session.replyIoctl(unique, 0, outSize);
  }

  /** Its time has come. */
  wake(): void {
    this.dueMs = Infinity;
    if (this.#waiting !== 0) return this.#finish();
    this.#rings = true;
    if (this.#pollHandle !== undefined) this.session.notifyPoll(this.#pollHandle);
    this.#pollHandle = undefined;
  }

  #finish(): void {
    const unique = this.#waiting;
    this.#waiting = 0;
    this.#joins = false;
    this.#answer(unique, TIME_BYTES);
  }

  /** Perhaps it was the last one that is waited for. */
  childHasEnded(): void {
    if (this.#joins && !this.#device.hasChildren(this.pid)) this.#finish();
  }

  override poll(unique: number, events: number, kh: number, notify: boolean): void {
    const ready = this.#rings ? POLLIN : 0;
    if (notify) this.#pollHandle = kh;
    this.session.replyPoll(unique, ready & events);
  }

  override interrupt(unique: number): void {
    if (unique !== this.#waiting) return;
    this.#waiting = 0;
    this.#joins = false;
    this.dueMs = Infinity;
    this.session.replyError(unique, EINTR);
  }

  override release(unique: number): void {
    this.#device.close(this);
    this.session.replyEmpty(unique);
  }
}

/** The parent of a process, 0 when it is gone: proc_pid_stat(5). */
function parentOf(pid: number): number {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return Number(stat.slice(stat.lastIndexOf(")")).split(" ")[2]);
  } catch {
    return 0;
  }
}
