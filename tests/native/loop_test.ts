// Both event loops: on io_uring, and on epoll, which takes its place where io_uring is missing.

import { assert, assertEquals } from "@std/assert";
import { close, EBADF, eventFd, write } from "../../ffi/libc.ts";
import { EpollLoop } from "../../lib/daemon/epoll_loop.ts";
import type { Loop } from "../../lib/daemon/loop.ts";
import { UringLoop } from "../../lib/daemon/uring_loop.ts";
import { noise, runOssp, Scratch } from "../programs.ts";

const LOOPS: Record<string, (onWriteError: (errno: number) => void) => Loop | undefined> = {
  io_uring: (onWriteError) => UringLoop.create(onWriteError),
  epoll: (onWriteError) => new EpollLoop(onWriteError),
};

const ONE = new Uint8Array(new BigUint64Array([1n]).buffer);

for (const [name, create] of Object.entries(LOOPS)) {
  Deno.test(`${name}: reads what comes, calls what is due, in time and in order`, () => {
    const errors: number[] = [];
    const loop = create((errno) => errors.push(errno));
    assert(loop, `this kernel has no ${name}`);
    const events: string[] = [];
    const startMs = performance.now();
    const fds = [eventFd(), eventFd()];
    for (const [i, fd] of fds.entries()) {
      loop.add({
        fd,
        buffer: new Uint8Array(8),
        onRead(result) {
          events.push(`fd ${i}: ${result}`);
          // The first wakes the second through the loop's own write.
          if (i === 0) loop.write(fds[1], ONE, 8);
        },
      });
    }
    const due: number[] = [];
    const timer = {
      dueMs: startMs + 20,
      run() {
        due.push(performance.now() - startMs);
        events.push(`due ${due.length}`);
        timer.dueMs += 10;
        if (due.length === 1) write(fds[0], ONE, 8);
        if (due.length === 2) loop.write(1_000_000, ONE, 8);
        if (due.length === 3) loop.stop();
      },
    };
    loop.schedule.add(timer);
    loop.run();
    loop.close();
    for (const fd of fds) close(fd);
    assertEquals(events, ["due 1", "fd 0: 8", "fd 1: 8", "due 2", "due 3"]);
    assertEquals(errors, [EBADF]);
    for (const [i, ms] of due.entries()) {
      assert(ms >= 19.99 + 10 * i && ms < 100 + 10 * i, `timer ${i} after ${ms} ms`);
    }
  });
}

const SWITCH = "/proc/sys/kernel/io_uring_disabled";

Deno.test({
  name: "where io_uring is forbidden, the devices work all the same",
  ignore: Deno.uid() !== 0 && Deno.env.get("CI") !== "true",
  async fn() {
    await using scratch = await Scratch.create();
    const sound = noise(20_000, 7);
    await Deno.writeFile(`${scratch.path}/sound`, sound);
    const before = await Deno.readTextFile(SWITCH);
    await Deno.writeTextFile(SWITCH, "2");
    try {
      assertEquals(UringLoop.create(() => {}), undefined);
      const { status, stderr } = await runOssp({
        options: ["--frontend", "fuse", "--sink", `raw:${scratch.path}/%n.raw`],
        command: ["sh", "-c", `cat ${scratch.path}/sound >/dev/dsp`],
      });
      assertEquals([status, stderr], [0, ""]);
    } finally {
      await Deno.writeTextFile(SWITCH, before);
    }
    assertEquals(await Deno.readFile(`${scratch.path}/1.raw`), sound);
  },
});
