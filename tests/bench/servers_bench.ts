// The half of the bench `servers` that runs in the user-mode kernel: the same load on osspd and on
// ossp, each with its character devices, both into the same PulseAudio. Prints what they cost as one
// line of JSON.
//
// Usage: servers_bench.ts LOAD STREAMS SECONDS

import { cpuSeconds, load, memoryMib, startOssp } from "./measure.ts";
import { startOsspd } from "./osspd.ts";

/** What the streams cost while they played. */
export interface Cost {
  /** CPU seconds of the daemon with its slaves, and of PulseAudio. */
  readonly daemon: number;
  readonly pulse: number;
  /** Resident memory of the daemon with its slaves in MiB, what they share with others divided. */
  readonly pssMib: number;
  readonly processes: number;
  /** Median of a call meanwhile, in nanoseconds. */
  readonly call: number;
  /** Frames that were taken of each stream in a second. */
  readonly rate: number;
  /** How often it has said that it has no server. */
  readonly lost: number;
}

/** Within this time of its start a program plays all its streams; it ends so long after measuring. */
const MARGIN_SECONDS = 3;

const WARM_SECONDS = 4;

const [program, streamsWord, secondsWord] = Deno.args;
const [streams, seconds] = [Number(streamsWord), Number(secondsWord)];

const sleep = (s: number) => new Promise((resolve) => setTimeout(resolve, s * 1000));

/** The process and all that descend from it. */
function family(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = Deno.readTextFileSync(`/proc/${name}/stat`).split(") ").at(-1)!;
      parents.set(Number(name), Number(stat.split(" ")[1]));
    } catch {
      // It has ended.
    }
  }
  const members = [pid];
  for (const member of members) {
    for (const [child, parent] of parents) if (parent === member) members.push(child);
  }
  return members;
}

const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);

async function cost(device: string, daemonPid: number, pulsePid: number): Promise<Cost> {
  // A null sink that nobody plays to is up to 2 s ahead of the time; and ossp has code to compile.
  await load(program, device, 1, 48000, WARM_SECONDS);
  const playing = load(program, device, streams, 48000, seconds + 2 * MARGIN_SECONDS);
  await sleep(MARGIN_SECONDS);
  const members = family(daemonPid);
  const daemon = () => sum(members.map(cpuSeconds));
  const before = [daemon(), cpuSeconds(pulsePid)];
  await sleep(seconds);
  const after = [daemon(), cpuSeconds(pulsePid)];
  const pssMib = sum(members.map((pid) => memoryMib(pid).pss));
  const { median, rate } = await playing;
  return {
    daemon: after[0] - before[0],
    pulse: after[1] - before[1],
    pssMib,
    processes: members.length,
    call: median,
    rate,
    lost: 0,
  };
}

const costs: Record<string, Cost> = {};
{
  await using osspd = await startOsspd();
  costs.osspd = await cost(osspd.dsp, osspd.pid, osspd.pulsePid);
  let lost = 0;
  await using ossp = await startOssp(["--frontend", "cuse", "--adsp", "", "--sink", "pulse"], {
    onLine: (line) => {
      if (line.includes("nothing is heard")) lost++;
      console.error(line);
    },
  });
  costs.ossp = { ...await cost("/dev/dsp", ossp.pid, osspd.pulsePid), lost };
}
console.log(JSON.stringify(costs));
