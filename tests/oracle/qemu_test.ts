// The boot of the emulated kernel itself, and the mapping client against the kernel's own OSS.

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { noise, Scratch } from "../programs.ts";
import { GuestError } from "../guest.ts";
import { bootQemu, qemuMissing } from "./qemu.ts";
import { compile } from "../compile.ts";

const TIMEOUT_SECONDS = 120;
const CLIENT = "native/mmap_client.c";

const ignore = qemuMissing() !== undefined && Deno.env.get("CI") !== "true";

/** Where one array begins in another; -1 if nowhere. */
function indexOf(whole: Uint8Array, part: Uint8Array): number {
  const last = whole.length - part.length;
  for (let start = 0; start <= last; start++) {
    let length = 0;
    while (length < part.length && whole[start + length] === part[length]) length++;
    if (length === part.length) return start;
  }
  return -1;
}

/** How many of this machine's processes have a word on their command line. */
function processesWith(word: string): number {
  return Array.from(Deno.readDirSync("/proc")).filter(({ name }) => {
    try {
      return /^\d+$/.test(name) &&
        Deno.readTextFileSync(`/proc/${name}/cmdline`).includes(`\0${word}\0`);
    } catch {
      return false; // it has ended
    }
  }).length;
}

Deno.test({
  name: "lines, exit status, environment and a folder pass between host and guest",
  ignore,
  fn: async () => {
    await using scratch = await Scratch.create();
    const lines: string[] = [];
    const value = `it's "1" $2\n\\3`;
    const { status, output } = await bootQemu({
      script: `pwd; printf '%s\\n' "$VALUE"; seq 1 5000; ! touch /etc/ossp-test 2>/dev/null &&
        echo to the host >${scratch.path}/from; echo last >&2; exit 41`,
      env: { VALUE: value },
      folders: [scratch.path],
      timeoutSeconds: TIMEOUT_SECONDS,
      onLine: (line) => lines.push(line),
    });
    const repository = import.meta.dirname!.replace(/\/tests\/oracle$/, "");
    const numbers = Array.from({ length: 5000 }, (_, index) => String(index + 1));
    assertEquals(lines, [repository, ...value.split("\n"), ...numbers, "last"]);
    assertEquals(output, lines.join("\n"));
    assertEquals(status, 41);
    assertEquals(await Deno.readTextFile(`${scratch.path}/from`), "to the host\n");
  },
});

Deno.test({
  name: "a mapped ring plays every byte of a file on the kernel's own OSS",
  ignore,
  fn: async () => {
    await using scratch = await Scratch.create();
    const { path } = scratch;
    await compile(CLIENT, path);
    const second = 48000 * 4;
    const sound = new Uint8Array(second + 1000 * 4);
    for (let start = 0; start < sound.length; start += 65536) {
      crypto.getRandomValues(sound.subarray(start, start + 65536));
    }
    await Deno.writeFile(`${path}/sound`, sound);
    const format = "S16_LE 48000 2 11 8";
    const { status, output } = await bootQemu({
      script: `cd ${path}
        ./mmap_client /dev/adsp1 ${format} recorded --record ${2 * second} &
        sleep 0.3
        ./mmap_client /dev/dsp1 ${format} sound && wait $!`,
      folders: [path],
      timeoutSeconds: TIMEOUT_SECONDS,
    });
    assertEquals(status, 0, output);
    assertStringIncludes(output, `"late_refills":0`);
    // The loop goes on for as long as the player stays ahead, so the last ring may be missing.
    const recorded = await Deno.readFile(`${path}/recorded`);
    assertEquals(indexOf(recorded, sound.subarray(0, second)) >= 0, true, output);
  },
});

/** A line of the client's log: what GETOPTR said, and when after the trigger. */
interface Look {
  readonly ms: number;
  readonly bytes: number;
  readonly blocks: number;
  readonly ptr: number;
}

