// ossp script: the suite of tests/scripts against ossp's own device, and what becomes of scripts that
// fail, hang, crash, or are none.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { parseJunit } from "../device/junit.ts";
import { LACKING, OSSP, Run, Scratch } from "./ossp.ts";

const SCRIPTS = Array.from(Deno.readDirSync(new URL("../scripts", import.meta.url)))
  .filter(({ name }) => name.endsWith(".oss"))
  .map(({ name }) => new URL(`../scripts/${name}`, import.meta.url).pathname).sort();

/** The whole suite takes a tenth of this on a quiet machine. */
const SUITE_LIMIT_MS = 120_000;

/** Runs `ossp script`. */
async function script(
  ...words: string[]
): Promise<{ status: number; stdout: string; stderr: string }> {
  await using run = new Run([...OSSP, "script", ...words]);
  const status = await run.end(SUITE_LIMIT_MS);
  return { status, stdout: run.stdout, stderr: run.stderr };
}

/** The time that tests took is not the same twice. */
function withoutTimes(tap: string): string {
  return tap.replaceAll(/duration_ms: .*/g, "");
}

Deno.test({
  name: "the suite of scripts",
  ignore: LACKING,
  async fn(test) {
    const { stdout, stderr } = await script("--output", "junit", ...SCRIPTS);
    const results = parseJunit(stdout);
    assert(results.length > 200, stdout + stderr);
    for (const { name, outcome, text } of results) {
      await test.step({
        name,
        fn: () => assertEquals([outcome, text], ["passed", ""]),
      });
    }
  },
});

Deno.test({
  name: "the suite ends twice alike, on either event loop",
  ignore: LACKING,
  async fn() {
    const SWITCH = "/proc/sys/kernel/io_uring_disabled";
    const chosen = SCRIPTS.filter((path) => /exact|opens|faults/.test(path));
    const first = await script("--output", "tap", ...chosen);
    const before = await Deno.readTextFile(SWITCH);
    await Deno.writeTextFile(SWITCH, "2");
    try {
      const second = await script("--output", "tap", ...chosen);
      // Recordings are shown in a mapping by io_uring alone.
      assertEquals(withoutTimes(second.stdout), withoutTimes(first.stdout));
    } finally {
      await Deno.writeTextFile(SWITCH, before);
    }
  },
});

const WRONG = `test holds
  open dsp wronly

test does not hold
  open dsp wronly
  GETBLKSIZE -> size:>0
  GETOSPACE -> fragsize=$size+1

test fails in a child
  open dsp wronly
  fork:
    write zeros 16 -> 17
  join

test needs what there is not
  needs oss4 fault
  open /dev/nothing wronly

test <odd> & "quoted" # a comment
  wait 1ms
`;

