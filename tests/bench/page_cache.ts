// What it costs to reach a program's mapping through the kernel's page cache: builds and runs
// page_cache.c, and makes tables of what it says.

import { KERNEL_MAPS } from "../programs.ts";
import { compile } from "./build.ts";
import { output, table } from "./measure.ts";

/** What page_cache.c prints, which says what each figure is; times are in nanoseconds. */
interface Measured {
  readonly sizes: readonly {
    readonly bytes: number;
    readonly retrieve: number;
    readonly store: number;
    readonly memcpy: number;
    readonly write: number;
    readonly splice: Readonly<Record<"takeWrite" | "takeReply" | "store", number>>;
  }[];
  readonly faults: readonly {
    readonly readAhead: number;
    readonly touch: number;
    readonly writeback: number;
    readonly retouch: number;
    readonly anonymous: number;
    readonly reads: number;
    readonly writes: number;
  }[];
}

const us = (ns: number) => ns < 1000 ? (ns / 1000).toFixed(2) : (ns / 1000).toPrecision(3);

function sizeTable({ sizes }: Measured): string {
  return table([
    ["bytes", "retrieve µs", "store µs", "memcpy µs", "write µs"],
    ...sizes.map(({ bytes, retrieve, store, memcpy, write }) => [
      String(bytes),
      ...[retrieve, store, memcpy, write].map(us),
    ]),
  ]);
}

function faultTable({ faults }: Measured): string {
  return table([
    ["read-ahead", "READs", "first write µs", "written back µs", "WRITEs", "again µs", "memory µs"],
    ...faults.map(({ readAhead, reads, touch, writeback, writes, retouch, anonymous }) => [
      `${readAhead / 1024} KiB`,
      String(reads),
      us(touch),
      us(writeback),
      String(writes),
      us(retouch),
      us(anonymous),
    ]),
  ]);
}

function spliceTable({ sizes }: Measured): string {
  return table([
    ["bytes", "a WRITE taken in", "a NOTIFY_REPLY taken in", "a NOTIFY_STORE put out"],
    ...sizes.map(({ bytes, splice }) => [
      String(bytes),
      ...[splice.takeWrite, splice.takeReply, splice.store].map((ratio) => ratio.toFixed(2)),
    ]),
  ]);
}

/**
 * Measures what retrieving from a mapping and storing into it cost, its page faults, and whether
 * splice pays.
 *
 * @param folder where the program and its mount point go
 * @returns tables, to be printed
 */
export async function pageCache(folder: string): Promise<string> {
  if (!KERNEL_MAPS) return "The page cache of a mapping: needs Linux 6.6 or newer";
  const program = await compile("page_cache", folder);
  const mountPoint = `${folder}/page_cache_mount`;
  await Deno.mkdir(mountPoint);
  const measured = await output<Measured>(program, mountPoint);
  return [
    "The page cache of a mapping, by a C server that shares a processor with the program",
    sizeTable(measured),
    "A page's faults, in a mapping of 1 MiB; memory is a page of ordinary memory",
    faultTable(measured),
    "Through a pipe with splice, as ratios to read and write",
    spliceTable(measured),
  ].join("\n\n");
}
