// A kernel that runs one shell script as a test's child process, however it is booted: what it is
// asked, how it answers, and how it can end without an answer.

import { TextLineStream } from "@std/streams";

/** Lines of the script's and of the kernel's output that an error carries. */
const TAIL_LINES = 60;

// The guest has these of its own.
const HIDDEN = ["/dev", "/proc", "/sys"];

/** What to run, and how. */
export interface GuestOptions {
  /** Shell commands for `sh -c`, run as root in the repository's folder. */
  readonly script: string;
  /** Added to the environment, which is otherwise only PATH, HOME (empty, gone afterwards), TERM,
   * NO_COLOR, XDG_RUNTIME_DIR and DENO_DIR. */
  readonly env?: Readonly<Record<string, string>>;
  /** Host folders that must be seen in the guest; who boots it says what they are there. */
  readonly folders?: readonly string[];
  /** Memory of the guest in MiB, 1024 by default; the host gives only what is touched. */
  readonly memoryMb?: number;
  /** From the start of the boot; then the kernel is killed. */
  readonly timeoutSeconds: number;
  /** Gets every line of the script's output (standard output and error together) as it comes. */
  readonly onLine?: (line: string) => void;
}

/** How a script ended in a guest that then powered off in good order. */
export interface GuestResult {
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
 * - `missing`: a program that the boot needs is not installed, or the kernel cannot be had
 * - `start`: the kernel or the guest's set-up failed before the script ran
 * - `panic`: while the script ran, the guest's kernel found a fault in itself, or its process 1 was killed
 * - `power-off`: something powered the guest off, or rebooted it, while the script ran
 * - `killed`: the kernel's process was killed from outside
 * - `timeout`: the script did not end in time
 */
export type GuestFailure = "missing" | "start" | "panic" | "power-off" | "killed" | "timeout";

/** A boot that gave no exit status. The message ends with the last lines of both outputs. */
export class GuestError extends Error {
  override name = "GuestError";

  constructor(
    readonly failure: GuestFailure,
    what: string,
    readonly output = "",
    readonly console = "",
  ) {
    super([what, ...tail("output", output), ...tail("kernel", console)].join("\n"));
  }
}

function tail(title: string, text: string): string[] {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.length === 0 ? [] : [`-- ${title}:`, ...lines.slice(-TAIL_LINES)];
}

/** The folder of the `deno` that runs this. */
export const DENO_FOLDER = Deno.execPath().replace(/\/[^/]*$/, "");

/** The environment of a guest's script. */
export function guestEnvironment({ env }: GuestOptions): Record<string, string> {
  return {
    HOME: "/run/home",
    PATH: `${DENO_FOLDER}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    TERM: "dumb",
    NO_COLOR: "1",
    XDG_RUNTIME_DIR: "/run/user/0",
    DENO_DIR: "/tmp/deno",
    ...env,
  };
}

/**
 * The words that start a launcher, a shell script with arguments, as the first process of a process-id
 * namespace with mounts of its own; the namespace ends with the thread that asked for it.
 */
export function launchWords(launcher: string, ...args: string[]): string[] {
  // An ordinary user is root in a user namespace of his own, as far as mounts go.
  const user = Deno.uid() === 0 ? [] : ["--user", "--map-root-user"];
  const words = ["--pdeathsig", "KILL", "--", "unshare", ...user, "--mount", "--pid", "--fork"];
  return ["setpriv", ...words, "--kill-child", "--", "sh", "-c", launcher, "sh", ...args];
}

/** @throws {TypeError} for a folder that the guest cannot see */
export function checkFolders({ folders }: GuestOptions): void {
  const hidden = folders?.find((folder) =>
    HIDDEN.some((place) => `${folder}/`.startsWith(`${place}/`))
  );
  if (hidden) throw new TypeError(`a folder of the host's ${hidden} cannot be seen in the guest`);
}

/** A guest that has been started. */
export interface Guest {
  /** Its launcher: standard output is the script's, standard error the kernel's. */
  readonly child: Deno.ChildProcess;
  /** When that was, in `performance.now()`'s milliseconds. */
  readonly startedMs: number;
  /** What the launcher reads. */
  readonly input: Uint8Array<ArrayBuffer>;
  /** What a line of the kernel's is by which the guest reports: its kind, and what follows. */
  readonly report: RegExp;
}

/**
 * Waits for a guest's end.
 *
 * @returns the script's exit status and what it printed
 * @throws {GuestError} when there is no such status
 */
export async function runGuest(
  { child, startedMs, input, report }: Guest,
  { script, timeoutSeconds, onLine }: GuestOptions,
): Promise<GuestResult> {
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
      await writer.write(input);
      await writer.close();
    } catch {
      // The launcher ended before it read all; it says why on its standard error.
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
      const [, kind, rest] = line.match(report) ?? [];
      if (kind) reports.set(kind, rest);
      else console.push(line);
      if (kind === "ready") bootMs = performance.now() - startedMs;
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
  const fail = (failure: GuestFailure, what: string) =>
    new GuestError(failure, what, printed.output, printed.console);
  const panic = printed.console.match(/Kernel panic - not syncing: (.*)/);
  if (panic) {
    throw fail(
      reports.has("ready") ? "panic" : "start",
      `the guest's kernel panicked: ${panic[1]}`,
    );
  }
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
