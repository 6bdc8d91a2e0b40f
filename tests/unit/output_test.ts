// A growing sound file whose system calls are made when the test says so.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { OutputFile } from "../../lib/backend/output.ts";
import { formatByName } from "../../lib/pcm/format.ts";
import { parseWav } from "../../lib/pcm/wav.ts";
import { Later } from "./later.ts";

const PARAMETERS = { format: formatByName("s16le")!, rateHz: 8000, channels: 1 };

/** `frames` frames that count on from `first`. */
function count(first: number, frames: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Uint16Array.from({ length: frames }, (_, i) => first + i).buffer);
}

async function inFolder(test: (path: string) => void) {
  const folder = await Deno.makeTempDir({ prefix: "ossp-test-" });
  try {
    test(`${folder}/sound`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("what waits for a disk comes in order, and then the header is true", () =>
  inFolder((path) => {
    const calls = new Later();
    const file = new OutputFile(path, "wav", PARAMETERS, calls);
    file.write(count(0, 10), 10);
    assertEquals(file.unkeptFrames(), 10);
    calls.next(); // the file is made
    file.write(count(10, 5), 5);
    file.write(count(15, 5), 5);
    assertEquals(file.unkeptFrames(), 20);
    calls.most = 7;
    calls.next();
    assertEquals(file.unkeptFrames(), 17); // a frame is there in part
    calls.interrupts = true;
    calls.next();
    calls.most = Infinity;
    while (file.unkeptFrames() > 0) calls.next();
    const bytes = Deno.readFileSync(path);
    const { dataOffset, dataBytes } = parseWav(bytes);
    assertEquals([dataOffset, dataBytes], [44, 40]);
    assertEquals(bytes.slice(dataOffset), count(0, 20));
    assertEquals(calls.waiting.length, 0);
    file.close();
    calls.all();
    assertEquals(calls.names, [
      "open",
      "write 20 at 44",
      "write 13 at 51",
      "write 13 at 51",
      "write 20 at 64",
      "write 44 at 0",
      "close",
    ]);
  }));

Deno.test("a file that is closed while a disk stands still is whole in the end", () =>
  inFolder((path) => {
    const calls = new Later();
    const file = new OutputFile(path, "raw", PARAMETERS, calls);
    file.write(count(0, 1000), 1000);
    file.close();
    calls.all();
    assertEquals(Deno.readFileSync(path), count(0, 1000));
    assertEquals(calls.names.at(-1), "close");
  }));

Deno.test("it takes no more than a bound of what waits", () =>
  inFolder((path) => {
    const calls = new Later();
    const file = new OutputFile(path, "raw", PARAMETERS, calls);
    let writes = 0;
    for (; file.ready; writes++) file.write(count(0, 1024), 1024);
    assertEquals(writes, 512);
    calls.all();
    assert(file.ready);
    file.close();
    calls.all();
  }));

Deno.test("a full disk is told once, to whoever asks or writes next; then it is tried again", () => {
  const calls = new Later();
  const file = new OutputFile("/dev/full", "raw", PARAMETERS, calls);
  file.write(count(0, 10), 10);
  calls.all();
  assertThrows(() => file.unkeptFrames(), Error, "ENOSPC");
  assertEquals(file.unkeptFrames(), 0);
  file.write(count(0, 10), 10);
  calls.all();
  assertThrows(() => file.write(count(0, 10), 10), Error, "ENOSPC");
  file.close();
  calls.all();
});

Deno.test("a file that cannot be made is told of, and made when it can be", () =>
  inFolder((path) => {
    assertThrows(() => new OutputFile(`${path}/in`, "raw", PARAMETERS), Error, "ENOENT");
    const calls = new Later();
    const file = new OutputFile(`${path}/in`, "raw", PARAMETERS, calls);
    file.write(count(0, 10), 10);
    calls.all();
    assertThrows(() => file.unkeptFrames(), Error, "ENOENT");
    Deno.mkdirSync(path);
    file.write(count(0, 10), 10);
    file.close();
    calls.all();
    assertEquals(Deno.readFileSync(`${path}/in`), count(0, 10));
  }));
