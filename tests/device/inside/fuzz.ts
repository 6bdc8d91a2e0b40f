// Random system calls on real character devices. Few, since each is slow here; tests/native has many.

import { assertEquals } from "@std/assert";
import { compileFuzzClient, fuzzDevice } from "../../native/fuzz.ts";
import { fuzzRandom } from "../../random.ts";

const CALLS = 1500;
const TIMEOUT_SECONDS = 120;

Deno.test("cuse: random system calls neither hang nor harm the daemon", async () => {
  const folder = await Deno.makeTempDir();
  const random = fuzzRandom();
  try {
    const client = await compileFuzzClient(folder);
    const { complaints } = await fuzzDevice({
      frontend: "cuse",
      clock: "real",
      calls: CALLS,
      random,
      client,
      timeoutSeconds: TIMEOUT_SECONDS,
    });
    assertEquals(complaints, []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
