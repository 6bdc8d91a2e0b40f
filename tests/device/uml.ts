// A Linux kernel with /dev/cuse, for tests: Debian's user-mode-linux, booted as an ordinary child
// process on this machine's own files (hostfs), to run one shell script as root.
//
// What keeps a boot from leaving anything behind: the kernel and the many host processes it forks
// live in a process-id namespace whose first process, a shell, the host kernel kills when this test
// process ends or kills it, and a namespace dies with its first process. The guest's memory, its
// control socket and the job that it is handed lie in a memory file system that only that namespace
// sees, and go with it.

import { findProgram } from "../../lib/daemon/namespace.ts";
import {
  checkFolders,
  DENO_FOLDER,
  guestEnvironment,
  GuestError,
  type GuestOptions,
  type GuestResult,
  launchWords,
  runGuest,
} from "../guest.ts";

const REPOSITORY = import.meta.dirname!.replace(/\/tests\/device$/, "");
const INIT = `${import.meta.dirname}/init.pl`;

// Host time from boot to the script: 2.5 s without these, 0.5 s with. The first two measure which
// of the RAID and XOR routines is fastest, the third serves no one, and 512 old-style terminals
// cost a device node each.
const QUICK_BOOT = [
  "initcall_blacklist=raid6_select_algo,calibrate_xor_blocks,init_zswap",
  "pty.legacy_count=0",
];

// Standard input is the job. Not `exec`: the shell stays the namespace's first process, because a
// kernel that panics ends itself with a signal that a first process would never get. `setsid`
// because it also sends SIGTERM to its whole process group, which would otherwise be ours.
const LAUNCHER = `
  mount -t tmpfs -o "size=$1m" uml /dev/shm && cat >/dev/shm/job || exit 1
  cpu=$2
  shift 2
  ulimit -c 0
  taskset -c "$cpu" setsid linux.uml "$@" </dev/null
  exit $?`;

/**
 * What this machine lacks for {@linkcode bootUml}.
 *
 * @returns one line that names the Debian package to install; undefined if nothing is missing
 */
export function umlMissing(): string | undefined {
  const packages = { "linux.uml": "user-mode-linux", perl: "perl-base", unshare: "util-linux" };
  for (const [program, name] of Object.entries(packages)) {
    if (!findProgram(program)) return `${program} is missing: apt-get install ${name}`;
  }
}

/** The file that init.pl reads: key=value, each ended by a NUL. */
function jobText(options: GuestOptions, token: string): string {
  return [
    `token=${token}`,
    `script=${options.script}`,
    `directory=${REPOSITORY}`,
    ...[REPOSITORY, DENO_FOLDER, ...options.folders ?? []].map((folder) => `folder=${folder}`),
    ...Object.entries(guestEnvironment(options)).map(([name, value]) => `env=${name}=${value}`),
  ].map((entry) => `${entry}\0`).join("");
}

let boots = Deno.pid;

/**
 * One of the processors that this process may use, in turn. The kernel and the processes that it
 * traces take turns at every system call of the guest; on two processors that takes up to four times
 * as long as on one.
 */
function nextCpu(): number {
  const [, list] = Deno.readTextFileSync("/proc/self/status").match(
    /^Cpus_allowed_list:\s*(.*)$/m,
  )!;
  const cpus = list.split(",").flatMap((range) => {
    const [first, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
  return cpus[boots++ % cpus.length];
}

function spawn(memoryMb: number): Deno.ChildProcess {
  const kernel = [
    `mem=${memoryMb}M`,
    "root=/dev/root",
    "rootfstype=hostfs",
    "rootflags=/",
    "rw",
    "umid=uml",
    "uml_dir=/dev/shm/",
    "con=null",
    "con0=null,fd:1",
    "con1=null,fd:2",
    "console=tty1",
    "ssl=null",
    "quiet",
    "noreboot",
    "oops=panic",
    ...QUICK_BOOT,
    "init=/usr/bin/perl",
    "--",
    `"${INIT}"`,
  ];
  // The memory file system holds the guest's memory and a few small files.
  const launch = [String(memoryMb + 16), String(nextCpu())];
  const [program, ...args] = launchWords(LAUNCHER, ...launch, ...kernel);
  return new Deno.Command(program, {
    args,
    env: { TMPDIR: "/dev/shm" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/**
 * Boots the kernel, runs the script in it and powers it off. Boots may follow each other and run
 * side by side. They end when the thread that called ends, whatever ends it.
 *
 * In the guest, /dev, /proc, /sys, /run, /tmp and /dev/shm are its own, the interface lo is up and
 * /dev/fuse and /dev/cuse are there. Every other file is the host's, at the host's path; hostfs has
 * neither sockets nor fifos and its locks do not reach the host, so DENO_DIR is not shared.
 *
 * Folders of `options` under /tmp or /run, where the guest has file systems of its own, are seen there
 * too, and the repository and the folder of the `deno` that runs this always are.
 *
 * @returns the script's exit status and what it printed
 * @throws {GuestError} when there is no such status
 */
export async function bootUml(options: GuestOptions): Promise<GuestResult> {
  const missing = umlMissing();
  if (missing) throw new GuestError("missing", missing);
  checkFolders(options);
  const token = crypto.randomUUID();
  const startedMs = performance.now();
  const guest = {
    child: spawn(options.memoryMb ?? 1024),
    startedMs,
    input: new TextEncoder().encode(jobText(options, token)),
    report: new RegExp(`^uml ${token} (\\S+) ?(.*)$`),
  };
  return await runGuest(guest, options);
}
