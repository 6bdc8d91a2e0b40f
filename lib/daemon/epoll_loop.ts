// The loop on epoll, for kernels without io_uring.

import {
  close,
  EAGAIN,
  EINTR,
  EPOLL_EVENT_SIZE,
  epollAdd,
  epollCreate,
  epollFd,
  epollRemove,
  epollWait,
  lastErrno,
  POLLIN,
  read,
  timerFd,
  timerSet,
  write,
} from "../../ffi/libc.ts";
import { Schedule } from "../device/schedule.ts";
import { TurnClock } from "../device/turn_clock.ts";
import type { Loop, OnWriteError, Reader } from "./loop.ts";

const MAX_EVENTS = 16;

/** A level-triggered epoll and a timer. */
export class EpollLoop implements Loop {
  readonly schedule = new Schedule();
  readonly clock: TurnClock;
  readonly #epoll = epollCreate();
  readonly #timer = timerFd();
  readonly #readers = new Map<number, Reader>();
  readonly #onWriteError: OnWriteError;
  #armedMs = Infinity;
  #stopped = false;

  constructor(onWriteError: OnWriteError, clock = new TurnClock()) {
    this.clock = clock;
    this.#onWriteError = onWriteError;
    this.add({
      fd: this.#timer,
      buffer: new Uint8Array(8),
      onRead: () => this.#armedMs = Infinity,
    });
  }

  add(reader: Reader): void {
    epollAdd(this.#epoll, reader.fd, POLLIN);
    this.#readers.set(reader.fd, reader);
  }

  remove(reader: Reader): void {
    epollRemove(this.#epoll, reader.fd);
    this.#readers.delete(reader.fd);
  }

  write(fd: number, buffer: Uint8Array<ArrayBuffer>, length: number): void {
    if (write(fd, buffer, length) < 0) this.#onWriteError(lastErrno());
  }

  run(): void {
    const events = new Uint8Array(MAX_EVENTS * EPOLL_EVENT_SIZE);
    const view = new DataView(events.buffer);
    while (!this.#stopped) {
      const { nextMs } = this.schedule;
      // A timer that fires too early costs a turn of the loop; setting it anew each time costs more.
      if (nextMs < this.#armedMs) {
        const delayMs = this.clock.delayMs(nextMs);
        if (delayMs !== Infinity) {
          timerSet(this.#timer, delayMs);
          this.#armedMs = nextMs;
        }
      }
      const count = epollWait(this.#epoll, events, MAX_EVENTS);
      this.clock.next();
      for (let i = 0; i < count; i++) this.#read(this.#readers.get(epollFd(view, i)));
      if (this.schedule.nextMs !== Infinity) this.schedule.run(this.clock.now());
    }
  }

  #read(reader: Reader | undefined): void {
    if (!reader) return;
    const { fd, buffer } = reader;
    const count = read(fd, buffer, buffer.length);
    const errno = count < 0 ? lastErrno() : 0;
    if (errno !== EAGAIN && errno !== EINTR) reader.onRead(count < 0 ? -errno : count);
  }

  stop(): void {
    this.#stopped = true;
  }

  close(): void {
    close(this.#timer);
    close(this.#epoll);
  }
}
