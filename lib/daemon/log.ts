// The log: lines on standard error, as text or JSON.

import type { LogLevel } from "./messages.ts";

/** The levels from the gravest on. */
export const LOG_LEVELS: readonly LogLevel[] = ["error", "warn", "info", "debug"];

/** How a line is written. */
export type LogFormat = "text" | "json";

/** Writes lines of a level and the graver ones. */
export class Log {
  readonly #rank: number;

  constructor(level: LogLevel, readonly format: LogFormat) {
    this.#rank = LOG_LEVELS.indexOf(level);
  }

  write(level: LogLevel, message: string): void {
    if (LOG_LEVELS.indexOf(level) > this.#rank) return;
    const line = this.format === "json"
      ? JSON.stringify({ time: new Date().toISOString(), level, message })
      : `ossp: ${message}`;
    const bytes = new TextEncoder().encode(line + "\n");
    try {
      for (let at = 0; at < bytes.length;) at += Deno.stderr.writeSync(bytes.subarray(at));
    } catch {
      // Nobody reads standard error any more: the sound goes on.
    }
  }
}
