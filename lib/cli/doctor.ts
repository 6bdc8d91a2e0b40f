// ossp doctor: what this machine has of what ossp can use, and what to do about the rest.

import { asound } from "../../ffi/asound.ts";
import { jack } from "../../ffi/jack.ts";
import { pulseLibrary } from "../../ffi/pulse.ts";
import { sampleRate } from "../../ffi/samplerate.ts";
import { sndio } from "../../ffi/sndio.ts";
import { Prober } from "../daemon/prober.ts";
import { SERVER_KINDS, type ServerKind } from "../server/orders.ts";
import { EX_UNAVAILABLE } from "./failure.ts";
import { cuse, fuse, mapping, namespaces, type Need, utility } from "./needs.ts";
import { helpText, parseOptions, type Subcommand } from "./options.ts";

export const DOCTOR: Subcommand = {
  name: "doctor",
  operands: "",
  about: "Say what this machine has and what it lacks, a line each, and how to mend it. The exit " +
    "status is 0 if there is a device to serve and a sound server to play to, else 69.",
  options: [],
  run,
};

/** The libraries that are loaded when they are wanted, and how. */
const LIBRARIES: Readonly<Record<string, () => void>> = {
  libpulse: pulseLibrary,
  libjack: jack,
  libasound: asound,
  libsndio: sndio,
  libsamplerate() {
    if (!sampleRate()) throw new Error("it cannot be loaded (apt-get install libsamplerate0)");
  },
};

async function run(args: string[]): Promise<number> {
  const parsed = parseOptions(DOCTOR, args);
  if (parsed.values.help) {
    console.log(helpText(DOCTOR));
    return 0;
  }
  const devices = [fuse(), cuse()];
  const utilities = [utility("unshare"), utility("setpriv")];
  for (const need of [...devices, mapping(), ...utilities]) tellNeed(need);
  if (utilities[0].refusal === undefined) tellNeed(namespaces());
  for (const [name, load] of Object.entries(LIBRARIES)) tell(name, refusalOf(load));
  const served = await tellServers();
  const ready = served && devices.some(({ refusal }) => refusal === undefined);
  return ready ? 0 : EX_UNAVAILABLE;
}

/** Says of each server whether it can be used now; returns whether one can. */
async function tellServers(): Promise<boolean> {
  const prober = new Prober();
  const kinds = (Object.keys(SERVER_KINDS) as ServerKind[]).filter((kind) => kind !== "auto");
  const refusals = await Promise.all(kinds.map((kind) => prober.probe(kind)));
  prober.end();
  for (const [i, kind] of kinds.entries()) tell(`--sink ${kind}`, refusals[i]);
  return refusals.includes(undefined);
}

function refusalOf(load: () => void): string | undefined {
  try {
    load();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function tellNeed({ what, refusal, mend }: Need): void {
  tell(what, refusal === undefined ? undefined : `${refusal} (${mend})`);
}

function tell(what: string, refusal: string | undefined): void {
  console.log(refusal === undefined ? `has    ${what}` : `lacks  ${what}: ${refusal}`);
}
