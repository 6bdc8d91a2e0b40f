// The half of the bench that runs in the user-mode kernel: ossp and osspd side by side, each with
// its character devices. Prints its rows as one line of JSON.
//
// Usage: osspd_bench.ts CLIENT

import { compare, type Row, startOssp } from "./measure.ts";
import { startOsspd } from "./osspd.ts";

const CASES: readonly [what: string, kind: string, rounds: number, limit: number][] = [
  ["OSS_GETVERSION", "getversion", 40, 0.7],
  ["SNDCTL_DSP_GETOSPACE", "getospace", 40, 0.35],
  ["write(256)", "write256", 25, 0.25],
  ["open and close", "open", 10, 0.02],
];

const [client] = Deno.args;
const rows: Row[] = [];
{
  await using osspd = await startOsspd();
  await using _ossp = await startOssp(["--frontend", "cuse", "--adsp", "", "--sink", "null"]);
  const devices = ["/dev/dsp", osspd.dsp] as const;
  for (const [what, kind, rounds, limit] of CASES) {
    rows.push({ what, limit, ...await compare([], client, kind, rounds, devices) });
  }
}
console.log(JSON.stringify(rows));
