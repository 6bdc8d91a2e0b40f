// ossp script: runs scripted tests of OSS devices, of its own or of others.

import { resolve } from "node:path";
import { CONTROL_NAME } from "../device/control.ts";
import { Parent, type Place } from "../script/children.ts";
import { ControlledClock, RealClock, type ScriptClock } from "../script/clock.ts";
import { parseScript } from "../script/parser.ts";
import { makeReport, type Output, OUTPUTS } from "../script/report.ts";
import { Runner } from "../script/runner.ts";
import { TONE_HZ } from "../script/samples.ts";
import type { Test } from "../script/statement.ts";
import { type Message, Watch } from "../script/watch.ts";
import { ScriptError } from "../script/words.ts";
import { EX_USAGE, Failure, usage } from "./failure.ts";
import { helpText, type Parsed, parseOptions, type Subcommand, wholeNumber } from "./options.ts";
import { selfCommand } from "./self.ts";

export const SCRIPT: Subcommand = {
  name: "script",
  operands: "FILE...",
  about:
    "Run scripted tests of an OSS device: one of its own, whose time is the script's, so that " +
    "tests are exact and nothing sleeps; or one that is there. docs/script.md has the language.",
  options: [
    {
      name: "device",
      value: "PATH",
      about: "the dsp to test, in real time; others are found beside it: mixer1 for dsp1 " +
        "[its own]",
    },
    {
      name: "output",
      value: "FORMAT",
      choices: OUTPUTS,
      default: "plain",
      about: "how results are written",
    },
    { name: "only", value: "TEXT", about: "only tests whose names hold this" },
    {
      name: "loop",
      value: "PATH,PATH",
      about:
        "with --device: a dsp to play to and one that records it, the scripts' loop0 and loop1",
    },
    {
      name: "slack",
      value: "MS",
      default: "250",
      about: "with --device: how much longer than `within` says a statement may take",
    },
    {
      name: "time-limit",
      value: "SECONDS",
      default: "20",
      about: "a test that takes longer hangs, and has failed",
    },
    { name: "worker", value: "N", about: "", hidden: true },
    { name: "child", about: "", hidden: true },
  ],
  notes:
    "Exit status: 0 if all tests hold, 1 if one does not, 64 for a script that does not parse.",
  run,
};

const EX_FAILED = 1;

async function run(args: string[]): Promise<number> {
  const parsed = parseOptions(SCRIPT, args);
  if (parsed.values.help) {
    console.log(helpText(SCRIPT));
    return 0;
  }
  if (parsed.values.child) return await obey();
  if (parsed.operands.length === 0) throw usage("script", "a FILE is wanted");
  const tests = readTests(parsed);
  placeOf(parsed, ""); // or each test would be refused for what is wrong with the options
  if (parsed.values.worker !== undefined) return await work(parsed, tests);
  const limitMs = wholeNumber(SCRIPT, parsed, "time-limit", 1, 86_400) * 1000;
  const report = makeReport(parsed.values.output as Output, (line) => console.log(line));
  const words = (from: number) => [
    ...(parsed.values.device === undefined ? ownDevice() : []),
    ...[...selfCommand(), "script", "--worker", String(from)],
    ...args,
  ];
  const watch = new Watch(tests, words, limitMs, report);
  const refusal = await watch.run();
  return refusal ?? (watch.failed ? EX_FAILED : 0);
}

/** The words that run what follows with devices of its own. */
function ownDevice(): string[] {
  const options = ["--frontend", "fuse", "--scripted", "--sink", "null", "--log-level", "error"];
  const source = ["--source", `tone:${TONE_HZ}`, "--loopback", "loop"];
  return [...selfCommand(), "run", ...options, ...source, "--"];
}

/** A test and the file that it is in. */
type Planned = Test & { readonly path: string };

function readTests({ operands, values }: Parsed): Planned[] {
  const tests = operands.flatMap((path) => {
    let text;
    try {
      text = Deno.readTextFileSync(path);
    } catch (error) {
      throw new Failure(EX_USAGE, `${path}: ${(error as Error).message}`);
    }
    try {
      return parseScript(text, path).tests.map((test) => ({ ...test, path }));
    } catch (error) {
      if (error instanceof ScriptError) throw new Failure(EX_USAGE, error.message);
      throw error;
    }
  });
  const { only } = values;
  const chosen = tests.filter(({ name }) => only === undefined || name.includes(only));
  if (chosen.length === 0) throw usage("script", only ? `no test has "${only}"` : "no tests");
  return chosen;
}

function placeOf(parsed: Parsed, path: string): Place {
  const { values } = parsed;
  const slackMs = wholeNumber(SCRIPT, parsed, "slack", 0, 86_400_000);
  if (values.device === undefined) {
    const loop = ["/dev/loop0", "/dev/loop1"] as const;
    return { device: "/dev/dsp", control: `/dev/${CONTROL_NAME}`, path, loop, slackMs };
  }
  return { device: resolve(values.device), path, loop: loopOf(values.loop), slackMs };
}

function loopOf(paths: string | undefined): Place["loop"] {
  if (paths === undefined) return undefined;
  const [play, record, ...more] = paths.split(",");
  if (play && record && more.length === 0) return [play, record];
  throw usage("script", `--loop ${paths}: PATH,PATH is wanted`);
}

function clockOf({ control }: Pick<Place, "control">): ScriptClock {
  return control === undefined ? new RealClock() : new ControlledClock(control);
}

/** The words that start a process of a test's. */
function childWords(): string[] {
  return [...selfCommand(), "script", "--child"];
}

/** Runs the tests from a number on, and tells of each. */
async function work(parsed: Parsed, tests: readonly Planned[]): Promise<number> {
  const encoder = new TextEncoder();
  const tell = (message: Message) => {
    const bytes = encoder.encode(`${JSON.stringify(message)}\n`);
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  };
  tell({ type: "here", pid: Deno.pid });
  const clock = clockOf(placeOf(parsed, ""));
  const runners = new Map<string, Runner>();
  for (let index = Number(parsed.values.worker); index < tests.length; index++) {
    const test = tests[index];
    const place = placeOf(parsed, test.path);
    const runner = runners.get(test.path) ?? new Runner(clock, {
      place,
      childWords: childWords(),
      started: (pid) => tell({ type: "child", pid }),
    });
    runners.set(test.path, runner);
    tell({ type: "begin", index });
    const beganMs = performance.now();
    const verdict = await runner.run(test);
    tell({ type: "end", verdict, ms: performance.now() - beganMs });
  }
  clock.close();
  return 0;
}

/** A process of a test's: carries a block out. */
async function obey(): Promise<number> {
  const order = await Parent.order();
  const clock = clockOf(order.place);
  const runner = new Runner(clock, { place: order.place, childWords: childWords() });
  Parent.ready();
  Parent.tell(await runner.obey(order));
  return 0;
}
