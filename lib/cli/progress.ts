// A line on a terminal that says how far something has got; nothing elsewhere.

const SHOW_EVERY_MS = 100;
const BAR_CELLS = 30;

/** Progress in time. */
export class Progress {
  readonly #shown = Deno.stderr.isTerminal();
  readonly #encoder = new TextEncoder();
  #lastMs = 0;

  /** @param totalSeconds where it ends; Infinity when nobody knows */
  constructor(readonly totalSeconds: number) {}

  show(seconds: number): void {
    if (!this.#shown || performance.now() - this.#lastMs < SHOW_EVERY_MS) return;
    this.#lastMs = performance.now();
    if (this.totalSeconds === Infinity) return this.#write(`\r${minutes(seconds)}`);
    const full = Math.round(BAR_CELLS * Math.min(1, Math.max(0, seconds) / this.totalSeconds));
    const bar = "=".repeat(full).padEnd(BAR_CELLS);
    this.#write(`\r[${bar}] ${minutes(seconds)} / ${minutes(this.totalSeconds)}`);
  }

  end(): void {
    if (this.#shown) this.#write("\r\x1b[K");
  }

  #write(text: string): void {
    Deno.stderr.writeSync(this.#encoder.encode(text));
  }
}

function minutes(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
