// Whether a program that looks a file up only wants to know what it is. FUSE does not say; the
// system call that the program waits in does.

/** Those that tell a file's type by its path: stat, lstat, newfstatat, statx, and i386's. */
const STAT_CALLS: ReadonlySet<number> = new Set(
  Deno.build.arch === "aarch64"
    ? [79, 291]
    // No other call of either has one of these numbers and looks up a name.
    : [4, 6, 262, 332, 195, 196, 300, 383],
);

/** It says "running" of a thread that has asked and does not sleep yet, for some microseconds. */
const TRIES = 50;

/**
 * Whether a thread whose request is being served is in stat(2) or its kin.
 *
 * @param tid of a thread; of one that we may not look into nothing is known
 * @returns false where the kernel does not say it (proc_pid_syscall(5))
 */
export function onlyLooks(tid: number): boolean {
  try {
    for (let i = 0; i < TRIES; i++) {
      const text = Deno.readTextFileSync(`/proc/${tid}/syscall`);
      if (text !== "running\n") return STAT_CALLS.has(parseInt(text));
    }
  } catch {
    // It is gone, is not ours to look into, or the kernel has no such file.
  }
  return false;
}
