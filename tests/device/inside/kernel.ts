// What the other tests in this folder take for granted of the kernel that they run in.

import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
} from "@std/assert";
import { close, MNT_DETACH, mount, O_RDWR, open, umount } from "../../../ffi/libc.ts";

/** The host's kernel dates files by its clock's last tick. */
const FILE_DATE_ERROR_MS = 12;

Deno.test("this is a user-mode kernel, and we are root", () => {
  assertEquals(Deno.uid(), 0);
  assert(Deno.readTextFileSync("/proc/cpuinfo").includes("User Mode Linux"));
});

Deno.test("/dev/cuse can be opened", () => {
  assertEquals(Deno.statSync("/dev/cuse").isCharDevice, true);
  close(open("/dev/cuse", O_RDWR));
});

Deno.test("a FUSE file system can be mounted", () => {
  const folder = Deno.makeTempDirSync();
  const fuse = open("/dev/fuse", O_RDWR);
  mount("test", folder, "fuse.test", 0, `fd=${fuse},rootmode=40755,user_id=0,group_id=0`);
  try {
    assert(Deno.readTextFileSync("/proc/mounts").includes(`test ${folder} fuse.test `));
  } finally {
    umount(folder, MNT_DETACH);
    close(fuse);
    Deno.removeSync(folder);
  }
});

/**
 * Waits for the host's clock to reach its next second. The host's kernel, not the guest's, dates a
 * file that is made on hostfs; the guest sees the whole seconds of it.
 *
 * @returns between which times of CLOCK_MONOTONIC, in milliseconds, it did so
 */
function nextHostSecond(): [earliestMs: number, latestMs: number] {
  const path = `${Deno.env.get("OSSP_EXCHANGE")}/dated`;
  let previous: number | undefined;
  let earliestMs = NaN;
  while (true) {
    const before = performance.now();
    Deno.writeFileSync(path, new Uint8Array(), { createNew: true });
    const second = Deno.statSync(path).mtime!.getTime();
    Deno.removeSync(path);
    if (previous !== undefined && second !== previous) return [earliestMs, performance.now()];
    previous = second;
    earliestMs = before;
  }
}

Deno.test("CLOCK_MONOTONIC runs at the speed of the host's clock", () => {
  const start = nextHostSecond();
  const end = nextHostSecond();
  assertLessOrEqual(end[0] - start[1], 1000 + FILE_DATE_ERROR_MS);
  assertGreaterOrEqual(end[1] - start[0], 1000 - FILE_DATE_ERROR_MS);
});

Deno.test("a sleep of 1 ms does not wait for the kernel's tick of 10 ms", () => {
  const word = new Int32Array(new SharedArrayBuffer(4));
  let shortestMs = Infinity;
  for (let i = 0; i < 30; i++) {
    const start = performance.now();
    Atomics.wait(word, 0, 0, 1);
    shortestMs = Math.min(shortestMs, performance.now() - start);
  }
  assertLess(shortestMs, 5);
});
