// What mapped streams cost and how well they are heard, on the fuse front end: runs mapped_load.c, and
// says how its figures compare with what we hold ourselves to.

import { KERNEL_MAPS } from "../programs.ts";
import { compile } from "./build.ts";
import {
  cpuSeconds,
  type Figure,
  figureTable,
  memoryMib,
  output,
  pin,
  pinned,
  type Server,
  startOssp,
} from "./measure.ts";

/** How long one stream plays, to compare what is fetched with what is played. */
const FETCH_SECONDS = 60;

/** Streams that are mapped and written in turn, to compare the CPU time. */
const TURN_STREAMS = 8;
const TURN_SECONDS = 4;
const TURNS = 6;
/** A first turn of each is not counted: ossp's code is still being compiled. */
const WARM_SECONDS = 2;

const MARKS = 100;

/** Streams at once of which none may miss a fragment. */
const MANY_STREAMS = 32;
const MANY_SECONDS = 60;

/** ossp and the programs share these. */
const PROCESSORS = [0, 1];

const LAST_LINE_LIMIT_MS = 5000;
const POLL_MS = 20;

/** What mapped_load.c prints, which says what each figure is. */
interface Load {
  readonly cpu: number;
  readonly played: number;
  readonly refilled: number;
  readonly late: number;
  readonly behind: number;
  readonly stalls: number;
}

type Kind = "mapped" | "written";

/** What ossp says of a mapped stream when it is closed, in bytes. */
interface StreamEnd {
  readonly played: number;
  readonly fetched: number;
  readonly underruns: number;
}

/** An ossp, and what it has said of the mapped streams that have been closed. */
class MappedServer implements AsyncDisposable {
  private constructor(
    readonly device: string,
    readonly ends: readonly StreamEnd[],
    readonly server: Server,
    readonly program: string,
  ) {}

  /** @param name of a mount point that it makes in the folder */
  static async start(
    program: string,
    folder: string,
    name: string,
    sink: string,
  ): Promise<MappedServer> {
    const directory = `${folder}/${name}`;
    const ends: StreamEnd[] = [];
    const onLine = (line: string) => {
      const end = line.match(/mapped: (\d+) bytes played, (\d+) fetched, (\d+) underruns/);
      if (!end) return console.error(line);
      const [played, fetched, underruns] = end.slice(1).map(Number);
      ends.push({ played, fetched, underruns });
    };
    const server = await startOssp(
      ["--frontend", "fuse", "--dir", directory, "--sink", sink, "--log-level", "debug"],
      { onLine },
    );
    await pin(server.pid, ...PROCESSORS);
    return new MappedServer(`${directory}/dsp`, ends, server, program);
  }

  /** Runs `mapped_load` on the device. */
  run<T>(kind: Kind | "marks", ...args: (string | number)[]): Promise<T> {
    const [program, ...words] = [...pinned(...PROCESSORS), this.program, this.device, kind];
    return output(program, ...words, ...args);
  }

