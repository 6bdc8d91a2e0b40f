// `ossp doctor`: what it finds on this machine, and what it says where something is missing.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { exists, LACKING, OSSP, Run, Scratch } from "./ossp.ts";

const EX_UNAVAILABLE = 69;

/** Runs it where there are no sound servers; returns its lines. */
async function doctor(folder: string, by: readonly string[], status: number): Promise<string[]> {
  await Deno.writeTextFile(`${folder}/asoundrc`, "");
  const env = {
    HOME: folder,
    XDG_RUNTIME_DIR: folder,
    PULSE_SERVER: `unix:${folder}/pulse`,
    DBUS_SESSION_BUS_ADDRESS: "disabled:",
    JACK_DEFAULT_SERVER: `none-${crypto.randomUUID()}`,
    ALSA_CONFIG_PATH: `${folder}/asoundrc`,
    AUDIODEVICE: "snd,14/none",
  };
  await using run = new Run([...by, ...OSSP, "doctor"], { env });
  assertEquals([await run.end(), run.stderr], [status, ""], run.stdout);
  return run.stdout.trimEnd().split("\n");
}

function lineOf(lines: readonly string[], what: string): string {
  const line = lines.find((line) => line.slice(7).split(": ")[0] === what);
  assert(line, `no line about ${what}: ${lines.join("\n")}`);
  return line;
}

Deno.test({
  name: "doctor says what there is, and how what there is not is had",
  ignore: LACKING,
  async fn() {
    await using scratch = new Scratch();
    const lines = await doctor(scratch.path, [], EX_UNAVAILABLE);
    for (const line of lines) assertMatch(line, /^(has {4}[^:]+|lacks {2}[^:]+: .+)$/);
    assertEquals(lineOf(lines, "/dev/fuse"), "has    /dev/fuse");
    assertEquals(lineOf(lines, "unshare"), "has    unshare");
    assertEquals(lineOf(lines, "/dev/cuse").startsWith("has"), exists("/dev/cuse"));
    for (const kind of ["pulse", "jack", "alsa", "sndio"]) {
      assert(lineOf(lines, `--sink ${kind}`).startsWith("lacks"), lines.join("\n"));
    }
  },
});

Deno.test({
  name: "doctor finds what has been taken away",
  ignore: LACKING,
  async fn() {
    await using scratch = new Scratch();
    const without = "umask 0; mount -t tmpfs none /dev && mkdir /dev/shm && " +
      'mknod /dev/null c 1 3 && mknod /dev/urandom c 1 9 && exec "$@"';
    const by = ["unshare", "--mount", "--", "sh", "-c", without, "sh"];
    const lines = await doctor(scratch.path, by, EX_UNAVAILABLE);
    assertEquals(
      lineOf(lines, "/dev/fuse"),
      "lacks  /dev/fuse: ENOENT (load the kernel module: modprobe fuse)",
    );
  },
});
