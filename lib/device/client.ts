// The program behind a request, as /proc tells it.

import type { Client } from "../backend/sink.ts";

/** A program that has opened a device; looked up at once, for threads and programs come and go. */
export class ProcessClient implements Client {
  /** The process that the thread belongs to, undefined when it is gone. */
  readonly process: number | undefined;
  /** Its name, at most 15 bytes; "unknown" when it is gone. */
  readonly command: string;

  /** @param pid the id of the thread that opened the device */
  constructor(readonly pid: number) {
    const status = readStatus(pid);
    this.process = threadGroupOf(status);
    this.command = status.match(/^Name:\t(.+)$/m)?.[1] ?? "unknown";
  }
}

/** The process that a thread belongs to, undefined when the thread is gone. */
export function threadGroup(tid: number): number | undefined {
  return threadGroupOf(readStatus(tid));
}

/** Whether a process has a descriptor of a device of this name. */
export function holdsDevice(pid: number, name: string): boolean {
  try {
    const folder = `/proc/${pid}/fd`;
    // A node that is looked up anew for each open is shown as deleted.
    const file = new RegExp(`/${name}(?: \\(deleted\\))?$`);
    return [...Deno.readDirSync(folder)].some((entry) => {
      try {
        return file.test(Deno.readLinkSync(`${folder}/${entry.name}`));
      } catch {
        return false; // closed meanwhile
      }
    });
  } catch {
    return false;
  }
}

function threadGroupOf(status: string): number | undefined {
  const match = status.match(/^Tgid:\t(\d+)$/m);
  return match ? Number(match[1]) : undefined;
}

/** /proc/PID/status (proc_pid_status(5)), empty when there is no such process. */
function readStatus(pid: number): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/status`);
  } catch {
    return "";
  }
}
