// A trace taken of a real character device, whose every device is a connection of its own.

import { assertEquals } from "@std/assert";
import { parseScript } from "../../../lib/script/parser.ts";
import { runOssp, Scratch } from "../../programs.ts";

Deno.test("cuse: what a program does with two devices is in its trace", async () => {
  await using scratch = await Scratch.create();
  const path = `${scratch.path}/trace`;
  const { status, stderr } = await runOssp({
    options: ["--frontend", "cuse", "--trace", path],
    // The mixer is open while the dsp is, and both have the same numbers of requests and files.
    command: [
      "sh",
      "-c",
      "exec 3</dev/mixer; printf abcdefgh >/dev/dsp; dd if=/dev/dsp of=/dev/null bs=80 count=1 status=none",
    ],
  });
  assertEquals([status, stderr], [0, ""]);
  const script = await Deno.readTextFile(path);
  const statements = script.replaceAll(/ +#.*| +at .*\n/g, "").split("\n").filter((line) =>
    line !== ""
  );
  assertEquals(statements.slice(1), [
    "  open mixer rdonly",
    "  open dsp wronly",
    '  write "trace.data" 8 -> 8',
    "  close",
    "  fork:",
    "    mixer: close",
    "    open dsp rdonly",
    "    read 80 -> 80",
    "    close",
    "  mixer: close",
    "  join",
  ]);
  assertEquals(await Deno.readTextFile(`${path}.data`), "abcdefgh");
  assertEquals(parseScript(script, path).tests.length, 1);
});
