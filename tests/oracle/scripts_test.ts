// The suite of scripts against the kernel's own OSS, ossp and osspd, as a table. Where one of them does
// not do what a script expects, docs/semantics.md says so and why; what it does not say is a failure.

import { assertEquals } from "@std/assert";
import { parseScript } from "../../lib/script/parser.ts";
import { qemuMissing } from "./qemu.ts";
import { type Ending, type Endings, runTargets, type Target, TARGETS } from "./targets.ts";

const SCRIPTS = new URL("../scripts/", import.meta.url).pathname;
const SEMANTICS = new URL("../../docs/semantics.md", import.meta.url);

/** What docs/semantics.md says: `### TARGET: what it does`, and under it a list of tests. */
function explained(): Map<string, Set<Target>> {
  const known = new Map<string, Set<Target>>();
  let target: Target | undefined;
  for (const line of Deno.readTextFileSync(SEMANTICS).split("\n")) {
    const [, title] = line.match(/^#+ (.*)/) ?? [];
    if (title) target = TARGETS.find((name) => title.startsWith(`${name}: `));
    const [, name] = line.match(/^- (.*)/) ?? [];
    if (name && target) known.set(name, (known.get(name) ?? new Set<Target>()).add(target));
  }
  return known;
}

/** The tests of each script, by its path. */
function readSuite(): Map<string, string[]> {
  const files = Array.from(Deno.readDirSync(SCRIPTS), ({ name }) => name)
    .filter((name) => name.endsWith(".oss")).sort();
  return new Map(files.map((file) => {
    const path = SCRIPTS + file;
    return [path, parseScript(Deno.readTextFileSync(path), path).tests.map(({ name }) => name)];
  }));
}

/** What stands for whichever test it happens to: osspd's slaves hang, and then it cannot be opened. */
const ANY = "any test";

function isExhausted({ text }: Ending): boolean {
  return /: (?:\w+: )?open .*\n.*\n *got: EBUSY/.test(text);
}

/** The ending of a test that never came to be run. */
const NOT_RUN: Ending = { outcome: "failed", text: "not run" };

/** What the targets made of the suite, with what docs/semantics.md says of it. */
class Table {
  readonly #suite = readSuite();
  readonly #known = explained();
  readonly #endings = new Map<string, Map<Target, Ending>>();

  get scripts(): string[] {
    return [...this.#suite.keys()];
  }

  /** Tests of the lines that no test belongs to. */
  get strayNames(): string[] {
    const names = new Set([...this.#suite.values()].flat());
    return [...this.#known.keys()].filter((name) => name !== ANY && !names.has(name));
  }

  /** Takes endings; those of a test that failed before are put in the place of the failure. */
  add(endings: Endings): void {
    for (const [name, ofTest] of endings) {
      const all = this.#endings.get(name) ?? new Map<Target, Ending>();
      this.#endings.set(name, all);
      for (const [target, ending] of ofTest) {
        if ((all.get(target) ?? NOT_RUN).outcome === "failed") all.set(target, ending);
      }
    }
  }

  #ending(name: string, target: Target): Ending {
    return this.#endings.get(name)?.get(target) ?? NOT_RUN;
  }

  /** What failed without a line that says why, as `name: text`, of some scripts. */
  unexplained(target: Target, scripts: readonly string[] = this.scripts): string[] {
    return scripts.flatMap((script) => this.#suite.get(script)!).flatMap((name) => {
      const ending = this.#ending(name, target);
      const isKnown = ending.outcome !== "failed" || this.#known.get(name)?.has(target) ||
        (this.#known.get(ANY)?.has(target) && isExhausted(ending));
      return isKnown ? [] : [`${name}: ${ending.text}`];
    });
  }

  /** A line for each script, one for all, and one for each test that differs anywhere. */
  *lines(): Iterable<string> {
    const row = (cells: readonly string[], name: string) =>
      name.padEnd(WIDEST_NAME) + cells.map((cell) => cell.padStart(14)).join("");
    const counts = (names: readonly string[]) =>
      TARGETS.map((target) => {
        const ofTarget = names.map((name) => this.#ending(name, target).outcome);
        return (["passed", "failed", "ignored"] as const)
          .map((outcome) =>
            String(ofTarget.filter((other) => other === outcome).length).padStart(4)
          )
          .join("");
      });
    yield "of each: tests that hold, that differ, and that need what is not there";
    yield row(TARGETS, "script");
    for (const [script, names] of this.#suite) {
      yield row(counts(names), script.slice(SCRIPTS.length));
    }
    const all = [...this.#suite.values()].flat();
    yield row(counts(all), "all");
    yield row(TARGETS, "tests that differ");
    for (const name of all) {
      const outcomes = TARGETS.map((target) => this.#ending(name, target).outcome);
      if (!outcomes.includes("failed")) continue;
      yield row(outcomes.map((outcome) => SIGNS[outcome]), name);
    }
  }
}

const WIDEST_NAME = 62;

const SIGNS = { passed: "ok", failed: "no", ignored: "-" };

Deno.test({
  name: "every difference between the kernel's OSS, ossp and osspd is explained",
  ignore: qemuMissing() !== undefined && Deno.env.get("CI") !== "true",
  async fn(test) {
    const table = new Table();
    assertEquals(table.strayNames, [], "docs/semantics.md has lines of tests that there are not");
    table.add(await runTargets(table.scripts));
    // All of it is in real time, on an emulated processor: what fails once may have come too late, and
    // is tried once more in a boot that has less to do.
    const again = table.scripts.filter((script) =>
      TARGETS.some((target) => table.unexplained(target, [script]).length > 0)
    );
    const targets = TARGETS.filter((target) => table.unexplained(target).length > 0);
    for (const target of targets) {
      for (const text of table.unexplained(target)) console.log(`again: ${target}: ${text}`);
    }
    if (again.length > 0) table.add(await runTargets(again, targets));
    for (const line of table.lines()) console.log(line);
    for (const target of TARGETS) {
      await test.step(target, () => assertEquals(table.unexplained(target), []));
    }
  },
});
