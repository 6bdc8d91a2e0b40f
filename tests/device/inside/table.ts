// The programs of the table, through a real character device. There an ossp takes long to start, so
// they share one.

import { assertEquals } from "@std/assert";
import { makeInputs, runRows, sharing } from "../../apps/rows.ts";
import { ROWS } from "../../apps/table.ts";
import { available, Scratch } from "../../programs.ts";

Deno.test("cuse: programs of the table are heard, and hear", async (test) => {
  if (!available("ffmpeg")) return;
  await using scratch = await Scratch.create();
  const inputs = `${scratch.path}/inputs`;
  await Deno.mkdir(inputs);
  await makeInputs(inputs);
  for (const [i, rows] of sharing(ROWS).entries()) {
    const wrong = await runRows(rows, "cuse", inputs, `${scratch.path}/${i}`);
    for (const [j, { name }] of rows.entries()) {
      await test.step(name.replaceAll("`", ""), () => assertEquals(wrong[j], undefined));
    }
  }
});
