// 32-bit programs on a 64-bit kernel: their structs with longs and gaps are others, and so are the
// numbers of the calls. Kernels without such programs (a user-mode one among them) cannot show it.

import { assertEquals } from "@std/assert";
import { Scratch } from "../programs.ts";
import { compile } from "../compile.ts";
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
