// docs/api.md says what the tables say, and the tables say enough.

import { assert, assertEquals } from "@std/assert";
import { DSP_CALLS, MIXER_CALLS } from "../../lib/oss/calls.ts";
import { API_DOC, apiDoc } from "../../packaging/api_doc.ts";

const ROWS = [...new Map([...MIXER_CALLS, ...DSP_CALLS] as [number, { name: string }][]).values()];

Deno.test("docs/api.md is what `deno task docs` makes", async () => {
  const doc = await apiDoc();
  assertEquals(await Deno.readTextFile(API_DOC), doc, "run `deno task docs`");
  for (const { name } of ROWS) assert(doc.includes(`\`${name}\``), `${name} is in no section`);
});

Deno.test("a row's number holds the size of its argument, and its direction", () => {
  for (const { name, command, argument, about } of [...DSP_CALLS.values()]) {
    const size = argument === "none" ? 0 : argument === "int" ? 4 : argument.$size;
    assertEquals(command >>> 16 & 0x3fff, size, name);
    assertEquals(command >>> 30 === 0, argument === "none", name);
    assert(about.length > 0 && !about.includes("\n"), name);
  }
});

Deno.test("no two rows have a number, and none but variants a name", () => {
  const names = [...DSP_CALLS.values()].map(({ name, variant }) => `${name} ${variant ?? ""}`);
  assertEquals(new Set(names).size, names.length);
});
