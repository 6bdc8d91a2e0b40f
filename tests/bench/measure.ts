// What the bench measures with: the C client on two devices in turn, a program under load, and what
// /proc says of a process.

/** Nanoseconds of two devices, and the quartiles of the ratios of rounds in turn. */
export interface Comparison {
  readonly a: number;
  readonly b: number;
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
}

/** A ratio that was measured, and what it has to be. */
export interface Row extends Comparison {
  readonly what: string;
  readonly limit: number;
}

async function output<T>(program: string, ...args: (string | number)[]): Promise<T> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args: args.map(String) })
    .output();
  if (!success) throw new Error(`${program}: ${new TextDecoder().decode(stderr)}`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Runs `client` for one case of device `a` against device `b`. */
export function compare(
  client: string,
  kind: string,
  rounds: number,
  a: string,
  b: string,
): Promise<Comparison> {
  return output(client, kind, rounds, a, b);
}

/** What a call took while `streams` streams played, in nanoseconds, and their underruns. */
export interface Load {
  readonly median: number;
  readonly p99: number;
  readonly underruns: number;
}

/** Runs `load`. */
export function load(
  program: string,
  device: string,
  streams: number,
  seconds: number,
): Promise<Load> {
  return output(program, device, streams, seconds);
}

/** CPU time of a process so far, in seconds (proc_pid_stat(5), 100 ticks a second). */
export function cpuSeconds(pid: number): number {
  const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Resident and anonymous memory of a process, in MB. */
export function memoryMb(pid: number): { rss: number; anonymous: number } {
  const rollup = Deno.readTextFileSync(`/proc/${pid}/smaps_rollup`);
  const kb = (name: string) => Number(rollup.match(new RegExp(`^${name}:\\s+(\\d+)`, "m"))![1]);
  return { rss: kb("Rss") / 1000, anonymous: kb("Anonymous") / 1000 };
}

/** A running `ossp run` without a COMMAND. */
export interface Server extends AsyncDisposable {
  readonly pid: number;
  /** From its start to the moment that it said its devices are there, in milliseconds. */
  readonly readyMs: number;
}

/** Starts `ossp run` with these options and waits until its devices are there. */
export async function startOssp(...options: string[]): Promise<Server> {
  const startMs = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", new URL("../../main.ts", import.meta.url).pathname, "run"]
      .concat(options),
    stdin: "null",
    stderr: "piped",
  }).spawn();
  const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  const first = await reader.read();
  if (!first.value?.includes("serving")) throw new Error(first.value ?? "ossp ended");
  const readyMs = performance.now() - startMs;
  return {
    pid: child.pid,
    readyMs,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
      await reader.cancel();
    },
  };
}

/** A table of columns as wide as they need to be. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row.map((cell, column) => column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))
      .join("  ").trimEnd()
  ).join("\n");
}

/** Comparisons as a table; the second and third columns are microseconds. */
export function comparisonTable(ours: string, theirs: string, rows: readonly Row[]): string {
  const us = (ns: number) => (ns / 1000).toFixed(1);
  return table([
    ["call", `${ours} µs`, `${theirs} µs`, "ratio", "quartiles", "limit", ""],
    ...rows.map(({ what, a, b, ratio, low, high, limit }) => [
      what,
      us(a),
      us(b),
      ratio.toFixed(3),
      `${low.toFixed(3)} to ${high.toFixed(3)}`,
      String(limit),
      ratio <= limit ? "ok" : "TOO SLOW",
    ]),
  ]);
}