async function readLog(path: string): Promise<Look[]> {
  return (await Deno.readTextFile(path)).trim().split("\n").map((line) => {
    const [ms, bytes, blocks, ptr] = line.split(" ").map(Number);
    return { ms, bytes, blocks, ptr };
  });
}

/** What holds of the pointers of any OSS: the kernel's and ours must both pass. */
function assertShape(who: string, looks: Look[], ringBytes: number, fragmentBytes: number): void {
  const frameBytes = 4;
  const bytesPerMs = 48 * frameBytes;
  let before: Look = { ms: 0, bytes: 0, blocks: 0, ptr: 0 };
  let blocks = 0;
  for (const look of looks) {
    const at = `${who} at ${look.ms} ms`;
    assert(look.bytes >= before.bytes, `${at}: ${look.bytes} bytes after ${before.bytes}`);
    assertEquals(look.ptr, look.bytes % ringBytes, `${at}: ptr`);
    assertEquals(look.ptr % frameBytes, 0, `${at}: a part of a frame`);
    blocks += look.blocks;
    const completed = Math.floor(look.bytes / fragmentBytes);
    assert(Math.abs(blocks - completed) <= 1, `${at}: ${blocks} blocks, ${completed} completed`);
    before = look;
  }
  const { bytes, ms } = before;
  assert(Math.abs(bytes - ms * bytesPerMs) < 2 * ringBytes, `${who}: ${bytes} bytes in ${ms} ms`);
  // Fine grained: not only at the ends of fragments.
  const within = looks.filter((look) => look.bytes % fragmentBytes !== 0).length;
  assert(within > looks.length / 2, `${who}: ${within} of ${looks.length} within a fragment`);
}

Deno.test({
  name:
    "the same client is heard to the bit through ossp there, and its pointers go as the kernel's",
  ignore,
  fn: async () => {
    await using scratch = await Scratch.create();
    const { path } = scratch;
    const client = await compile(CLIENT, path);
    const [shift, fragments] = [13, 8];
    const sound = noise(10 * 48000 * 4, 3);
    await Deno.writeFile(`${path}/sound`, sound);
    const ring = `S16_LE 48000 2 ${shift} ${fragments} ${path}/sound`;
    const { status, output } = await bootQemu({
      script: `${client} /dev/dsp ${ring} --log ${path}/kernel.log &&
        deno run -A main.ts run --frontend fuse --sink raw:${path}/heard-%n -- \\
        ${client} /dev/dsp ${ring} --log ${path}/ossp.log`,
      folders: [path],
      timeoutSeconds: TIMEOUT_SECONDS,
    });
    assertEquals(status, 0, output);
    assertStringIncludes(output, `"late_refills":0`);
    const heard = await Deno.readFile(`${path}/heard-1`);
    assertEquals(sound.findIndex((byte, i) => byte !== heard[i]), -1, output);
    for (const who of ["kernel", "ossp"]) {
      const looks = await readLog(`${path}/${who}.log`);
      assertShape(who, looks, fragments << shift, 1 << shift);
    }
  },
});

Deno.test({
  name: "a boot that takes too long is an error and leaves no process",
  ignore,
  fn: async () => {
    const memoryMb = 513 + Deno.pid % 400;
    const error = await assertRejects(
      () => bootQemu({ script: "sleep 60", memoryMb, timeoutSeconds: 9 }),
      GuestError,
    );
    assertEquals(error.failure, "timeout", error.message);
    assertEquals(processesWith(String(memoryMb)), 0);
  },
});

Deno.test({
  name: "a panic is an error that carries what was printed before",
  ignore,
  fn: async () => {
    const error = await assertRejects(
      () =>
        bootQemu({
          script: "echo printed; sleep 0.2; echo c >/proc/sysrq-trigger; sleep 60",
          timeoutSeconds: TIMEOUT_SECONDS,
        }),
      GuestError,
    );
    assertEquals(error.failure, "panic", error.message);
    assertStringIncludes(error.message, "\nprinted\n");
  },
});