Deno.test({
  name: "a script that fails",
  ignore: LACKING,
  async fn(test) {
    await using scratch = new Scratch();
    const path = `${scratch.path}/wrong.oss`;
    await Deno.writeTextFile(path, WRONG);

    await test.step("says where, what was expected and what came", async () => {
      const { status, stdout } = await script(path);
      assertEquals(status, 1);
      assertMatch(stdout, /^ {2}ok {4}holds$/m);
      assertMatch(
        stdout,
        /wrong\.oss:7: GETOSPACE -> fragsize=\$size\+1\n +expected: fragsize=\$size\+1\n +got: fragments=/,
      );
      assertMatch(stdout, /wrong\.oss:12: write zeros 16 -> 17\n +expected: 17\n +got: 16/);
      assertMatch(stdout, /^2 passed, 3 failed, 0 skipped$/m);
    });

    await test.step("is TAP 14", async () => {
      const { stdout } = await script("--output", "tap", path);
      assertMatch(stdout, /^TAP version 14\n1\.\.5\n/);
      assertMatch(stdout, /^ok 1 - .*: holds$/m);
      assertMatch(stdout, /^not ok 2 - .*: does not hold\n {2}---\n {2}message: ".*wrong\.oss:7:/m);
      assertMatch(stdout, /^ok 5 - .*: <odd> & "quoted"$/m);
      assertEquals(stdout.match(/^(not )?ok \d/gm)?.length, 5);
    });

    await test.step("is JUnit", async () => {
      const { stdout } = await script("--output", "junit", path);
      const names = parseJunit(stdout).map(({ name, outcome }) => `${outcome} ${name}`);
      assertEquals(names.slice(0, 3), [
        "passed holds",
        "failed does not hold",
        "failed fails in a child",
      ]);
      await Deno.writeTextFile(`${scratch.path}/junit.xml`, stdout);
      const { success, stderr } = await new Deno.Command("xmllint", {
        args: [
          "--noout",
          "--schema",
          new URL("junit.xsd", import.meta.url).pathname,
          `${scratch.path}/junit.xml`,
        ],
      }).output();
      assert(success, new TextDecoder().decode(stderr));
    });
  },
});

Deno.test({
  name: "a script that hangs or crashes fails, and the next test is run",
  ignore: LACKING,
  async fn(test) {
    await using scratch = new Scratch();
    const path = `${scratch.path}/hangs.oss`;
    const fifo = `${scratch.path}/fifo`;
    await new Deno.Command("mkfifo", { args: [fifo] }).output();

    await test.step("in a system call", async () => {
      await Deno.writeTextFile(
        path,
        `test hangs\n  open ${fifo} rdonly\ntest goes on\n  open dsp wronly\n`,
      );
      const { status, stdout } = await script("--time-limit", "3", path);
      assertEquals(status, 1);
      assertMatch(stdout, /FAIL {2}hangs\n.*hangs\.oss:1: test hangs\n.*\n +got: nothing for 3 s/);
      assertMatch(stdout, /ok {4}goes on\n1 passed, 1 failed/);
    });

    await test.step("in a process of its own", async () => {
      await Deno.writeTextFile(
        path,
        `test hangs\n  open dsp wronly\n  fork:\n    open ${fifo} rdonly\n  join\n` +
          "test goes on\n  open dsp wronly\n",
      );
      const { status, stdout } = await script("--time-limit", "3", path);
      assertEquals(status, 1);
      assertMatch(stdout, /FAIL {2}hangs\n[^]*ok {4}goes on\n1 passed, 1 failed/);
    });

    await test.step("by a signal", async () => {
      await Deno.writeTextFile(
        path,
        "test touches what is no memory\n  open dsp rdwr\n  mmap 2147487744 as ring\n" +
          "  peek ring 2147483648 4096 -> zeros\ntest goes on\n  open dsp wronly\n",
      );
      const { status, stdout } = await script("--time-limit", "10", path);
      assertEquals(status, 1);
      assertMatch(stdout, /FAIL {2}touches[^]*ok {4}goes on\n1 passed, 1 failed/);
    });

    await test.step("in a time that does not end", async () => {
      await Deno.writeTextFile(
        path,
        "test waits for ever\n  open dsp wronly\n  SETFRAGMENT 0x2000a\n  SETTRIGGER 0\n" +
          "  GETOSPACE -> bytes=room:*\n  write zeros $room\n  write zeros 16\ntest goes on\n  open dsp wronly\n",
      );
      const { status, stdout } = await script(path);
      assertEquals(status, 1);
      assertMatch(stdout, /FAIL {2}waits for ever\n[^]*got: EINTR[^]*ok {4}goes on/);
    });
  },
});

Deno.test({
  name: "what is no script is said before anything is run",
  ignore: LACKING,
  async fn() {
    await using scratch = new Scratch();
    const path = `${scratch.path}/none.oss`;
    await Deno.writeTextFile(path, "test a\n  open dsp wronly\n  frobnicate\n");
    assertEquals(await script(path), {
      status: 64,
      stdout: "",
      stderr: `ossp: ${path}:3: "frobnicate": no such statement\n`,
    });
    const missing = await script(`${scratch.path}/missing.oss`);
    assertEquals([missing.status, missing.stdout], [64, ""]);
    assertEquals((await script()).status, 64);
    assertEquals((await script("--only", "no such test", SCRIPTS[0])).status, 64);
  },
});

Deno.test({
  name: "a device that is there is tested in real time",
  ignore: LACKING,
  async fn() {
    await using scratch = new Scratch();
    const path = `${scratch.path}/real.oss`;
    await Deno.writeTextFile(
      path,
      "test takes its time\n  open dsp wronly\n  write zeros 800 -> 800\n  SYNC after 90ms\n" +
        "test has no faults\n  needs fault\n  wait 1s\n" +
        "test has a mixer beside it\n  open mixer rdonly\n  READ_DEVMASK -> >0\n",
    );
    await using run = Run.ossp(["--", ...OSSP, "script", "--device", "/dev/dsp", path]);
    assertEquals(await run.end(), 0, run.stdout + run.stderr);
    assertMatch(run.stdout, /skip {2}has no faults \(needs fault\)/);
    assertMatch(run.stdout, /2 passed, 0 failed, 1 skipped/);
  },
});
