// A clock that counts frames: at the sample rate, or as fast as anyone asks.

/** How a sink without a clock of its own keeps time. */
export type ClockKind = "real" | "free";

// A timer may fire a little before the time it was set to, by rounding; a frame that is due must
// count as past then.
const EARLY_MS = 0.002;

// A free clock's frames are always due; whoever cannot take them now asks again after this.
const RETRY_MS = 5;

/** Counts the frames that have become due since the start. Times are in milliseconds. */
export class FrameClock {
  #startMs = 0;
  #taken = 0;
  #running = false;

  constructor(readonly kind: ClockKind, readonly rateHz: number) {}

  /** Sets the clock going from zero. */
  start(nowMs: number): void {
    this.#startMs = nowMs;
    this.#taken = 0;
    this.#running = true;
  }

  get running(): boolean {
    return this.#running;
  }

  /** Stands the clock still. */
  stop(): void {
    this.#running = false;
  }

  /** The frames that are due and not taken yet; without a limit on a free clock. */
  due(nowMs: number): number {
    return Math.max(0, this.lag(nowMs));
  }

  /** As `due`; less than 0 when frames were taken before their time. */
  lag(nowMs: number): number {
    if (!this.#running) return 0;
    if (this.kind === "free") return Infinity;
    const passed = Math.floor((nowMs + EARLY_MS - this.#startMs) * this.rateHz / 1000);
    return passed - this.#taken;
  }

  /** Notes that `frames` of those that are due have been taken. */
  take(frames: number): void {
    this.#taken += frames;
  }

  /** The time at which `frames` will be due. */
  timeOf(frames: number, nowMs: number): number {
    if (this.kind === "free") return nowMs + RETRY_MS;
    return this.#startMs + (this.#taken + frames) * 1000 / this.rateHz;
  }
}
