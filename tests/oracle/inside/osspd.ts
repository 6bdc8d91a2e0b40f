// Inside the guest: runs a command once for each of some files, with osspd's dsp in place of the word
// DSP: osspd.ts FILE... -- COMMAND...
//
// Each file has an osspd and a PulseAudio of its own: slaves of osspd that hang are never given up, and
// what they hold would be lacking in every test that follows.

import { startOsspd } from "../../bench/osspd.ts";

// The kernel's own two cards have the first numbers.
const FIRST_CARD = 4;

const end = Deno.args.indexOf("--");
const files = Deno.args.slice(0, end);
const command = Deno.args.slice(end + 1);
const runtime = Deno.env.get("XDG_RUNTIME_DIR");
let failed = 0;
for (const [index, file] of files.entries()) {
  const folder = `${runtime}/osspd${index}`;
  await Deno.mkdir(folder, { mode: 0o700 });
  Deno.env.set("XDG_RUNTIME_DIR", folder);
  const osspd = await startOsspd({
    dsp: `osspd${index}_dsp`,
    dspMinor: (FIRST_CARD + index) * 16 + 3,
    mixer: `osspd${index}_mixer`,
    mixerMinor: (FIRST_CARD + index) * 16,
  });
  const [program, ...args] = command.map((word) => word === "DSP" ? osspd.dsp : word);
  const { code } = await new Deno.Command(program, { args: [...args, file] }).spawn().status;
  failed ||= code;
  // Not waited for: a slave that hangs would not let it end before the guest does.
  osspd[Symbol.asyncDispose]();
}
Deno.exit(failed);
