// The event loop of the data plane: one epoll, one timer, no await. Whatever runs in it must not
// wait for anything.

import {
  close,
  EPOLL_EVENT_SIZE,
  epollAdd,
  epollCreate,
  epollFd,
  epollRemove,
  epollWait,
  POLLIN,
  read,
  timerFd,
  timerSet,
} from "../../ffi/libc.ts";
import { Schedule } from "../device/schedule.ts";
import { TurnClock } from "../device/turn_clock.ts";

const MAX_EVENTS = 16;

/** Calls a handler when its descriptor is readable, and scheduled things when they are due. */
export class Loop {
  readonly schedule = new Schedule();
  readonly clock = new TurnClock();
  readonly #epoll = epollCreate();
  readonly #timer = timerFd();
  readonly #timerBytes = new Uint8Array(8);
  readonly #handlers = new Map<number, () => void>();
  #armedMs = Infinity;
  #stopped = false;

  constructor() {
    this.add(this.#timer, () => {
      read(this.#timer, this.#timerBytes, this.#timerBytes.length);
      this.#armedMs = Infinity;
    });
  }

  /** Calls `handler` whenever `fd` is readable; level-triggered. */
  add(fd: number, handler: () => void): void {
    epollAdd(this.#epoll, fd, POLLIN);
    this.#handlers.set(fd, handler);
  }

  /** Forgets a descriptor that is still open. */
  remove(fd: number): void {
    epollRemove(this.#epoll, fd);
    this.#handlers.delete(fd);
  }

  /** Runs until `stop`, then lets go of its descriptors. */
  run(): void {
    const events = new Uint8Array(MAX_EVENTS * EPOLL_EVENT_SIZE);
    const view = new DataView(events.buffer);
    while (!this.#stopped) {
      const { nextMs } = this.schedule;
      // A timer that fires too early costs a turn of the loop; setting it anew each time costs more.
      if (nextMs < this.#armedMs) {
        timerSet(this.#timer, nextMs - this.clock.now());
        this.#armedMs = nextMs;
      }
      const count = epollWait(this.#epoll, events, MAX_EVENTS);
      this.clock.next();
      for (let i = 0; i < count; i++) this.#handlers.get(epollFd(view, i))?.();
      if (this.schedule.nextMs !== Infinity) this.schedule.run(this.clock.now());
    }
    close(this.#timer);
    close(this.#epoll);
  }

  /** Ends `run` at the end of this turn. */
  stop(): void {
    this.#stopped = true;
  }
}
