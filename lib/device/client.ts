// The program behind a request, as /proc tells it.

import type { Client } from "../backend/sink.ts";

/** A program that has opened a device, by the id of the thread that did. */
export class ProcessClient implements Client {
  /** The process that the thread belongs to; looked up at once, for threads come and go. */
  readonly process: number | undefined;
  #command: string | undefined;

  constructor(readonly pid: number) {
    this.process = threadGroup(pid);
  }

  /** Its name, at most 15 bytes (proc_pid_comm(5)); "unknown" when it is gone. */
  get command(): string {
    return this.#command ??= readProc(this.pid, "comm")?.trimEnd() ?? "unknown";
  }
}

/** The process that a thread belongs to, undefined when the thread is gone. */
export function threadGroup(tid: number): number | undefined {
  const match = readProc(tid, "status")?.match(/^Tgid:\s*(\d+)$/m);
  return match ? Number(match[1]) : undefined;
}

function readProc(pid: number, file: string): string | undefined {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/${file}`);
  } catch {
    return undefined;
  }
}
