// Who sees which programs sleep in the kernel until a session answers them: a clock that stands while
// one of them works.

/** Is told when a program goes to sleep and when it is woken. */
export interface Watcher {
  /** A thread's request waits for its answer; `interrupt` answers it as a signal would. */
  parked(unique: number, pid: number, interrupt: () => void): void;
  /** What was parked is answered now. */
  answered(unique: number): void;
  /** A thread's poll(2) asks a file and hears what is ready: 0 for nothing. */
  polled(pid: number, handle: number, events: number): void;
  /** Who sleeps in poll(2) on this handle will ask again. */
  notified(handle: number): void;
}
