// The suite of scripts against four servers of /dev/dsp in one boot: the kernel's own OSS, ossp by
// cuse and by fuse, and osspd; all in real time.

import { parseJunit } from "../device/junit.ts";
import { OSSP } from "../native/ossp.ts";
import { Scratch } from "../programs.ts";
import { bootQemu } from "./qemu.ts";

/** Who serves the device, in the order of the table. */
export const TARGETS = ["kernel", "cuse", "fuse", "osspd"] as const;

export type Target = typeof TARGETS[number];

/** How a test ended, with the reason of a failure. */
export interface Ending {
  readonly outcome: "passed" | "failed" | "ignored";
  readonly text: string;
}

/** What each target made of each test, by the test's name. */
export type Endings = ReadonlyMap<string, ReadonlyMap<Target, Ending>>;

// Four runs of three to six minutes each where the machine has other things to do too.
const TIMEOUT_SECONDS = 2700;

// The emulated processors are slow, and the host may be busy.
const SLACK_MS = 1500;
const LIMIT_SECONDS = 60;

/**
 * @param scripts paths of the scripts
 * @returns the tests in the order of the scripts
 */
export async function runTargets(
  scripts: readonly string[],
  targets: readonly Target[] = TARGETS,
): Promise<Endings> {
  await using scratch = await Scratch.create();
  const options = [
    "--output",
    "junit",
    "--slack",
    String(SLACK_MS),
    "--time-limit",
    String(LIMIT_SECONDS),
  ];
  const script = (device: string, ...more: string[]) =>
    [...OSSP, "script", "--device", device, ...options, ...more, ...scripts].join(" ");
  const run = (...more: string[]) =>
    [
      ...OSSP,
      "run",
      "--sink",
      "null",
      "--source",
      "tone:440",
      "--log-level",
      "error",
      ...more,
      "--",
    ]
      .join(" ");
  const commands: Record<Target, string> = {
    kernel: script("/dev/dsp", "--loop", "/dev/dsp1,/dev/adsp1"),
    cuse: `${run("--frontend", "cuse", ...CUSE_NAMES)} ${script("/dev/cdsp")}`,
    fuse: `${run("--frontend", "fuse", "--loopback", "loop")} ${
      script("/dev/dsp", "--loop", "/dev/loop0,/dev/loop1")
    }`,
    osspd: `deno run -A tests/oracle/inside/osspd.ts ${script("DSP")}`,
  };
  const { output } = await bootQemu({
    script: targets.map((target) =>
      `echo ${target}; ${commands[target]} >${scratch.path}/${target}; echo status $?`
    ).join("\n"),
    folders: [scratch.path],
    timeoutSeconds: TIMEOUT_SECONDS,
  });
  const endings = new Map<string, Map<Target, Ending>>();
  for (const target of targets) {
    const results = parseJunit(await Deno.readTextFile(`${scratch.path}/${target}`));
    if (results.length === 0) throw new Error(`${target}: no results:\n${output}`);
    for (const { name, outcome, text } of results) {
      const ofTest = endings.get(name) ?? new Map<Target, Ending>();
      endings.set(name, ofTest.set(target, { outcome, text }));
    }
  }
  return endings;
}

// The kernel's OSS has the usual names and numbers.
const CUSE_NAMES = [
  ...["--dsp", "cdsp", "--dsp-major", "0", "--mixer", "cmixer", "--mixer-major", "0"],
  ...["--adsp", "cadsp", "--adsp-major", "0", "--audio", "caudio", "--audio-major", "0"],
  ...["--dspw", "cdspW", "--dspw-major", "0"],
];
