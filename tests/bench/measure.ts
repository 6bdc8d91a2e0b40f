// What the bench measures with: the C client on two devices in turn, a program under load, and what
// /proc says of a process.

import { TextLineStream } from "@std/streams";
import { NO_SERVER } from "../programs.ts";

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
  /** The highest ratio that is good enough; undefined where it is only to be known. */
  readonly limit?: number;
}

/** Whether a row's ratio is beyond its limit. */
export function isSlow({ ratio, limit }: Row): boolean {
  return limit !== undefined && ratio > limit;
}

/** Runs a program and takes the JSON that it prints. */
export async function output<T>(program: string, ...args: (string | number)[]): Promise<T> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args: args.map(String) })
    .output();
  if (!success) throw new Error(`${program}: ${new TextDecoder().decode(stderr)}`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

/**
 * The words before a program that keep it on these processors. Where the scheduler is free to choose,
 * a call takes one or two wake-ups between processors, and their time, which is most of the whole,
 * depends on what it chose.
 */
export function pinned(...processors: number[]): string[] {
  return ["taskset", "--cpu-list", processors.join(",")];
}

/** Keeps a running process, which may have looked how many processors there are, on some of them. */
export async function pin(pid: number, ...processors: number[]): Promise<void> {
  const args = ["--all-tasks", "--pid", "--cpu-list", processors.join(","), String(pid)];
  const { success, stderr } = await new Deno.Command("taskset", { args }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

/**
 * Runs `client` for one case of device `a` against device `b`.
 *
 * @param words what to put before it, e.g. `pinned(0)`
 */
export function compare(
  words: readonly string[],
  client: string,
  kind: string,
  rounds: number,
  [a, b]: readonly [string, string],
): Promise<Comparison> {
  const [program, ...args] = [...words, client, kind, String(rounds), a, b];
  return output(program, ...args);
}

/** What a call took while `streams` streams played, in nanoseconds, and how they played. */
export interface Load {
  readonly median: number;
  readonly p99: number;
  readonly underruns: number;
  /** Frames that were taken of each in a second, of which a bufferful has not been heard. */
  readonly rate: number;
}

/** Runs `load`. */
export function load(
  program: string,
  device: string,
  streams: number,
  rateHz: number,
  seconds: number,
): Promise<Load> {
  return output(program, device, streams, rateHz, seconds);
}

/** CPU time of a process so far, in seconds (proc_pid_stat(5), 100 ticks a second). */
export function cpuSeconds(pid: number): number {
  const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ").at(-1)!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Memory of a process in MiB: resident, the same with what is shared divided, and anonymous. */
export function memoryMib(pid: number): { rss: number; pss: number; anonymous: number } {
  const rollup = Deno.readTextFileSync(`/proc/${pid}/smaps_rollup`);
  const kb = (name: string) => Number(rollup.match(new RegExp(`^${name}:\\s+(\\d+)`, "m"))![1]);
  return { rss: kb("Rss") / 1024, pss: kb("Pss") / 1024, anonymous: kb("Anonymous") / 1024 };
}

/** A running `ossp run` without a COMMAND. */
export interface Server extends AsyncDisposable {
  readonly pid: number;
  /** From its start to the moment that it said its devices are there, in milliseconds. */
  readonly readyMs: number;
}

/** How ossp is started, beside its options. */
export interface Start {
  readonly env?: Readonly<Record<string, string>>;
  /** Takes each line that it says after that its devices are there. */
  readonly onLine?: (line: string) => void;
}

/** Starts `ossp run` with these options and waits until its devices are there. */
export async function startOssp(
  options: readonly string[],
  { env, onLine = console.error }: Start = {},
): Promise<Server> {
  const startMs = performance.now();
  const main = new URL("../../main.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", main, "run", ...NO_SERVER, ...options],
    env,
    stdin: "null",
    stderr: "piped",
  }).spawn();
  const lines = child.stderr.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream())
    .getReader();
  const { value } = await lines.read();
  if (!value?.includes("serving")) {
    await child.status;
    throw new Error(value ?? "ossp ended without a word");
  }
  const readyMs = performance.now() - startMs;
  const rest = lines.closed.catch(() => {});
  void (async () => {
    for (let line = await lines.read(); !line.done; line = await lines.read()) {
      onLine(line.value);
    }
  })();
  return {
    pid: child.pid,
    readyMs,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
      await rest;
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

/** Something that was measured, and what it has to be. */
export interface Figure {
  readonly what: string;
  readonly value: number;
  /** The highest value that is good enough; undefined where it is only to be known. */
  readonly limit?: number;
}

/** Whether a figure is beyond its limit. */
export function isExceeded({ value, limit }: Figure): boolean {
  return limit !== undefined && value > limit;
}

function shown(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(value < 10 ? 3 : 1);
}

/** Figures as a table. */
export function figureTable(figures: readonly Figure[]): string {
  return table([
    ["", "measured", "limit", ""],
    ...figures.map((figure) => [
      figure.what,
      shown(figure.value),
      String(figure.limit ?? "-"),
      figure.limit === undefined ? "" : isExceeded(figure) ? "TOO MUCH" : "ok",
    ]),
  ]);
}

/** Comparisons as a table; the second and third columns are microseconds. */
export function comparisonTable(ours: string, theirs: string, rows: readonly Row[]): string {
  const us = (ns: number) => (ns / 1000).toFixed(1);
  return table([
    ["call", `${ours} µs`, `${theirs} µs`, "ratio", "quartiles", "limit", ""],
    ...rows.map((row) => [
      row.what,
      us(row.a),
      us(row.b),
      row.ratio.toFixed(3),
      `${row.low.toFixed(3)} to ${row.high.toFixed(3)}`,
      String(row.limit ?? "-"),
      isSlow(row) ? "TOO SLOW" : "ok",
    ]),
  ]);
}
