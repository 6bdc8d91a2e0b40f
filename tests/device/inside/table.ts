// Those programs of the table that start quickly, through a real character device.

import { assertEquals } from "@std/assert";
import { makeInputs, runRow } from "../../apps/rows.ts";
import { ROWS } from "../../apps/table.ts";
import { available, Scratch } from "../../programs.ts";

Deno.test("cuse: programs of the table are heard, and hear", async (test) => {
  if (!available("ffmpeg")) return;
  await using scratch = await Scratch.create();
  const inputs = `${scratch.path}/inputs`;
  await Deno.mkdir(inputs);
  await makeInputs(inputs);
  for (const [i, row] of ROWS.entries()) {
    if (!row.on) continue;
    await test.step(row.name.replaceAll("`", ""), async () => {
      assertEquals(await runRow(row, "cuse", inputs, `${scratch.path}/${i}`), undefined);
    });
  }
});
