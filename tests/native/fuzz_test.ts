// The fuse front end under a client that does everything wrong that system calls allow: nobody
// hangs, and the daemon works on as if nothing had been.

import { assertEquals } from "@std/assert";
import { fuzzCount, fuzzRandom } from "../random.ts";
import { compileFuzzClient, fuzzDevice } from "./fuzz.ts";

const CALLS = 20_000;

Deno.test("random system calls neither hang nor harm the daemon", async (t) => {
  const folder = await Deno.makeTempDir();
  const random = fuzzRandom();
  try {
    const client = await compileFuzzClient(folder);
    for (const [clock, share] of [["real", 0.8], ["free", 0.2]] as const) {
      await t.step(`${clock} clock`, async () => {
        const calls = Math.ceil(fuzzCount(CALLS) * share);
        const timeoutSeconds = 60 + calls / 100;
        const { complaints } = await fuzzDevice({
          frontend: "fuse",
          clock,
          calls,
          random,
          client,
          timeoutSeconds,
        });
        assertEquals(complaints, []);
      });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
