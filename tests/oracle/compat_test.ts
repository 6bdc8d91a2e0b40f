// 32-bit programs on a 64-bit kernel: their structs with longs and gaps are others, and so are the
// numbers of the calls. Kernels without such programs (a user-mode one among them) cannot show it.

import { assertEquals } from "@std/assert";
import { difference, makeTake, programNamed, readWav, Scratch } from "../programs.ts";
import { compile } from "../compile.ts";
import { i386 } from "./packages.ts";
import { bootQemu, qemuMissing } from "./qemu.ts";

const TIMEOUT_SECONDS = 400;

/** Devices beside the kernel's own, in a folder of ours and as character devices. */
const FRONT_ENDS = [
  ["fuse", ["--dir", "/tmp/devices"], "/tmp/devices/dsp", "/tmp/devices/mixer"],
  [
    "cuse",
    [
      ...["--dsp", "ossp_dsp", "--dsp-minor", "67", "--mixer", "ossp_mixer", "--mixer-minor", "64"],
      ...["--adsp", "''", "--audio", "''", "--dspw", "''", "--sndstat", "''"],
    ],
    "/dev/ossp_dsp",
    "/dev/ossp_mixer",
  ],
] as const;

/** mpg123 and its libraries. */
const MPG123 = ["mpg123", "libmpg123-0", "libout123-0", "libsyn123-0", "libc6"];

/** The shell's words that run Debian's 32-bit mpg123 from the folder that it is unpacked in. */
function mpg123Words(root: string): string {
  const libraries = `${root}/usr/lib/i386-linux-gnu`;
  return `env MPG123_MODDIR=${libraries}/mpg123 ${root}/lib/i386-linux-gnu/ld-linux.so.2 ` +
    `--library-path ${root}/lib/i386-linux-gnu:${libraries} ${root}/usr/bin/mpg123.bin -q --no-control`;
}

Deno.test({
  name: "a 32-bit program for OSS 4 finds what it looks for, on fuse and on cuse",
  ignore: qemuMissing() !== undefined && Deno.env.get("CI") !== "true",
  fn: async () => {
    await using scratch = await Scratch.create();
    const { path } = scratch;
    // The kernel's headers are the same, and where only 64-bit programs are looked for.
    const include = ["-idirafter", "/usr/include/x86_64-linux-gnu"];
    // Static: the guest's root is this machine's, which need not have 32-bit libraries.
    await compile("native/oss4_client.c", path, "-m32", "-static", ...include);
    const ossp = `${Deno.execPath()} run --allow-all --no-lock --quiet main.ts run`;
    const script = FRONT_ENDS.map(([frontend, options, dsp, mixer]) => `
      mkdir -p /tmp/devices
      ${ossp} --frontend ${frontend} --sink null ${options.join(" ")} 2>/tmp/log &
      for i in $(seq 1000); do [ -e ${mixer} ] && [ -e ${dsp} ] && break; sleep 0.1; done
      echo ${frontend}; ${path}/oss4_client ${dsp} ${mixer} || cat /tmp/log
      kill $!; wait $!`).join("\n");
    const { output } = await bootQemu({
      script,
      folders: [path],
      timeoutSeconds: TIMEOUT_SECONDS,
    });
    assertEquals(output.replaceAll("\r", ""), "fuse\nok 32\ncuse\nok 32");
  },
});

Deno.test({
  name: "a 32-bit mpg123 plays to the bit, on fuse and on cuse",
  ignore: qemuMissing() !== undefined && Deno.env.get("CI") !== "true",
  fn: async () => {
    await using scratch = await Scratch.create();
    const { path } = scratch;
    const root = await i386(...MPG123);
    const mpg123 = mpg123Words(root);
    await makeTake(programNamed("mpg123"), path, 32);
    const input = `${path}/input-32`;
    const ossp = `${Deno.execPath()} run --allow-all --no-lock --quiet main.ts run`;
    const script = FRONT_ENDS.map(([frontend, options, dsp]) => `
      mkdir -p /tmp/devices ${path}/${frontend}
      ${ossp} --frontend ${frontend} --sink wav:${path}/${frontend}/%n.wav ${options.join(" ")} \\
        2>/tmp/log &
      for i in $(seq 1000); do [ -e ${dsp} ] && break; sleep 0.1; done
      ${mpg123} -o oss -a ${dsp} ${input} && echo ${frontend} || cat /tmp/log
      kill $!; wait $!`).join("\n");
    const { output } = await bootQemu({
      script: `${mpg123} -w ${path}/wanted.wav ${input}\n${script}`,
      folders: [path, root],
      timeoutSeconds: TIMEOUT_SECONDS,
    });
    assertEquals(output.replaceAll("\r", ""), "fuse\ncuse");
    const wanted = await readWav(`${path}/wanted.wav`);
    for (const [frontend] of FRONT_ENDS) {
      const names = Array.from(Deno.readDirSync(`${path}/${frontend}`), ({ name }) => name);
      const sounds = await Promise.all(names.map((name) => readWav(`${path}/${frontend}/${name}`)));
      assertEquals(sounds.map((heard) => difference(heard, wanted)), [undefined], frontend);
    }
  },
});
