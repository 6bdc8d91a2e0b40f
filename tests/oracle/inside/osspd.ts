// Inside the guest: runs a command with osspd's dsp in place of the word DSP, while osspd serves it.

import { startOsspd } from "../../bench/osspd.ts";

// The kernel's own two cards have the first numbers.
const osspd = await startOsspd({
  dsp: "osspd_dsp",
  dspMinor: 4 * 16 + 3,
  mixer: "osspd_mixer",
  mixerMinor: 4 * 16,
});
const [program, ...args] = Deno.args.map((word) => word === "DSP" ? osspd.dsp : word);
const { code } = await new Deno.Command(program, { args }).spawn().status;
// It ends with the guest: a slave that hangs would not let it end before.
Deno.exit(code);
