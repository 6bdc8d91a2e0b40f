// The death of either side, and of the place where the sound goes: what the other side sees, what
// has arrived, and that nothing is left behind.

import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  assertGone,
  assertPattern,
  exists,
  isTrue,
  LACKING,
  Run,
  samplesOf,
  Scratch,
  SOON_MS,
  until,
} from "./ossp.ts";

// The kernel's word for a server that has gone depends on where the call was.
const SERVER_GONE = /^(ENOTCONN|ECONNABORTED|ENODEV)$/m;

/** A flood that has been heard: something of it is in the file. */
async function playing(run: Run, file: string) {
  await run.printed("playing");
  await until(() => exists(file) && Deno.statSync(file).size > 4096, `sound in ${file}`);
}

/** How a run of ossp with a COMMAND can end, what does it, and the status that ossp ends with. */
const ENDINGS: readonly [name: string, end: (run: Run) => void, status: number][] = [
  ["SIGINT to ossp", (run) => run.kill("SIGINT"), 130],
  ["SIGTERM to ossp", (run) => run.kill("SIGTERM"), 143],
  ["kill -9 of ossp", (run) => run.kill("SIGKILL"), 137],
  ["kill -9 of COMMAND", (run) => Deno.kill(run.member("client"), "SIGKILL"), 137],
];

Deno.test({
  name: "a run that is ended while it plays leaves nothing but a true file",
  ignore: LACKING,
  async fn(test) {
    await using scratch = new Scratch();
    const client = await scratch.client();
    await Promise.all(ENDINGS.map(([name, end, status], i) =>
      test.step({
        name,
        async fn() {
          const temporary = `${scratch.path}/tmp-${i}`;
          await Deno.mkdir(temporary);
          const sink = `wav:${scratch.path}/${i}-%n.wav`;
          const file = `${scratch.path}/${i}-1.wav`;
          await using run = Run.ossp(["--sink", sink, "--", client, "flood", "/dev/dsp"], {
            env: { TMPDIR: temporary },
          });
          await playing(run, file);
          const family = run.family();
          assert(family.length >= 2);
          const startMs = performance.now();
          end(run);
          assertEquals(await run.end(), status, run.stderr);
          assert(performance.now() - startMs < SOON_MS, "it took too long");
          await assertGone(family);
          assertEquals(scratch.mounts(), []);
          assertEquals([...Deno.readDirSync(temporary)], []);
          assertPattern(samplesOf(file, name === "kill -9 of ossp"));
        },
        sanitizeOps: false,
        sanitizeResources: false,
        sanitizeExit: false,
      })
    ));
  },
});

Deno.test({
  name: "a killed client does not disturb the others; a killed daemon ends them with an error",
  ignore: LACKING,
  async fn() {
    await using scratch = new Scratch();
    const client = await scratch.client();
    const devices = `${scratch.path}/devices`;
    const file = (n: number) => `${scratch.path}/${n}.wav`;
    const serve = ["--dir", devices, "--sink", `wav:${scratch.path}/%n.wav`];
    await using daemon = Run.ossp(serve);
    await daemon.printed("serving", "stderr");
    const flood = async (n: number) => {
      const run = new Run([client, "flood", `${devices}/dsp`]);
      await playing(run, file(n));
      return run;
    };
    await using killed = await flood(1);
    await using left = await flood(2);

    killed.kill("SIGKILL");
    assertEquals(await killed.end(), 137);
    await assertGone([killed.pid]);
    await until(() => isTrue(file(1)), "the end of the killed client's file");
    assertPattern(samplesOf(file(1)));
    const { size } = Deno.statSync(file(2));
    await until(() => Deno.statSync(file(2)).size > size + 4096, "more sound of the other client");

    daemon.kill("SIGKILL");
    const startMs = performance.now();
    assertEquals(await left.end(), 0, left.stdout);
    assert(performance.now() - startMs < SOON_MS, "the client heard of it too late");
    assertMatch(left.stdout, SERVER_GONE);
    await daemon.end();
    await assertGone([daemon.pid, left.pid]);
    const samples = samplesOf(file(2), true);
    assertPattern(samples);
    assert(samples.length <= Number(left.stdout.trimEnd().split("\n").at(-1)));

    // What the killed one has left is cleared by the next.
    assertEquals(scratch.mounts().length, 1);
    await Deno.remove(file(1));
    await using next = Run.ossp(serve);
    await next.printed("serving", "stderr");
    await using again = await flood(1);
    again.kill("SIGKILL");
    await again.end();
    next.kill("SIGTERM");
    assertEquals(await next.end(), 0, next.stderr);
    assertEquals(scratch.mounts(), []);
    assert(exists(devices), "the folder was not this run's to remove");
  },
});

Deno.test({
  name: "a full disk and a missing folder are EIO to their stream and one line in the log",
  ignore: LACKING,
  async fn() {
    await using scratch = new Scratch();
    const client = await scratch.client();
    const devices = `${scratch.path}/devices`;
    const place = (name: string) => `${scratch.path}/${name}`;
    await Deno.mkdir(place("bin"));
    await Deno.mkdir(place("full"));
    await Deno.mkdir(place("good"));
    const full = ["-t", "tmpfs", "-o", "size=64k", "ossp-test", place("full")];
    assertEquals((await new Deno.Command("mount", { args: full }).output()).code, 0);
    try {
      const sink = `wav:${scratch.path}/%c/sound.wav`;
      await using daemon = Run.ossp(["--dir", devices, "--clock", "free", "--sink", sink]);
      await daemon.printed("serving", "stderr");
      const play = async (name: string, behaviour: string) => {
        // The file is called after the program.
        const program = place(`bin/${name}`);
        await Deno.symlink(client, program);
        await using run = new Run([program, behaviour, `${devices}/dsp`]);
        assertEquals(await run.end(), 0, run.stdout);
        return run.stdout;
      };
      assertMatch(await play("full", "flood"), /^EIO$/m);
      assertMatch(await play("missing", "flood"), /^EIO$/m);
      assertMatch(await play("short", "lost_sound"), /^-1$/m);
      assertMatch(await play("good", "shared_descriptors"), /^13500$/m);
      const [serving, ...lines] = daemon.stderr.trimEnd().split("\n");
      assertMatch(serving, /serving/);
      assertEquals(lines.length, 3, lines.join("\n"));
      assertMatch(lines[0], /stream of full \(\d+\): sound is lost: .*full\/sound\.wav: .*ENOSPC/);
      assertMatch(lines[1], /stream of missing \(\d+\): sound is lost: .*missing.*ENOENT/);
      const sound = samplesOf(`${place("good")}/sound.wav`);
      assertEquals(sound.length, 13500);
      assertPattern(sound);
      daemon.kill("SIGTERM");
      assertEquals(await daemon.end(), 0, daemon.stderr);
    } finally {
      await new Deno.Command("umount", { args: [place("full")] }).output();
    }
  },
});
