// Boots user-mode kernels and runs in them, as root and with a real /dev/cuse, every test file of the
// folder inside/; each of their tests is a step here. Such a kernel has one processor, so there are two.
//
// A file in inside/ is an ordinary Deno.test file; without "_test" in its name, `deno test FOLDER` does
// not run it on the host too. Each runs in a process of its own, and the devices that it made are gone when it
// ends. OSSP_EXCHANGE names a folder that the host sees too. `deno test` fills 80 MB of memory for
// each file, 20,000 page faults, which in a user-mode kernel take 4 s: better few files than many.

import { assertNotEquals } from "@std/assert";
import { compile } from "../compile.ts";
import { parseJunit, type TestResult } from "./junit.ts";
import { bootUml, umlMissing } from "./uml.ts";

const INSIDE = `${import.meta.dirname}/inside`;

/** For all files together. */
const TIMEOUT_SECONDS = 600;

const GUESTS = 2;

/** Whose programs and servers lose sound when another guest takes the machine's time. */
const ALONE = ["servers.ts", "table.ts"];

const inCi = Deno.env.get("CI") === "true";

/** What one test file in the guest came to. */
interface FileResult {
  readonly file: string;
  /** Exit status of its `deno test`. */
  readonly status: number;
  readonly results: TestResult[];
  /** What it printed. */
  readonly output: string;
}

/** Runs test files, each in the first guest that is free. Rejects if a guest does not survive it. */
async function runInside(files: readonly string[], guests: number): Promise<FileResult[]> {
  const exchange = await Deno.makeTempDir({ prefix: "ossp-device-" });
  const outputs = new Map(files.map((file) => [file, [] as string[]]));
  const boot = () => {
    let current: string[] = [];
    return bootUml({
      script: `for file in ${files.join(" ")}; do
        mkdir "$OSSP_EXCHANGE/$file.taken" 2>/dev/null || continue
        echo "== $file"
        deno test --allow-all --no-check --junit-path="$OSSP_EXCHANGE/$file.xml" "${INSIDE}/$file"
        echo $? >"$OSSP_EXCHANGE/$file.status"
      done`,
      env: { OSSP_EXCHANGE: exchange, CI: Deno.env.get("CI") ?? "" },
      folders: [exchange],
      timeoutSeconds: TIMEOUT_SECONDS,
      onLine: (line) => {
        const started = line.startsWith("== ") && outputs.get(line.slice(3));
        if (started) current = started;
        else current.push(line);
      },
    });
  };
  try {
    await compile("native/mmap_client.c", exchange);
    for (const { status } of await Promise.all(Array.from({ length: guests }, boot))) {
      if (status !== 0) throw new Error(`the script in a guest ended with status ${status}`);
    }
    return files.map((file) => ({
      file,
      status: Number(Deno.readTextFileSync(`${exchange}/${file}.status`)),
      results: parseJunit(readIfThere(`${exchange}/${file}.xml`)),
      output: outputs.get(file)!.join("\n"),
    }));
  } finally {
    await Deno.remove(exchange, { recursive: true });
  }
}

function readIfThere(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

/** One step a result, and one that fails if there was trouble that no result tells of. */
async function report(t: Deno.TestContext, { results, status, output }: FileResult): Promise<void> {
  for (const { name, outcome, text } of results) {
    await t.step({
      name,
      ignore: outcome === "ignored" && !inCi,
      fn: () => {
        if (outcome === "ignored") throw new Error("ignored, which under CI=true nothing may be");
        if (outcome === "failed") throw new Error(`in the guest: ${text || output}`);
      },
    });
  }
  if (results.length === 0) {
    throw new Error(`no results from the guest, exit status ${status}:\n${output}`);
  }
  if (status !== 0 && !results.some(({ outcome }) => outcome === "failed")) {
    throw new Error(`no test failed, yet the exit status is ${status}:\n${output}`);
  }
}

const missing = umlMissing();
if (missing && !inCi) console.log(`the device tests are skipped: ${missing}`);

Deno.test({
  name: "a kernel with /dev/cuse",
  ignore: missing !== undefined && !inCi,
  fn: async (t) => {
    const files = Array.from(Deno.readDirSync(INSIDE), ({ name }) => name)
      .filter((name) => name.endsWith(".ts")).sort();
    assertNotEquals(files, []);
    const others = files.filter((file) => !ALONE.includes(file));
    for (const [some, guests] of [[ALONE, 1], [others, GUESTS]] as const) {
      for (const result of await runInside(some, guests)) {
        await t.step(result.file, (t) => report(t, result));
      }
    }
  },
});
