// The boot of the user-mode kernel itself: how it ends, and that nothing outlives it.

import { assertEquals, assertGreater, assertRejects, assertStringIncludes } from "@std/assert";
import { GuestError, type GuestFailure } from "../guest.ts";
import { bootUml, umlMissing } from "./uml.ts";

const MEMORY_MB = 256;
const TIMEOUT_SECONDS = 60;

const ignore = umlMissing() !== undefined && Deno.env.get("CI") !== "true";

function boot(script: string) {
  return bootUml({ script, memoryMb: MEMORY_MB, timeoutSeconds: TIMEOUT_SECONDS });
}

/** Boots for a script that brings the guest down; the error must carry what was printed before. */
async function assertFails(failure: GuestFailure, script: string) {
  const error = await assertRejects(() => boot(`echo printed; ${script}`), GuestError);
  assertEquals(error.failure, failure, error.message);
  assertStringIncludes(error.message, "\nprinted\n");
}

/** An amount of memory by which to know a kernel that no other test has booted. */
function ownMemoryMb(place: 0 | 1): number {
  return MEMORY_MB + 1 + place * 500 + Deno.pid % 500;
}

/** How many of this machine's processes belong to a kernel with this much memory. */
function kernelProcesses(memoryMb: number): number {
  return Array.from(Deno.readDirSync("/proc")).filter(({ name }) => {
    try {
      return /^\d+$/.test(name) &&
        Deno.readTextFileSync(`/proc/${name}/cmdline`).includes(`\0mem=${memoryMb}M\0`);
    } catch {
      return false; // it has ended
    }
  }).length;
}

Deno.test({
  name: "a script's lines, exit status and environment pass between host and guest",
  ignore,
  fn: async () => {
    const lines: string[] = [];
    const value = `it's "1" $2\n\\3`;
    const { status, output } = await bootUml({
      script: `pwd; printf '%s\\n' "$VALUE"; seq 1 20000; echo last >&2; exit 41`,
      env: { VALUE: value },
      memoryMb: MEMORY_MB,
      timeoutSeconds: TIMEOUT_SECONDS,
      onLine: (line) => lines.push(line),
    });
    const repository = import.meta.dirname!.replace(/\/tests\/device$/, "");
    const numbers = Array.from({ length: 20000 }, (_, index) => String(index + 1));
    assertEquals(lines, [repository, ...value.split("\n"), ...numbers, "last"]);
    assertEquals(output, lines.join("\n"));
    assertEquals(status, 41);
  },
});

Deno.test({
  name: "a folder under /tmp is shared on request, what the guest writes is there afterwards",
  ignore,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(`${folder}/to`, "to the guest\n");
      const { output } = await bootUml({
        script: `cat ${folder}/to; echo to the host >${folder}/from`,
        folders: [folder],
        memoryMb: MEMORY_MB,
        timeoutSeconds: TIMEOUT_SECONDS,
      });
      assertEquals(output, "to the guest");
      assertEquals(await Deno.readTextFile(`${folder}/from`), "to the host\n");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "guests side by side do not meet",
  ignore,
  fn: async () => {
    const statuses = [3, 4];
    const results = await Promise.all(
      statuses.map((status) => boot(`echo ${status} >/run/own; sleep 1; exit $(cat /run/own)`)),
    );
    assertEquals(results.map(({ status }) => status), statuses);
  },
});

Deno.test({
  name: "a panic is an error",
  ignore,
  fn: () => assertFails("panic", "echo c >/proc/sysrq-trigger; sleep 60"),
});

Deno.test({
  name: "an early power-off is an error",
  ignore,
  fn: () => assertFails("power-off", "echo o >/proc/sysrq-trigger; sleep 60"),
});

Deno.test({
  name: "a boot that takes too long is an error and leaves no process",
  ignore,
  fn: async () => {
    const memoryMb = ownMemoryMb(0);
    const error = await assertRejects(
      () => bootUml({ script: "sleep 60", memoryMb, timeoutSeconds: 3 }),
      GuestError,
    );
    assertEquals(error.failure, "timeout", error.message);
    assertEquals(kernelProcesses(memoryMb), 0);
  },
});

Deno.test({
  name: "the kernel does not outlive a process that is killed while it runs one",
  ignore,
  fn: async () => {
    const memoryMb = ownMemoryMb(1);
    const code = `import { bootUml } from ${JSON.stringify(import.meta.resolve("./uml.ts"))};
      const onLine = (line) => console.log(line);
      await bootUml({ script: "echo up; sleep 60", memoryMb: ${memoryMb}, timeoutSeconds: 60, onLine });`;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-check", code],
      stdin: "null",
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    assertEquals(new TextDecoder().decode((await reader.read()).value), "up\n");
    assertGreater(kernelProcesses(memoryMb), 0);
    child.kill("SIGKILL");
    await reader.cancel();
    await child.status;
    const deadline = performance.now() + 5000;
    while (kernelProcesses(memoryMb) > 0 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assertEquals(kernelProcesses(memoryMb), 0);
  },
});