  /** The ends of so many streams: the kernel tells ossp of a close after the program has gone. */
  async endsOf(streams: number): Promise<readonly StreamEnd[]> {
    const deadline = performance.now() + LAST_LINE_LIMIT_MS;
    while (this.ends.length < streams && performance.now() < deadline) await sleep(POLL_MS);
    if (this.ends.length === streams) return this.ends;
    throw new Error(`ossp tells of ${this.ends.length} mapped streams in place of ${streams}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

function quantile(values: readonly number[], q: number): number {
  return values.toSorted((a, b) => a - b)[Math.round((values.length - 1) * q)];
}

async function fetched(program: string, folder: string): Promise<Figure[]> {
  await using ossp = await MappedServer.start(program, folder, "fetched", "null");
  await ossp.run<Load>("mapped", 1, FETCH_SECONDS);
  const [end] = await ossp.endsOf(1);
  return [{
    what: `bytes fetched / bytes played, 1 stream, ${FETCH_SECONDS} s`,
    value: end.fetched / end.played,
    limit: 1.05,
  }];
}

/** CPU seconds of ossp and of the programs while streams are mapped and while they are written. */
async function cpu(program: string, folder: string): Promise<Figure[]> {
  await using ossp = await MappedServer.start(program, folder, "cpu", "null");
  const { pid } = ossp.server;
  const ours = { mapped: 0, written: 0 };
  const theirs = { mapped: 0, written: 0 };
  for (let turn = 0; turn <= TURNS; turn++) {
    const kinds: Kind[] = turn % 2 ? ["mapped", "written"] : ["written", "mapped"];
    for (const kind of kinds) {
      const before = cpuSeconds(pid);
      const seconds = turn === 0 ? WARM_SECONDS : TURN_SECONDS;
      const load = await ossp.run<Load>(kind, TURN_STREAMS, seconds);
      if (turn === 0) continue;
      ours[kind] += cpuSeconds(pid) - before;
      theirs[kind] += load.cpu;
    }
  }
  const streams = `${TURN_STREAMS} streams mapped / written`;
  return [
    { what: `CPU of ossp, ${streams}`, value: ours.mapped / ours.written, limit: 1.5 },
    { what: `CPU of the programs, ${streams}`, value: theirs.mapped / theirs.written },
  ];
}

async function marks(program: string, folder: string): Promise<Figure[]> {
  const file = `${folder}/marks.raw`;
  await using ossp = await MappedServer.start(program, folder, "marks", `raw:${file}`);
  const { heard, filed } = await ossp.run<{ heard: number[]; filed: number[] }>(
    "marks",
    MARKS,
    file,
  );
  const fragments = (what: string, values: number[], q: number, limit?: number) => ({
    what: `fragments from a store ${what}`,
    value: quantile(values, q),
    limit,
  });
  return [
    fragments("to its frame's turn, the most", heard, 1),
    fragments("to the sink's file, median", filed, 0.5),
    // One stall of the machine is not ours.
    fragments("to the sink's file, 99 %", filed, 0.99, 2),
    fragments("to the sink's file, the most", filed, 1),
  ];
}

async function many(program: string, folder: string): Promise<Figure[]> {
  await using ossp = await MappedServer.start(program, folder, "many", "null");
  const { pid } = ossp.server;
  const before = cpuSeconds(pid);
  const running = ossp.run<Load>("mapped", MANY_STREAMS, MANY_SECONDS);
  await sleep(MANY_SECONDS * 900);
  const { rss } = memoryMib(pid);
  const { refilled, played, late, behind, stalls } = await running;
  const percent = (cpuSeconds(pid) - before) / MANY_SECONDS * 100;
  const ends = await ossp.endsOf(MANY_STREAMS);
  const streams = `${MANY_STREAMS} streams, ${MANY_SECONDS} s`;
  return [
    {
      what: `fragments missed, ${streams}`,
      value: sum(ends.map(({ underruns }) => underruns)),
      limit: 0,
    },
    { what: "there: the machine stalled a napping program for over 4 ms", value: stalls },
    { what: "there: fragments behind the time, the furthest stream", value: behind },
    { what: "there: put into the mappings / played", value: refilled / played },
    { what: "there: refills that came too late", value: late },
    { what: "there: CPU of ossp, % of one", value: percent },
    { what: "there: RSS of ossp, MiB", value: rss },
  ];
}

/**
 * Measures mapped streams of 48 kHz stereo S16 in 16 fragments of 1024 frames, in real time, and
 * prints a table.
 *
 * @param folder where the program, its files and the mount points go
 */
export async function mapped(folder: string): Promise<Figure[]> {
  console.log("\nMapped streams of 48 kHz stereo S16 in fragments of 1024 frames, natively\n");
  if (!KERNEL_MAPS) {
    console.log("needs Linux 6.6 or newer");
    return [];
  }
  const program = await compile("mapped_load", folder);
  const figures: Figure[] = [];
  for (const part of [fetched, cpu, marks, many]) figures.push(...await part(program, folder));
  console.log(figureTable(figures));
  return figures;
}
