// The programs of the table, each under an ossp of its own, and the README's table of them.

import { assertEquals } from "@std/assert";
import { available, Scratch } from "../programs.ts";
import { makeInputs, runRows } from "./rows.ts";
import { readmeTable, ROWS } from "./table.ts";

const README = new URL("../../README.md", import.meta.url);

/** As many programs at once as there are processors where the tests are run. */
const AT_ONCE = 2;

/** The upstream part of an installed package's version, as Debian has it; undefined if it is not. */
async function installedVersion(name: string): Promise<string | undefined> {
  const { success, stdout } = await new Deno.Command("dpkg-query", {
    args: ["-W", "-f", "${db:Status-Status} ${source:Upstream-Version}", name],
    stderr: "null",
  }).output();
  const [status, version] = new TextDecoder().decode(stdout).split(" ");
  return success && status === "installed" ? version.replace(/[+~].*$/, "") : undefined;
}

Deno.test("the table's programs are heard, and hear", async (test) => {
  if (!available("ffmpeg")) return;
  await using scratch = await Scratch.create();
  const inputs = `${scratch.path}/inputs`;
  await Deno.mkdir(inputs);
  await makeInputs(inputs);
  const waiting = ROWS.map((row, i) => ({ row, i }));
  const worker = async () => {
    for (let next; (next = waiting.shift());) {
      const { row, i } = next;
      const name = row.name.replaceAll("`", "");
      const version = await installedVersion(row.package);
      if (version === undefined && Deno.env.get("CI") !== "true") {
        console.log(`skipped: ${name} (apt-get install ${row.package} ${row.needs ?? ""})`);
        continue;
      }
      await test.step({
        name,
        fn: async () => {
          assertEquals(version, row.version, `the version of ${row.package}`);
          const [wrong] = await runRows([row], "fuse", inputs, `${scratch.path}/${i}`);
          assertEquals(wrong, undefined);
        },
        sanitizeOps: false,
        sanitizeResources: false,
        sanitizeExit: false,
      });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
});

Deno.test("the README's table of programs is this one", async () => {
  const lines = (await Deno.readTextFile(README)).split("\n");
  const start = lines.findIndex((line) => /^\| program +\| version +\| heard/.test(line));
  const end = lines.findIndex((line, i) => i > start && !line.startsWith("|"));
  const cells = (line: string) => line.slice(1, -1).split("|").map((cell) => cell.trim());
  const table = lines.slice(start, end).map(cells).filter(([first]) => !/^-+$/.test(first));
  assertEquals(table, readmeTable());
});
