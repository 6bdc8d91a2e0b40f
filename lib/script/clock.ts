// The time that a script lives in: the machine's, or its own, which the control device of its own
// devices lets pass.

import {
  close,
  EINTR,
  ioctl,
  lastErrno,
  O_RDONLY,
  open,
  poll,
  pollAll,
  POLLFD_SIZE,
  POLLIN,
  SystemError,
} from "../../ffi/libc.ts";
import {
  CONTROL_ADVANCE,
  CONTROL_ALARM,
  CONTROL_FAULT,
  CONTROL_JOIN,
  CONTROL_NOW,
  FAULT_KINDS,
  FaultArgument,
} from "../device/control.ts";
import type { Fault } from "./statement.ts";

/** The time of a script, in milliseconds from anywhere. */
export interface ScriptClock {
  /** Whether times are exact. */
  readonly exact: boolean;
  now(): number;
  waitUntil(ms: number): void;
  /** poll(2) of one descriptor: the events that have come, 0 when the time is over. */
  poll(fd: number, events: number, timeoutMs: number): number;
  /** Lets time pass until no process is left that this one has started. */
  join(): void;
  /** Makes something go wrong; only where times are exact. */
  fault(fault: Fault, value: number): void;
  close(): void;
}

/** The machine's time. */
export class RealClock implements ScriptClock {
  readonly exact = false;
  readonly #sleeper = new Int32Array(new SharedArrayBuffer(4));

  now(): number {
    return performance.now();
  }

  waitUntil(ms: number): void {
    const restMs = ms - this.now();
    if (restMs > 0) Atomics.wait(this.#sleeper, 0, 0, restMs);
  }

  poll(fd: number, events: number, timeoutMs: number): number {
    return poll(fd, events, Math.ceil(timeoutMs));
  }

  join(): void {}

  fault(): void {
    throw new Error("faults can be set only of the script's own devices");
  }

  close(): void {}
}

/** The script's own time, behind the control device. */
export class ControlledClock implements ScriptClock {
  readonly exact = true;
  readonly #fd: number;
  readonly #time = new Uint8Array(8);
  readonly #view = new DataView(this.#time.buffer);

  /** @param path the control device; this process must not have it open yet */
  constructor(readonly path: string) {
    this.#fd = open(path, O_RDONLY);
  }

  #call(command: number, argument = this.#time): void {
    while (ioctl(this.#fd, command, argument) < 0) {
      if (lastErrno() !== EINTR) throw new SystemError(lastErrno(), "ioctl", this.path);
    }
  }

  now(): number {
    this.#call(CONTROL_NOW);
    return this.#view.getFloat64(0, true);
  }

  waitUntil(ms: number): void {
    this.#view.setFloat64(0, ms, true);
    this.#call(CONTROL_ADVANCE);
  }

  poll(fd: number, events: number, timeoutMs: number): number {
    this.#view.setFloat64(0, this.now() + timeoutMs, true);
    this.#call(CONTROL_ALARM);
    const fds = new Uint8Array(2 * POLLFD_SIZE);
    const view = new DataView(fds.buffer);
    view.setInt32(0, this.#fd, true);
    view.setInt16(4, POLLIN, true);
    view.setInt32(POLLFD_SIZE, fd, true);
    view.setInt16(POLLFD_SIZE + 4, events, true);
    pollAll(fds, 2, -1);
    return view.getInt16(POLLFD_SIZE + 6, true);
  }

  join(): void {
    this.#call(CONTROL_JOIN);
  }

  fault(fault: Fault, value: number): void {
    const bytes = new Uint8Array(FaultArgument.$size);
    const view = new DataView(bytes.buffer);
    view.setUint32(FaultArgument.kind, FAULT_KINDS.indexOf(fault), true);
    view.setFloat64(FaultArgument.value, value, true);
    this.#call(CONTROL_FAULT, bytes);
  }

  close(): void {
    close(this.#fd);
  }
}
