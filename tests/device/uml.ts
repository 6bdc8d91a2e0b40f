// A Linux kernel with /dev/cuse, for tests: Debian's user-mode-linux, booted as an ordinary child
// process on this machine's own files (hostfs), to run one shell script as root.
//
// What keeps a boot from leaving anything behind: the kernel and the many host processes it forks
// live in a process-id namespace whose first process, a shell, the host kernel kills when this test
// process ends or kills it, and a namespace dies with its first process. The guest's memory, its
// control socket and the job that it is handed lie in a memory file system that only that namespace
// sees, and go with it.

import { TextLineStream } from "@std/streams";
import { findProgram } from "../../lib/daemon/namespace.ts";

/** The machine's own root shows through in the guest, except at these places. */
const HIDDEN = ["/dev", "/proc", "/sys"];
const REPOSITORY = import.meta.dirname!.replace(/\/tests\/device$/, "");
const INIT = `${import.meta.dirname}/init.pl`;

/** Lines of the script's and of the kernel's output that an error carries. */
const TAIL_LINES = 60;

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

/** What to run, and how. */
export interface UmlOptions {
  /** Shell commands for `sh -c`, run as root in the repository's folder. */
  readonly script: string;
  /** Added to the environment, which is otherwise only PATH, HOME (empty, gone afterwards), TERM,
   * NO_COLOR, XDG_RUNTIME_DIR and DENO_DIR. */
  readonly env?: Readonly<Record<string, string>>;
  /** Host folders that must be seen in the guest though they lie under /tmp or /run, where the guest
   * has file systems of its own. The repository and the folder of the `deno` that runs this always
   * are. Everything else of the host is seen at its own path and can be written to. */
  readonly folders?: readonly string[];
  /** Memory of the guest in MiB, 1024 by default; the host gives only what is touched. */
  readonly memoryMb?: number;
  /** From the start of the boot; then the kernel is killed. */
  readonly timeoutSeconds: number;
  /** Gets every line of the script's output (standard output and error together) as it comes. */
  readonly onLine?: (line: string) => void;
}

/** How a script ended in a guest that then powered off in good order. */
export interface UmlResult {
  /** Exit status of the script. */
  readonly status: number;
  /** Everything that the script printed, standard output and error together. */
  readonly output: string;
  /** What the kernel printed. */
  readonly console: string;
  /** Host time from the start of the boot to the start of the script, in milliseconds. */
  readonly bootMs: number;
}

/**
 * Why there is no exit status:
 * - `missing`: a program that the boot needs is not installed
 * - `start`: the kernel or the guest's set-up failed before the script ran
 * - `panic`: the guest's kernel found a fault in itself, or its process 1 was killed
 * - `power-off`: something powered the guest off, or rebooted it, while the script ran
 * - `killed`: the kernel's process was killed from outside
 * - `timeout`: the script did not end in time
 */
export type UmlFailure = "missing" | "start" | "panic" | "power-off" | "killed" | "timeout";

/** A boot that gave no exit status. The message ends with the last lines of both outputs. */
export class UmlError extends Error {
  override name = "UmlError";

  constructor(
    readonly failure: UmlFailure,
    what: string,
    readonly output: string,
    readonly console: string,
  ) {
    super([what, ...tail("output", output), ...tail("kernel", console)].join("\n"));
  }
}

function tail(title: string, text: string): string[] {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.length === 0 ? [] : [`-- ${title}:`, ...lines.slice(-TAIL_LINES)];
}

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
function jobText(options: UmlOptions, token: string): string {
  const deno = Deno.execPath().replace(/\/[^/]*$/, "");
  const environment = {
    HOME: "/run/home",
    PATH: `${deno}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    TERM: "dumb",
    NO_COLOR: "1",
    XDG_RUNTIME_DIR: "/run/user/0",
    DENO_DIR: "/tmp/deno",
    ...options.env,
  };
  return [
    `token=${token}`,
    `script=${options.script}`,
    `directory=${REPOSITORY}`,
    ...[REPOSITORY, deno, ...options.folders ?? []].map((folder) => `folder=${folder}`),
    ...Object.entries(environment).map(([name, value]) => `env=${name}=${value}`),
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
  // An ordinary user is root in a user namespace of his own, as far as mounts go.
  const user = Deno.uid() === 0 ? [] : ["--user", "--map-root-user"];
  const words = ["--pdeathsig", "KILL", "--", "unshare", ...user, "--mount", "--pid", "--fork"];
  // The memory file system holds the guest's memory and a few small files.
  const launch = [LAUNCHER, "sh", String(memoryMb + 16), String(nextCpu())];
  return new Deno.Command("setpriv", {
    args: [...words, "--kill-child", "--", "sh", "-c", ...launch, ...kernel],
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
 * @returns the script's exit status and what it printed
 * @throws {UmlError} when there is no such status
 */
export async function bootUml(options: UmlOptions): Promise<UmlResult> {
  const missing = umlMissing();
  if (missing) throw new UmlError("missing", missing, "", "");
  const hidden = options.folders?.find((folder) =>
    HIDDEN.some((place) => `${folder}/`.startsWith(`${place}/`))
  );
  if (hidden) throw new TypeError(`a folder of the host's ${hidden} cannot be seen in the guest`);

  const { script, memoryMb = 1024, timeoutSeconds, onLine } = options;
  const token = crypto.randomUUID();
  const started = performance.now();
  const child = spawn(memoryMb);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill("SIGKILL");
  }, timeoutSeconds * 1000);

  const output: string[] = [];
  const console: string[] = [];
  const reports = new Map<string, string>();
  let bootMs = NaN;
  const handOver = async () => {
    const writer = child.stdin.getWriter();
    try {
      await writer.write(new TextEncoder().encode(jobText(options, token)));
      await writer.close();
    } catch {
      // The launcher ended before it read the job; it says why on its standard error.
    }
  };
  const readOutput = async () => {
    for await (const line of lines(child.stdout)) {
      output.push(line);
      onLine?.(line);
    }
  };
  const readConsole = async () => {
    for await (const line of lines(child.stderr)) {
      const [, report, rest] = line.match(`^uml ${token} (\\S+) ?(.*)$`) ?? [];
      if (report) reports.set(report, rest);
      else console.push(line);
      if (report === "ready") bootMs = performance.now() - started;
    }
  };
  let code: number;
  try {
    // The pipes end when the last process of the namespace has.
    await Promise.all([handOver(), readOutput(), readConsole()]);
    ({ code } = await child.status);
  } finally {
    clearTimeout(timer);
  }

  const printed = { output: output.join("\n"), console: console.join("\n") };
  const fail = (failure: UmlFailure, what: string) =>
    new UmlError(failure, what, printed.output, printed.console);
  const panic = printed.console.match(/Kernel panic - not syncing: (.*)/);
  if (panic) throw fail("panic", `the guest's kernel panicked: ${panic[1]}`);
  if (timedOut) throw fail("timeout", `no end after ${timeoutSeconds} s: ${script}`);
  const failed = reports.get("failed");
  if (failed) throw fail("start", failed);
  const status = reports.get("status");
  if (status !== undefined) return { status: Number(status), ...printed, bootMs };
  if (!reports.has("ready")) throw fail("start", `the kernel did not boot (exit status ${code})`);
  if (code === 0) throw fail("power-off", `the guest was powered off while it ran: ${script}`);
  throw fail("killed", `the kernel was killed (exit status ${code}) while it ran: ${script}`);
}

function lines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): ReadableStream<string> {
  return stream.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
}
