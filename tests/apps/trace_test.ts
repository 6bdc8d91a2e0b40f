// Traces of real programs, taken in real time, are tests that hold on the script's own clock.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { parseScript } from "../../lib/script/parser.ts";
import {
  available,
  KERNEL_MAPS,
  makeTake,
  osspWords,
  programNamed,
  runOssp,
  Scratch,
  together,
} from "../programs.ts";

/** A program and what its trace must tell. */
interface Traced {
  readonly name: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly tells: readonly RegExp[];
  /** What it writes, in one piece, if that is known. */
  readonly sound?: Uint8Array;
}

const RECORDS = /^ +(?:dsp: )?read \d+ -> [1-9]/m;

async function programs(folder: string): Promise<Traced[]> {
  const traced: Traced[] = [];
  for (const [seed, name] of ["sox", "mpg123", "ffmpeg", "mplayer"].entries()) {
    if (!available(programNamed(name).executable, "ffmpeg")) continue;
    const { command, sound } = await makeTake(programNamed(name), folder, seed);
    traced.push({ name, command, sound: sound.bytes, tells: [/^ {2}SPEED (44100|48000) -> \1$/m] });
  }
  if (KERNEL_MAPS && available("plaympeg", "mpg123")) {
    const { command: [...words] } = await makeTake(programNamed("mpg123"), folder, 10);
    traced.push({
      name: "plaympeg",
      command: ["plaympeg", "--novideo", words.at(-1)!],
      env: { SDL_AUDIODRIVER: "dma" },
      tells: [/^ {2}mmap \d+ as ring_of_dsp$/m, /^ {2}GETOPTR -> bytes=\d+~/m, /^ {2}poll out /m],
    });
  }
  if (available("sox")) {
    const record = ["sox", "-q", "-t", "oss", "-r", "48000", "-c", "2", "/dev/dsp", "-n"];
    traced.push({
      name: "sox-records",
      command: [...record, "trim", "0", "0.5"],
      tells: [RECORDS],
    });
    const takes = [
      await makeTake(programNamed("sox"), folder, 11),
      await makeTake(programNamed("dd"), folder, 12),
    ];
    traced.push({
      name: "two",
      command: together(takes),
      tells: [/^ {2}fork:\n {4}# (?:sox|dd) /m, /^ {2}join$/m],
    });
  }
  if (available("gst-launch-1.0")) {
    const gst = ["gst-launch-1.0", "-q"];
    for (const source of ["osssrc", "oss4src"]) {
      const command = [...gst, source, "num-buffers=20", "!", "fakesink"];
      traced.push({ name: source, command, tells: [RECORDS, /^ {2}(?:dsp: )?nonblock off$/m] });
    }
    const sound = ["audiotestsrc", "num-buffers=40", "!", "audio/x-raw,rate=48000,channels=2", "!"];
    for (const sink of ["osssink", "oss4sink"]) {
      traced.push({ name: sink, command: [...gst, ...sound, sink], tells: [/GETODELAY -> \d+~/] });
    }
  }
  if (available("aumix")) {
    traced.push({
      name: "aumix",
      command: ["aumix", "-d", "/dev/mixer", "-v", "60", "-w", "70", "-q"],
      tells: [/^ {2}WRITE_VOLUME 60,60 -> 60,60$/m, /^ {2}READ_PCM -> 70,70$/m],
    });
  }
  return traced;
}

/** Runs `ossp script` on a script. */
async function replay(path: string): Promise<{ code: number; output: string }> {
  const [program, ...args] = [...osspWords(), "script", path];
  const child = new Deno.Command(program, { args, stdin: "null" });
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

Deno.test("traces of real programs are taken, and hold as scripts", async (t) => {
  await using scratch = await Scratch.create();
  for (const { name, command, env, tells, sound } of await programs(scratch.path)) {
    await t.step(name, async () => {
      const path = `${scratch.path}/${name}.oss`;
      const options = ["--frontend", "fuse", "--clock", "real", "--trace", path];
      const { status, stderr } = await runOssp({ options, command, env });
      assertEquals(status, 0, stderr);
      const script = await Deno.readTextFile(path);
      for (const telling of tells) assertMatch(script, telling);
      assert(!script.includes("missing here"), "calls were lost");
      if (sound) {
        const data = await Deno.readFile(`${path}.data`);
        assertEquals(sound.findIndex((byte, i) => byte !== data[i]), -1, "what it wrote");
      }
      const { code, output } = await replay(path);
      assertEquals(code, 0, output);
      assertEquals(parseScript(script, path).tests.length, 1);
    });
  }

  await t.step("a trace that tells something else does not hold", async () => {
    const script = await Deno.readTextFile(`${scratch.path}/sox.oss`);
    const path = `${scratch.path}/wrong.oss`;
    await Deno.writeTextFile(path, script.replace("SPEED 48000 -> 48000", "SPEED 48000 -> 47999"));
    await Deno.rename(`${scratch.path}/sox.oss.data`, `${path}.data`);
    const { code, output } = await replay(path);
    assertEquals(code, 1, output);
    assertMatch(output, /SPEED 48000 -> 47999\n +expected: 47999\n +got: 48000/);
  });
});
