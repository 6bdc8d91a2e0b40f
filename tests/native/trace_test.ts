// ossp trace on this kernel: what a client does is what is told, whatever it does, and the sound does
// not suffer by it.

import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { parseScript } from "../../lib/script/parser.ts";
import { compile } from "../compile.ts";
import { KERNEL_MAPS, NO_SERVER } from "../programs.ts";
import { exists, LACKING, OSSP, Run, samplesOf, Scratch } from "./ossp.ts";

/** The lines of a script without comments, the times of `at`, and what a machine's pace decides. */
function statements(script: string): string[] {
  parseScript(script, "trace");
  return script.split("\n")
    .map((line) =>
      line.replace(/ *#.*$/, "")
        .replace(/\d+~/g, "N~")
        .replace(/^( *poll \w+) [1-9]\d*ms/, "$1 Nms")
        .replace(/(?<=call 0x403C0A01 .*)-> E(?:INVAL|NOTTY)/, "-> E") // which, is not a trace's business
        .replace(/EAGAIN\|0\.\.\d+/, "EAGAIN|0..N")
    )
    .filter((line) => !/^ *(?:at .*)?$/.test(line));
}

Deno.test({
  name: "ossp trace",
  ignore: LACKING,
  fn: async (t) => {
    await using scratch = await new Scratch();
    const place = (name: string) => `${scratch.path}/${name}`;
    const client = await compile("native/trace_client.c", scratch.path, "-lpthread");

    /** Traces an act of the client; its script. */
    async function scriptOf(act: string, ...options: string[]): Promise<string> {
      const file = place(`${act}.oss`);
      const words = ["trace", "--frontend", "fuse", ...NO_SERVER, "-o", file, ...options];
      await using run = new Run([...OSSP, ...words, "--", client, act]);
      assertEquals([await run.end(), run.stdout, run.stderr], [0, "", ""]);
      return Deno.readTextFileSync(file);
    }

    await t.step("every kind of call is told, hostile ones too", async () => {
      const script = await scriptOf("every_call");
      const hostile = "dead".padEnd(120, "0");
      assertEquals(statements(script), [
        `test ${client} every_call`.replaceAll(/[^\w.,=+/@-]+/g, " "),
        "  open dsp wronly nonblock",
        "  SETFMT AFMT_U8 -> AFMT_U8",
        "  SPEED 16000 -> 16000",
        "  SETFRAGMENT 0x8000a -> 0x8000a",
        "  GETBLKSIZE -> 1024",
        "  GETOSPACE -> fragments=N~1 fragstotal=8 fragsize=1024 bytes=N~1024",
        "  GETOSPACE -> fragments=N~1 fragstotal=8 fragsize=1024 bytes=N~1024",
        "  call 0xC0045063 dead0000 -> EINVAL",
        `  call 0x403C0A01 ${hostile} -> E`,
        '  write "every_call.oss.data" 16384 -> N~1024',
        '  write "every_call.oss.data" 16384 8192 -> EAGAIN|0..N',
        "  poll out 0ms -> -",
        "  poll out Nms -> -",
        "  poll out 1s -> out",
        "  GETODELAY -> N~1024",
        "  RESET",
        "  close",
        "  open dsp rdonly",
        "  read 800 -> 800",
        "  close",
        "  open mixer rdwr",
        "  WRITE_PCM 50,60 -> 50,60",
        '  write "every_call.oss.data" 24576 10 -> EINVAL',
        "  close",
      ]);
      const data = Deno.readFileSync(place("every_call.oss.data"));
      assertEquals(data.length, 24586);
      assertEquals(data.findIndex((byte, i) => byte !== (i % 8192 * 7 + 1) % 256 && i < 24576), -1);
    });

    await t.step("what is written is not kept where it is not wanted", async () => {
      const script = await scriptOf("child", "--data", "none");
      assert(statements(script).includes("  write zeros 8 -> 8"), script);
      assert(!exists(place("child.oss.data")));
    });

    await t.step({
      name: "a mapping is told by its first touch",
      ignore: !KERNEL_MAPS,
      fn: async () => {
        assertEquals(statements(await scriptOf("mapping")).slice(1), [
          "  open dsp rdwr",
          "  SETFRAGMENT 0x2000c -> 0x2000c",
          "  mmap 8192 as ring_of_dsp",
          "  poke ring_of_dsp 0 zeros 8192",
          "  SETTRIGGER PCM_ENABLE_OUTPUT",
          "  GETOPTR -> bytes=N~4096 blocks=N~1 ptr=*",
          "  munmap ring_of_dsp",
          "  close",
        ]);
      },
    });

    await t.step("a child has a lane, and its name breaks nothing", async () => {
      const script = await scriptOf("child");
      assertEquals(statements(script).slice(1), [
        "  open dsp wronly",
        '  write "child.oss.data" 8 -> 8',
        "  fork:",
        "    dsp: close",
        "    open dsp wronly as dsp2",
        '    write "child.oss.data" 8 4 -> 4',
        "    close",
        '  write "child.oss.data" 12 4 -> 4',
        "  close",
        "  join",
      ]);
      assertEquals(Deno.readTextFileSync(place("child.oss.data")).slice(0, 8), "abcdefgh");
    });

    await t.step("a thread that calls while another one waits has a lane", async () => {
      assertEquals(statements(await scriptOf("threads")).slice(1), [
        "  open dsp wronly",
        "  SPEED 16000 -> 16000",
        "  SETFRAGMENT 0x8000a -> 0x8000a",
        "  fork:",
        "    dsp: GETODELAY -> N~1024",
        "    dsp: GETODELAY -> N~1024",
        "    dsp: GETODELAY -> N~1024",
        "  write zeros 16384 -> 16384",
        "  close",
        "  join",
      ]);
    });

    await t.step("what a signal has ended is told as far as it came", async () => {
      const script = await scriptOf("signals");
      assertMatch(
        script,
        /^ {2}write "signals.oss.data" (\d+) -> \1 {2}# interrupted: 32768 were/m,
      );
      assertMatch(script, /^ {2}# interrupted by a signal: SYNC -> EINTR$/m);
    });

    await t.step(
      "what comes too fast is counted, nothing waits for it, and all is heard",
      async () => {
        const script = await scriptOf(
          "flood",
          "--clock",
          "free",
          "--sink",
          `raw:${place("heard")}-%n`,
        );
        const told = script.match(/^ {2}write /mg)!.length;
        const lost = [...script.matchAll(/# missing here: (\d+)/g)];
        assertGreater(lost.length, 0, "it was not fast enough to show anything");
        const calls = told + lost.reduce((sum, [, count]) => sum + Number(count), 0);
        // Its close may be among the lost ones.
        assert(calls >= 6000 && calls <= 6002, `${told} of ${calls} calls are told`);
        parseScript(script, "flood");
        assertEquals(Deno.statSync(`${place("heard")}-1`).size, 6000 * 65536);
      },
    );

    await t.step("a list on standard error says who, what and how long", async () => {
      const words = ["trace", "--frontend", "fuse", ...NO_SERVER, "--", client, "every_call"];
      await using run = new Run([...OSSP, ...words]);
      assertEquals(await run.end(), 0);
      const lines = run.stderr.trimEnd().split("\n");
      for (const line of lines) {
        assertMatch(line, /^\d+\.\d{6} trace_client\[\d+\] .* <\d+\.\d{6}>$/);
      }
      assertMatch(lines[0], / open dsp wronly nonblock </);
      assertMatch(
        lines[5],
        / dsp: GETOSPACE -> fragments=8 fragstotal=8 fragsize=1024 bytes=8192 </,
      );
      assertMatch(lines[9], / dsp: write "..." 16384 -> \d+ </);
    });

    await t.step("a file that cannot be written is said before anything runs", async () => {
      for (const [file, why] of [[place("no/file"), "No such file"], [scratch.path, "directory"]]) {
        const words = ["trace", "--frontend", "fuse", ...NO_SERVER, "-o", file, "--", client];
        await using run = new Run([...OSSP, ...words, "every_call"]);
        assertEquals(await run.end(), 69);
        assert(run.stderr.startsWith(`ossp: ${file}: `) && run.stderr.includes(why), run.stderr);
        assertEquals(run.stderr.trimEnd().split("\n").length, 1);
      }
    });

    await t.step("a disk that becomes full ends the trace and not the sound", async () => {
      Deno.symlinkSync("/dev/full", place("full"));
      const sink = ["--sink", `wav:${place("full")}-%n.wav`];
      const words = ["trace", "--frontend", "fuse", ...NO_SERVER, ...sink, "-o", place("full")];
      await using run = new Run([...OSSP, ...words, "--data", "none", "--", client, "child"]);
      assertEquals(await run.end(), 0);
      assertMatch(run.stderr, /^ossp: the trace ends here: No space left on device[^\n]*\n$/);
      const sizes = [1, 2].map((n) => samplesOf(`${place("full")}-${n}.wav`).length);
      assertEquals(sizes.toSorted(), [12, 4]);
    });

    await t.step("ossp run --trace is the same, without a command too", async () => {
      const file = place("served.oss");
      await using served = Run.ossp(["--dir", place("dev"), "--trace", file]);
      await served.printed("serving", "stderr");
      await using run = new Run([
        "dd",
        "if=/dev/zero",
        `of=${place("dev")}/dsp`,
        "bs=100",
        "count=2",
      ]);
      assertEquals(await run.end(), 0);
      served.kill("SIGTERM");
      assertEquals(await served.end(), 0);
      assertEquals(statements(Deno.readTextFileSync(file)), [
        "test what programs did",
        "  open dsp wronly",
        "  write zeros 100 -> 100",
        "  write zeros 100 -> 100",
        "  close",
      ]);
    });

    await t.step("a trace is in its file while it is taken", async () => {
      const file = place("alive.oss");
      const words = ["trace", "--frontend", "fuse", ...NO_SERVER, "-o", file, "--", "sh", "-c"];
      await using run = new Run([
        ...OSSP,
        ...words,
        `exec 3>/dev/dsp; echo x >&3; cat ${file}; sleep .2; cat ${file}`,
      ]);
      assertEquals(await run.end(), 0);
      assert(run.stdout.includes('\n  write "alive.oss.data" 2 -> 2'), run.stdout);
    });
  },
});
