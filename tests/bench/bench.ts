// Measures ossp: natively against a minimal C server, in a user-mode kernel against osspd, what it
// costs to run, what mapped streams and mixes cost, what sound servers cost, whether its delays are
// true, whether JACK's cycles are served in time, and what the page cache of a mapping does. Ratios are
// of calls in turn, in one run, so they hold on any machine; the limits are those that we hold
// ourselves to. Exits with 1 if one is exceeded.
//
// Usage: bench.ts [--seconds N] [native] [osspd] [cost] [mapped] [mix] [servers] [delay] [jack]
//                 [pagecache]
//        all of them by default
//
//   --seconds N   how long programs play through JACK, with each length of cycle: 600 by default

import { parseArgs } from "@std/cli/parse-args";
import { bootUml } from "../device/uml.ts";
import { build, type Programs } from "./build.ts";
import { jack } from "./jack.ts";
import { mapped } from "./mapped.ts";
import {
  compare,
  comparisonTable,
  cpuSeconds,
  isExceeded,
  isSlow,
  load,
  memoryMib,
  pin,
  pinned,
  type Row,
  startOssp,
  table,
} from "./measure.ts";
import { mix } from "./mix.ts";
import { delay } from "./delay.ts";
import { pageCache } from "./page_cache.ts";
import { servers } from "./servers.ts";

const PARTS = ["native", "osspd", "cost", "mapped", "mix", "servers", "delay", "jack", "pagecache"];
const ROUNDS = 300;
const LOAD_SECONDS = 5;
const JACK_SECONDS = 600;
const UML_TIMEOUT_SECONDS = 300;

/** Calls of a program on processor 0 to servers on processor `processor`. */
async function native(
  programs: Programs,
  folder: string,
  processor: number,
  limit?: number,
): Promise<Row[]> {
  const [ours, theirs] = [`${folder}/ossp${processor}`, `${folder}/c${processor}`];
  await Deno.mkdir(theirs);
  const [program, ...args] = [...pinned(processor), programs.fuse_server, theirs];
  const server = new Deno.Command(program, { args }).spawn();
  const rows: Row[] = [];
  try {
    await using ossp = await startOssp(["--frontend", "fuse", "--dir", ours, "--clock", "free"]);
    await pin(ossp.pid, processor);
    const devices = [`${ours}/dsp`, `${theirs}/dsp`] as const;
    for (const [what, kind] of [["write(4096)", "write4096"], ["OSS_GETVERSION", "getversion"]]) {
      const comparison = await compare(pinned(0), programs.client, kind, ROUNDS, devices);
      rows.push({ what, limit, ...comparison });
    }
  } finally {
    server.kill("SIGTERM");
    await server.status;
  }
  return rows;
}

async function againstC(programs: Programs, folder: string): Promise<Row[]> {
  const apart = await native(programs, folder, 1, 1.15);
  console.log("Natively, against a minimal C server; program and server on a processor each\n");
  console.log(comparisonTable("ossp", "C", apart));
  const together = await native(programs, folder, 0);
  console.log("\nThe same, program and server on one processor\n");
  console.log(comparisonTable("ossp", "C", together));
  return apart;
}

async function againstOsspd(programs: Programs, folder: string): Promise<Row[]> {
  const { status, output } = await bootUml({
    script: `deno run -A tests/bench/osspd_bench.ts ${programs.client}`,
    folders: [folder],
    timeoutSeconds: UML_TIMEOUT_SECONDS,
  });
  const json = output.split("\n").findLast((line) => line.startsWith("["));
  if (status !== 0 || !json) throw new Error(`in the guest: ${output}`);
  const rows: Row[] = JSON.parse(json);
  console.log("\nIn a user-mode kernel, against osspd\n");
  console.log(comparisonTable("ossp", "osspd", rows));
  return rows;
}

async function cost(programs: Programs, folder: string): Promise<void> {
  const directory = `${folder}/cost`;
  const device = `${directory}/dsp`;
  await using ossp = await startOssp(["--frontend", "fuse", "--dir", directory]);
  const rows = [];
  for (const streams of [1, 4, 16, 64]) {
    const beforeCpu = cpuSeconds(ossp.pid);
    const running = load(programs.load, device, streams, 48000, LOAD_SECONDS);
    await new Promise((resolve) => setTimeout(resolve, LOAD_SECONDS * 900));
    const { rss, anonymous } = memoryMib(ossp.pid);
    const { median, p99, underruns } = await running;
    const cpu = (cpuSeconds(ossp.pid) - beforeCpu) / LOAD_SECONDS;
    rows.push([
      String(streams),
      `${(cpu * 100).toFixed(1)} %`,
      `${rss.toFixed(0)} MiB`,
      `${anonymous.toFixed(0)} MiB`,
      `${(median / 1000).toFixed(0)} µs`,
      `${(p99 / 1000).toFixed(0)} µs`,
      String(underruns),
    ]);
  }
  console.log("\nReal-time streams of 48 kHz stereo S16, natively, to the null sink\n");
  console.log(table([
    ["streams", "CPU of one", "RSS", "anonymous", "a call", "99 %", "underruns"],
    ...rows,
  ]));
  console.log(`\nFrom start to devices ready: ${ossp.readyMs.toFixed(0)} ms`);
}

const { _: named, seconds = JACK_SECONDS } = parseArgs(Deno.args, { string: ["seconds"] });
const parts = named.length > 0 ? named : PARTS;
const folder = await Deno.makeTempDir({ prefix: "ossp-bench-" });
let exceeded = 0;
try {
  const programs = await build(folder);
  if (parts.includes("native")) {
    exceeded += (await againstC(programs, folder)).filter(isSlow).length;
  }
  if (parts.includes("osspd")) {
    exceeded += (await againstOsspd(programs, folder)).filter(isSlow).length;
  }
  if (parts.includes("cost")) await cost(programs, folder);
  if (parts.includes("mapped")) exceeded += (await mapped(folder)).filter(isExceeded).length;
  if (parts.includes("mix")) exceeded += (await mix(folder)).filter(isExceeded).length;
  if (parts.includes("servers")) exceeded += (await servers(folder)).filter(isExceeded).length;
  if (parts.includes("delay")) await delay(folder);
  if (parts.includes("jack")) {
    exceeded += (await jack(folder, Number(seconds))).filter(isExceeded).length;
  }
  if (parts.includes("pagecache")) console.log(`\n${await pageCache(folder)}`);
} finally {
  await Deno.remove(folder, { recursive: true });
}
console.log(exceeded === 0 ? "\nwithin the limits" : `\n${exceeded} beyond the limit`);
Deno.exit(exceeded === 0 ? 0 : 1);
