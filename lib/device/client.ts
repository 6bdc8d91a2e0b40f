// The program behind a request, as /proc tells it.

import { getpgid } from "../../ffi/libc.ts";
import type { Client } from "../backend/sink.ts";
import type { Caller } from "../fuse/device.ts";
import type { MixerScope } from "../oss/mixer.ts";

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

/** Who moves levels together with whoever opens a file: a process group, a user, or everybody. */
export function ownerOf(scope: MixerScope, { pid, uid }: Caller): number {
  if (scope === "all") return 0;
  // 0 is who has no process in our namespace; for getpgid(2) it is ourselves.
  return scope === "user" ? uid : pid === 0 ? 0 : getpgid(pid);
}

/** The process that a thread belongs to, undefined when the thread is gone. */
export function threadGroup(tid: number): number | undefined {
  return threadGroupOf(readStatus(tid));
}

/**
 * Whether a process has a descriptor of a device.
 *
 * @param name the device's name
 * @param inode the inode number of its file
 */
export function holdsDevice(pid: number, name: string, inode: number): boolean {
  try {
    return [...Deno.readDirSync(`/proc/${pid}/fdinfo`)].some((fd) =>
      isDevice(pid, fd.name, name, inode)
    );
  } catch {
    return false;
  }
}

function isDevice(pid: number, fd: string, name: string, inode: number): boolean {
  try {
    // proc_pid_fdinfo(5). What the descriptor links to must not be asked of a kernel that says this
    // (5.14 and newer): later ones wait there until a program that replaces itself by exec(3) has done
    // so, and it waits for us while it closes the device.
    const found = Deno.readTextFileSync(`/proc/${pid}/fdinfo/${fd}`).match(/^ino:\t(\d+)$/m);
    if (found) return Number(found[1]) === inode;
    // A node that is looked up anew for each open is shown as deleted.
    const path = Deno.readLinkSync(`/proc/${pid}/fd/${fd}`).replace(/ \(deleted\)$/, "");
    return path.endsWith(`/${name}`);
  } catch {
    return false; // closed meanwhile
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
