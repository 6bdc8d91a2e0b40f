// The mixer as its clients see it: programs of OSS 3 and OSS 4 in C, ossp's own, and Debian's aumix and
// rexima.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { available } from "../programs.ts";
import { LACKING, OSSP, Run, Scratch } from "./ossp.ts";

/** Runs a script beside the devices; what it printed. */
async function play(script: string, options: readonly string[] = []): Promise<string> {
  await using run = Run.ossp([...options, "--", "sh", "-c", script]);
  assertEquals([await run.end(), run.stderr], [0, ""], run.stdout);
  return run.stdout;
}

const OSSP_MIXER = [...OSSP, "mixer"].join(" ");

Deno.test({
  name: "clients of the mixer",
  ignore: LACKING,
  async fn(test) {
    await using scratch = new Scratch();
    const client = await scratch.client("mixer_client");

    await test.step("OSS 4's tree", async () => {
      assertEquals((await play(`${client} walk /dev/mixer`)).split("\n"), [
        "0 ",
        ...["1 vol", "5 vol 6464", "21 vol.mute 0"],
        ...["1 pcm", "5 pcm 6464", "21 pcm.mute 0"],
        ...["1 igain", "5 igain 6464", "21 igain.mute 0"],
        ...["12 ", "3 scope 0 stream", ""],
      ]);
      const tree = await play(`${client} walk /dev/mixer 4>/dev/dsp`, ["--mixer-scope", "all"]);
      assertStringIncludes(tree, "3 scope 2 all\n1 sh\n5 sh 6464\n21 sh.mute 0\n");
    });

    await test.step("a program's own stream, from all sides", async () => {
      assertEquals(await play(`${client} own /dev/mixer /dev/dsp`), "");
    });

    await test.step("--mixer-scope says whose streams pcm is of", async () => {
      const script = `exec 4>/dev/dsp; setsid -w ${OSSP_MIXER} set pcm 40; ${OSSP_MIXER} get sh`;
      for (const [scope, level] of [["stream", 100], ["user", 40], ["all", 40]]) {
        const shown = await play(script, ["--mixer-scope", `${scope}`]);
        assertEquals(shown, `${level}:${level} on\n`, `${scope}`);
      }
    });

    await test.step("the recording gain, by its cube", async () => {
      const options = ["--source", "tone:1000"];
      const [before, after] = (await play(`${client} gain /dev/mixer /dev/dsp`, options)).split(
        " ",
      );
      assert(Math.abs(Number(before) / Number(after) - 8) < 0.1, `${before} and ${after}`);
    });

    await test.step("ossp mixer lists, gets and sets", async () => {
      const commands = ["set vol 75%", "set pcm 80:60", "set pcm -5", "set igain mute", "get pcm"];
      const script = [...commands, "list"].map((words) => `${OSSP_MIXER} ${words}`).join(" && ");
      const [pcm, ...list] = (await play(`exec 4>/dev/dsp; ${script}`)).trim().split("\n");
      assertEquals(pcm, "75:55 on");
      const columns = list.map((line) => line.split(/ {2,}/));
      assertEquals(columns.map(([name, value]) => [name, value]), [
        ["vol", "75:75 on"],
        ["pcm", "75:55 on"],
        ["igain", "100:100 muted"],
        ["scope", "stream"],
        ["sh", "75:55 on"],
      ]);
      assertMatch(columns[4][2], /^what sh plays \(process \d+\)$/);
    });

    await test.step("ossp mixer says what is wrong", async () => {
      const cases: [words: string, status: number, text: string][] = [
        ["get foo", 69, "ossp: foo: /dev/mixer has no such control (see ossp mixer)"],
        ["set scope all", 69, "ossp: /dev/mixer: SNDCTL_MIX_WRITE: EFAULT (Bad address)"],
        ["--device /dev/nope", 69, "ossp: /dev/nope: open: ENOENT (No such file or directory)"],
        [
          "set pcm loud",
          64,
          "ossp: mixer: loud: a level such as 75, 75%, 80:60, +5 or -5 is wanted",
        ],
        ["put pcm 5", 64, "ossp: mixer: put: list, get or set is wanted"],
        ["set pcm", 64, "ossp: mixer: set wants a CONTROL and a VALUE"],
      ];
      const script = cases.map(([words]) => `${OSSP_MIXER} ${words}; echo $?`).join("\n");
      await using run = Run.ossp(["--", "sh", "-c", script]);
      assertEquals(await run.end(), 0);
      assertEquals(run.stdout.trim().split("\n"), cases.map(([, status]) => `${status}`));
      run.stderr.trim().split("\n").forEach((line, i) => assertStringIncludes(line, cases[i][2]));
    });

    await test.step({
      name: "aumix moves what is there, and shows it",
      ignore: !available("aumix"),
      async fn() {
        const script = `exec 4>/dev/dsp; aumix -v 60 -w 40 -i-30; aumix -q; ${OSSP_MIXER} get sh`;
        const lines = (await play(script)).trim().split("\n").map((line) => line.trim());
        assertEquals(lines, ["vol 60, 60", "pcm 40, 40", "igain 70, 70, R", "40:40 on"]);
      },
    });

    await test.step({
      name: "rexima moves what is there, and shows it",
      ignore: !available("rexima"),
      async fn() {
        const shown = await play("rexima vol 55 pcm 45 && rexima -v");
        assertMatch(shown, /vol\s+55/);
        assertMatch(shown, /pcm\s+45/);
      },
    });
  },
});
