// What happens to the other side when a client or the daemon of a character device is killed.

import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  assertGone,
  assertPattern,
  exists,
  isTrue,
  Run,
  samplesOf,
  Scratch,
  until,
} from "../../native/ossp.ts";

// A system call takes fifty times as long here: this is the second that is allowed elsewhere.
const SOON_MS = 5000;

/** A client that writes without an end; something of it has been heard when this settles. */
async function flood(client: string, file: string): Promise<Run> {
  const run = new Run([client, "flood", "/dev/dsp"]);
  await run.printed("playing");
  await until(() => exists(file) && Deno.statSync(file).size > 4096, `sound in ${file}`);
  return run;
}

Deno.test("cuse: a killed client is gone at once, a killed daemon is an error to its client", async () => {
  await using scratch = new Scratch();
  const client = await scratch.client();
  const file = (n: number) => `${scratch.path}/${n}.wav`;
  await using daemon = Run.ossp(["--frontend", "cuse", "--sink", `wav:${scratch.path}/%n.wav`]);
  await daemon.printed("serving", "stderr");

  await using killed = await flood(client, file(1));
  let startMs = performance.now();
  killed.kill("SIGKILL");
  assertEquals(await killed.end(), 137);
  assert(performance.now() - startMs < SOON_MS, "the client was not gone");
  await assertGone([killed.pid]);
  await until(() => isTrue(file(1)), "the end of the killed client's file");
  assertPattern(samplesOf(file(1)));

  await using left = await flood(client, file(2));
  startMs = performance.now();
  daemon.kill("SIGKILL");
  assertEquals(await left.end(), 0, left.stdout);
  assert(performance.now() - startMs < SOON_MS, "the client heard of it too late");
  assertMatch(left.stdout, /^(ENOTCONN|ECONNABORTED|ENODEV)$/m);
  await daemon.end();
  await assertGone([daemon.pid, left.pid]);
  assertPattern(samplesOf(file(2), true));
  await until(() => !exists("/dev/dsp"), "the end of /dev/dsp");
});
