// Runs the tests, level by level, and ends with one line that counts their results.
//
// Usage: run.ts [LEVEL...], where LEVEL is a folder beside this file: unit, native, device, apps.

const LEVELS = ["unit", "native", "device", "apps"];
const SUMMARY =
  /^(?:ok|FAILED) \| (\d+) passed(?: \((\d+) steps?\))? \| (\d+) failed(?: \((\d+) steps?\))?/m;

/** Passed and failed tests and steps of one level; a run that ends without a count has failed. */
async function runLevel(level: string): Promise<[passed: number, failed: number]> {
  console.log(`\n== ${level}`);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "--allow-all", new URL(level, import.meta.url).pathname],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let output = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    output += text;
    await Deno.stdout.write(new TextEncoder().encode(text));
  }
  const { success } = await child.status;
  const summary = output.match(SUMMARY);
  if (!summary) return [0, 1];
  const [passed, passedSteps, failed, failedSteps] = summary.slice(1).map((n) => Number(n ?? 0));
  return [passed + passedSteps, Math.max(failed + failedSteps, success ? 0 : 1)];
}

const levels = Deno.args.length > 0 ? Deno.args : LEVELS;
let passed = 0;
let failed = 0;
for (const level of levels) {
  const [more, less] = await runLevel(level);
  passed += more;
  failed += less;
}
console.log(`\n${passed} passed, ${failed} failed`);
Deno.exit(failed > 0 || passed === 0 ? 1 : 0);
