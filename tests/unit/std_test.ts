// The stand-ins for the std packages, in what they share with the real ones.

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertExists,
  AssertionError,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { parseArgs } from "@std/cli/parse-args";
import { TextLineStream, toText } from "@std/streams";

Deno.test("assertions throw when, and only when, they do not hold", async () => {
  const holds: (() => void)[] = [
    () => assert(1),
    () => assertEquals({ a: [1, new Uint8Array(2)] }, { a: [1, new Uint8Array(2)] }),
    () => assertNotEquals([1], [2]),
    () => assertExists(0),
    () => assertAlmostEquals(0.1 + 0.2, 0.3),
    () => assertMatch("frame", /ram/),
    () => assertStringIncludes("fragment", "rag"),
    () => assertThrows(() => JSON.parse("{"), SyntaxError),
  ];
  const fails: (() => void)[] = [
    () => assert(0),
    () => assertEquals([1, 2], [1, 3]),
    () => assertEquals<unknown>(1, "1"),
    () => assertNotEquals([1], [1]),
    () => assertExists(null),
    () => assertAlmostEquals(1, 1.1),
    () => assertMatch("frame", /x/),
    () => assertStringIncludes("fragment", "x"),
    () => assertThrows(() => {}),
    () => assertThrows(() => JSON.parse("{"), RangeError),
  ];
  for (const assertion of holds) assertion();
  for (const assertion of fails) assertThrows(assertion, AssertionError);
  await assertRejects(() => Promise.reject(new Error("no device")), Error, "device");
  await assertRejects(() => assertRejects(() => Promise.resolve(1)), AssertionError);
});

Deno.test("parseArgs sorts words into options, operands, and what follows --", () => {
  const options = { boolean: ["mmap"], string: ["sink", "dsp"], stopEarly: true, "--": true };
  const { _, "--": rest, ...values } = parseArgs(
    ["--sink=wav:x", "--dsp", "", "--sink", "null", "--mmap", "play", "--mmap", "--", "-a", "--b"],
    options,
  );
  assertEquals(values, { mmap: true, sink: "null", dsp: "" });
  assertEquals(_, ["play", "--mmap"]);
  assertEquals(rest, ["-a", "--b"]);
  assertEquals(parseArgs([], options)["--"], []);
  const unknown: string[] = [];
  parseArgs(["--nope", "-x", "word", "--later"], {
    ...options,
    unknown: (word) => unknown.push(word),
  });
  assertEquals(unknown, ["--nope", "-x"]);
});

Deno.test("TextLineStream makes lines of chunks cut anywhere", async () => {
  const lines = ReadableStream.from(["on", "e\r\ntw", "o\n\nth", "ree"])
    .pipeThrough(new TextLineStream());
  assertEquals(await Array.fromAsync(lines), ["one", "two", "", "three"]);
  const bytes = ReadableStream.from([new TextEncoder().encode("whole")]);
  assertEquals(await toText(bytes), "whole");
});
