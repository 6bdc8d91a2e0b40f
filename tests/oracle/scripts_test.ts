// The suite of scripts against the kernel's own OSS, ossp and osspd, as a table. Where one of them does
// not do what a script expects, docs/semantics.md says so and why; what it does not say is a failure.

import { assert, assertEquals } from "@std/assert";
import { qemuMissing } from "./qemu.ts";
import { runTargets, type Target, TARGETS } from "./targets.ts";

const SCRIPTS = new URL("../scripts/", import.meta.url);
const SEMANTICS = new URL("../../docs/semantics.md", import.meta.url);

/** What the tables of docs/semantics.md say: for each test, whose answer is another. */
function explained(): Map<string, Set<Target>> {
  const rows = Deno.readTextFileSync(SEMANTICS).matchAll(/^\| (.+?) +\| ([a-z, ]+?) +\| .+\|$/gm);
  const known = new Map<string, Set<Target>>();
  for (const [, name, targets] of rows) {
    const all = known.get(name) ?? new Set<Target>();
    for (const target of targets.split(", ")) all.add(target as Target);
    known.set(name, all);
  }
  return known;
}

/** The row for what is no test's own: osspd's slaves hang, and then it cannot be opened. */
const ANY = "any test";

function isExhausted(target: Target, text: string): boolean {
  return target === "osspd" && /: (?:\w+: )?open .*\n.*\n *got: EBUSY/.test(text);
}

const SIGNS = { passed: "ok", failed: "no", ignored: "-" };

Deno.test({
  name: "every difference between the kernel's OSS, ossp and osspd is explained",
  ignore: qemuMissing() !== undefined && Deno.env.get("CI") !== "true",
  async fn(test) {
    const scripts = Array.from(Deno.readDirSync(SCRIPTS)).map(({ name }) => name)
      .filter((name) => name.endsWith(".oss")).sort();
    const endings = await runTargets(scripts.map((name) => new URL(name, SCRIPTS).pathname));
    console.log(TARGETS.map((target) => target.padEnd(7)).join("") + "script");
    for (const [name, ending] of endings) {
      const signs = TARGETS.map((target) => SIGNS[ending.get(target)?.outcome ?? "ignored"]);
      console.log(signs.map((sign) => sign.padEnd(7)).join("") + name);
    }
    assert(endings.size > 200);
    const known = explained();
    for (const target of TARGETS) {
      await test.step(target, () => {
        const unexplained = Array.from(endings).flatMap(([name, ending]) => {
          const { outcome, text } = ending.get(target) ?? { outcome: "failed", text: "not run" };
          if (outcome !== "failed" || known.get(name)?.has(target)) return [];
          if (isExhausted(target, text) && known.get(ANY)?.has(target)) return [];
          return [`${name}: ${text}`];
        });
        assertEquals(unexplained, []);
      });
    }
    known.delete(ANY);
    for (const name of known.keys()) assert(endings.has(name), `no test is called "${name}"`);
  },
});
