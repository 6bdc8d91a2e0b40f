// What it costs to play into PulseAudio, of ossp and of osspd, in a user-mode kernel.

import { bootUml } from "../device/uml.ts";
import { compile } from "./build.ts";
import { type Figure, figureTable } from "./measure.ts";
import type { Cost } from "./servers_bench.ts";

const STREAMS = 8;
const SECONDS = 10;
const TIMEOUT_SECONDS = 180;

/**
 * Measures and prints a table.
 *
 * @param folder where the program goes
 */
export async function servers(folder: string): Promise<Figure[]> {
  const program = await compile("load", folder);
  const { status, output } = await bootUml({
    script: `deno run -A tests/bench/servers_bench.ts ${program} ${STREAMS} ${SECONDS}`,
    folders: [folder],
    timeoutSeconds: TIMEOUT_SECONDS,
  });
  const json = output.split("\n").findLast((line) => line.startsWith("{"));
  if (status !== 0 || !json) throw new Error(`in the guest: ${output}`);
  const { ossp, osspd }: Record<"ossp" | "osspd", Cost> = JSON.parse(json);
  console.log(
    `\n${STREAMS} streams of 48 kHz stereo S16 into PulseAudio, ${SECONDS} s, in a user-mode kernel\n`,
  );
  const of = (name: string, { daemon, pulse, pssMib, processes, call, rate }: Cost): Figure[] => [
    { what: `${name} and its children: CPU seconds`, value: daemon },
    { what: `PulseAudio beside ${name}: CPU seconds`, value: pulse },
    { what: `${name} and its children: PSS, MiB`, value: pssMib },
    { what: `${name}: processes`, value: processes },
    { what: `${name}: frames taken of each in a second`, value: rate },
    { what: `${name}: a call meanwhile, µs`, value: call / 1000 },
  ];
  const forTheSound = ({ daemon, pulse, rate }: Cost) => (daemon + pulse) / rate;
  const figures: Figure[] = [
    ...of("osspd", osspd),
    ...of("ossp", ossp),
    // One that is given the processor too late to answer is taken for lost, for a while.
    { what: "ossp: times that it has lost PulseAudio", value: ossp.lost },
    {
      what: "CPU for the same sound, PulseAudio counted, ossp / osspd",
      value: forTheSound(ossp) / forTheSound(osspd),
    },
    { what: "PSS, ossp / osspd", value: ossp.pssMib / osspd.pssMib },
  ];
  console.log(figureTable(figures));
  return figures;
}
