// A client that is written for OSS 4 (oss4_client.c), through real system calls.

import { assertEquals } from "@std/assert";
import { LACKING, Run, Scratch } from "./ossp.ts";

Deno.test({
  name: "a program for OSS 4 finds what it looks for",
  ignore: LACKING,
  async fn() {
    await using scratch = new Scratch();
    const client = await scratch.client("oss4_client");
    await using run = Run.ossp(["--sink", "null", "--", client, "/dev/dsp", "/dev/mixer"]);
    assertEquals([await run.end(), run.stdout, run.stderr], [0, "ok 64\n", ""]);
  },
});
