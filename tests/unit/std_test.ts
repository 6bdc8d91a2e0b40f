// The packages under std/ behave as the documentation of the ones they stand in for says.
// The tests pass against the real packages too (delete "links" from deno.json), save one that says so.

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertExists,
  assertGreater,
  assertGreaterOrEqual,
  AssertionError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
} from "@std/assert";
import { equal } from "@std/assert/equal";
import { parseArgs } from "@std/cli/parse-args";
import { TextLineStream, toArrayBuffer, toText } from "@std/streams";
import { toBytes } from "@std/streams/to-bytes";

/** Judged without the package under test. */
function check(condition: boolean, what: string) {
  if (!condition) throw new Error(what);
}

/** The message of the AssertionError that `fn` throws; undefined if it throws nothing. */
function failure(fn: () => unknown): string | undefined {
  try {
    fn();
  } catch (error) {
    check(error instanceof AssertionError, `not an AssertionError: ${error}`);
    return (error as Error).message;
  }
}

Deno.test("equal compares content", () => {
  class Point {
    constructor(readonly x: number, readonly y: number) {}
  }
  const cycle = () => {
    const object: Record<string, unknown> = { a: 1 };
    object.self = object;
    return object;
  };
  const same: [unknown, unknown][] = [
    [NaN, NaN],
    [0, -0],
    [{ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }],
    [{ a: 1, b: 2 }, { b: 2, a: 1 }],
    [Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    [new Date(5), new Date(5)],
    [/a/g, /a/g],
    [new URL("file:///a"), new URL("file:///a")],
    [new Uint8Array([1, 2]), new Uint8Array([1, 2])],
    [new Float32Array([NaN]), new Float32Array([NaN])],
    [new Uint8Array([1, 2]).buffer, new Uint8Array([1, 2]).buffer],
    [new Map([[{ k: 1 }, [2]]]), new Map([[{ k: 1 }, [2]]])],
    [new Set([1, { a: 1 }, 2]), new Set([2, 1, { a: 1 }])],
    [new Point(1, 2), new Point(1, 2)],
    [cycle(), cycle()],
  ];
  for (const [a, b] of same) {
    check(equal(a, b) && equal(b, a), `not equal: ${Deno.inspect(a)} ${Deno.inspect(b)}`);
  }
  const different: [unknown, unknown][] = [
    [1, "1"],
    [null, undefined],
    [{ a: undefined }, {}],
    [{ a: undefined }, { b: undefined }],
    [{ [Symbol.iterator]: 1 }, { [Symbol.iterator]: 2 }],
    [[1, 2], [2, 1]],
    [[], {}],
    [new Date(5), new Date(6)],
    [/a/g, /a/i],
    [new URL("file:///a"), new URL("file:///b")],
    [new Uint8Array([1, 2]), new Uint8Array([1, 3])],
    [new Uint8Array([1, 2]), new Int8Array([1, 2])],
    [new Uint8Array([1]).buffer, new Uint8Array([2]).buffer],
    [new Map([["k", 1]]), new Map([["k", 2]])],
    [new Map([[{ k: 1 }, 1]]), new Map([[{ k: 2 }, 1]])],
    [new Map([["k", undefined]]), new Map([["l", undefined]])],
    [new Set([{ a: 1 }, { a: 3 }]), new Set([{ a: 1 }, { a: 2 }])],
    [new Set([undefined, 1]), new Set([{}, 1])],
    [new Point(1, 2), new Point(1, 3)],
    [new Point(1, 2), { x: 1, y: 2 }],
    [() => {}, () => {}],
  ];
  for (const [a, b] of different) {
    check(!equal(a, b) && !equal(b, a), `equal: ${Deno.inspect(a)} ${Deno.inspect(b)}`);
  }
  assertThrows(() => equal(new WeakMap(), new WeakMap()), TypeError);
});

// The real package lets two elements of one set pair with the same element of the other.
Deno.test("equal pairs each element of a set once", () => {
  check(!equal(new Set([{ a: 1 }, { a: 1 }]), new Set([{ a: 1 }, { a: 2 }])), "paired twice");
});

Deno.test("each assertion passes and fails", () => {
  const cases: [pass: () => unknown, fail: () => unknown, start: string][] = [
    [() => assert(1), () => assert(0, "m"), "m"],
    [() => {}, () => fail("m"), "Failed assertion: m"],
    [() => assertEquals([1], [1]), () => assertEquals(1, 2, "m"), "Values are not equal: m\n"],
    [
      () => assertNotEquals([1], [2]),
      () => assertNotEquals(1, 1),
      "Expected actual: 1 not to be: 1.",
    ],
    [
      () => assertStrictEquals("a", "a"),
      () => assertStrictEquals(0, -0),
      "Values are not strictly",
    ],
    [
      () => assertStrictEquals(NaN, NaN),
      () => assertStrictEquals({ a: 1 }, { a: 1 }),
      "Values have the same structure but are not reference-equal.\n",
    ],
    [
      () => assertAlmostEquals(1, 1 + 5e-8),
      () => assertAlmostEquals(2, 2 + 5e-7),
      'Expected actual: "2" to be close to "2.0000005e+0": delta "5.',
    ],
    [
      () => assertAlmostEquals(1, 2, 1),
      () => assertAlmostEquals(1, 2, 0.5, "m"),
      'Expected actual: "1" to be close to "2": delta "1" is greater than "5e-1": m',
    ],
    [() => assertGreater(2, 1), () => assertGreater(1, 1), "Expect 1 > 1"],
    [() => assertGreaterOrEqual(1, 1), () => assertGreaterOrEqual(0, 1), "Expect 0 >= 1"],
    [() => assertLess(1, 2), () => assertLess(1, 1), "Expect 1 < 1"],
    [() => assertLessOrEqual(1, 1), () => assertLessOrEqual(2, 1, "m"), "m"],
    [
      () => assertMatch("abc", /b/),
      () => assertMatch("abc", /d/),
      'Expected actual: "abc" to match: "/d/".',
    ],
    [
      () => assertStringIncludes("abc", "b"),
      () => assertStringIncludes("abc", "d"),
      'Expected actual: "abc" to contain: "d".',
    ],
    [
      () => assertExists(0),
      () => assertExists(null),
      'Expected actual: "null" to not be null or undefined.',
    ],
  ];
  for (const [pass, fails, start] of cases) {
    check(failure(pass) === undefined, `${pass} fails`);
    const message = failure(fails);
    check(message?.startsWith(start) ?? false, `${fails}: ${message}`);
  }
});

Deno.test("a difference is shown by line", () => {
  const message = failure(() => assertEquals({ a: 1, b: 2, c: 3 }, { a: 1, b: 5, c: 3 }))!;
  for (const line of ["-     b: 2,", "+     b: 5,", "      a: 1,"]) {
    assertStringIncludes(message, line);
  }
});

Deno.test("assertThrows judges what is thrown and returns it", async () => {
  const error = new RangeError("out of reach");
  const throwing = () => {
    throw error;
  };
  assertStrictEquals(assertThrows(throwing), error);
  assertStrictEquals(assertThrows(throwing, RangeError, "of re"), error);
  assertStrictEquals(assertThrows(throwing, Error), error);
  assertMatch(failure(() => assertThrows(() => 1, "m"))!, /^Expected function to throw: m$/);
  assertMatch(
    failure(() => assertThrows(throwing, TypeError))!,
    /^Expected error to be instance of "TypeError", but was "RangeError"/,
  );
  assertMatch(
    failure(() => assertThrows(throwing, RangeError, "else"))!,
    /^Expected error message to include "else", but got "out of reach"/,
  );
  assertMatch(
    failure(() =>
      assertThrows(() => {
        throw "text";
      }, Error)
    )!,
    /^A non-Error object was thrown/,
  );

  const rejecting = () => Promise.reject(error);
  assertStrictEquals(await assertRejects(rejecting), error);
  assertStrictEquals(await assertRejects(rejecting, RangeError, "reach"), error);
  const failures: [() => Promise<unknown>, RegExp][] = [
    [() => assertRejects(() => Promise.resolve(), "m"), /^Expected function to reject: m$/],
    [() => assertRejects(rejecting, TypeError), /instance of "TypeError", but was "RangeError"/],
    [() => assertRejects(throwing), /^Function throws when expected to reject/],
    [() => assertRejects(() => Promise.reject(1), Error), /^A non-Error object was rejected/],
  ];
  for (const [fails, message] of failures) {
    const reason = await fails().then(() => undefined, (reason) => reason);
    check(reason instanceof AssertionError, `${fails}: ${reason}`);
    assertMatch(reason.message, message);
  }
});

Deno.test("parseArgs reads values", () => {
  assertEquals(
    parseArgs(["--a", "x", "--b=y=z", "-c", "5", "-d6", "-e=7", "--f", "--g", "-h", "w"]),
    {
      _: [],
      a: "x",
      b: "y=z",
      c: 5,
      d: 6,
      e: 7,
      f: true,
      g: true,
      h: "w",
    },
  );
  assertEquals(parseArgs(["-abc", "w", "-", "0x10", "1e3", "-1"]), {
    _: ["-", 16, 1000],
    a: true,
    b: true,
    c: "w",
    1: true,
  });
  assertEquals(parseArgs(["--a.b", "1", "--a.c=2"]), { _: [], a: { b: 1, c: 2 } });
  assertEquals(parseArgs(["--__proto__.x", "1", "--constructor.y", "2", "--constructor=3"]), {
    _: [],
  });
  assertEquals(parseArgs(["--a", "1", "--a", "2"]), { _: [], a: 2 });
  assertEquals(parseArgs(["--a=", "x", "-b=", "y"]), { _: ["x", "y"], a: "", b: "" });
});

Deno.test("parseArgs heeds the declared types", () => {
  const args = parseArgs([
    "--n",
    "5",
    "--s",
    "-v",
    "w",
    "--flag",
    "x",
    "--b=false",
    "--b2",
    "false",
  ], {
    string: ["n", "s", "absent"],
    boolean: ["v", "flag", "b", "b2", "unset"],
  });
  assertEquals(args, {
    _: ["w", "x"],
    n: "5",
    s: "",
    v: true,
    flag: true,
    b: false,
    b2: false,
    unset: false,
  });
  assertEquals<unknown>(parseArgs(["5"], { string: "_" }), { _: ["5"] });
  const n: string | undefined = args.n;
  const v: boolean = args.v;
  assertEquals([n, v], ["5", true]);
  assertEquals(parseArgs(["--a", "x", "--b=y"], { boolean: true }), { _: ["x"], a: true, b: "y" });
});

Deno.test("parseArgs collects, negates, aliases and fills in", () => {
  const args = parseArgs(["-t", "1", "--tag=2", "--no-color", "--no-other", "-q"], {
    string: ["tag", "sink"],
    boolean: ["quiet", "color"],
    collect: ["tag"],
    negatable: ["color"],
    alias: { tag: "t", quiet: ["q", "silent"] },
    default: { sink: "auto", color: true, rate: 5 },
  });
  assertEquals(args, {
    _: [],
    tag: ["1", "2"],
    t: ["1", "2"],
    color: false,
    "no-other": true,
    quiet: true,
    q: true,
    silent: true,
    sink: "auto",
    rate: 5,
  });
  const typed: [string[], string[], string, boolean, boolean] = [
    args.tag,
    args.t,
    args.sink,
    args.color,
    args.q,
  ];
  assertEquals(typed.length, 5);
  assertEquals(parseArgs([], { string: ["a"], collect: ["a"] }), { _: [], a: [] });
});

Deno.test("parseArgs stops where it is told", () => {
  assertEquals(parseArgs(["--a=1", "run", "--b"], { stopEarly: true }), {
    _: ["run", "--b"],
    a: 1,
  });
  assertEquals(parseArgs(["--a=1", "--", "--b", "5"], { "--": true }), {
    _: [],
    a: 1,
    "--": ["--b", "5"],
  });
  assertEquals(parseArgs(["1", "--", "--b", "5"]), { _: [1, "--b", "5"] });
});

Deno.test("parseArgs asks about unknown words", () => {
  const asked: unknown[] = [];
  const args = parseArgs(["--known", "--odd=1", "-x", "word"], {
    boolean: ["known"],
    unknown: (...words) => {
      asked.push(words);
      return words[0] === "word";
    },
  });
  assertEquals(args, { _: [], known: true });
  assertEquals(asked, [["--odd=1", "odd", "1"], ["-x", "x", "word"]]);
});

Deno.test("TextLineStream finds lines in any chunks", async () => {
  const lines = (chunks: string[], allowCR?: boolean) =>
    Array.fromAsync(
      ReadableStream.from(chunks).pipeThrough(
        allowCR === undefined ? new TextLineStream() : new TextLineStream({ allowCR }),
      ),
    );
  assertEquals(await lines(["a\nb", "c\r", "\n\nd"]), ["a", "bc", "", "d"]);
  assertEquals(await lines(["a\rb\n", "c\r"]), ["a\rb", "c\r"]);
  assertEquals(await lines(["a\r", "b\r", "\nc\r\rd", "", "\r"], true), ["a", "b", "c", "", "d"]);
  assertEquals(await lines(["a\r", "", "b"], true), ["a", "b"]);
  assertEquals(await lines(["\n", ""]), [""]);
  assertEquals(await lines([]), []);
});

Deno.test("streams are read whole", async () => {
  const bytes = () => ReadableStream.from([new Uint8Array([0xc3]), new Uint8Array([0xa9, 0x61])]);
  assertEquals(await toText(bytes()), "\u00e9a");
  assertEquals(await toText(ReadableStream.from([new Uint8Array([0x61, 0xc3])])), "a\ufffd");
  assertEquals(await toText(ReadableStream.from(["x", "", "y"])), "xy");
  assertEquals(await toBytes(bytes()), new Uint8Array([0xc3, 0xa9, 0x61]));
  assertEquals(await toArrayBuffer(bytes()), new Uint8Array([0xc3, 0xa9, 0x61]).buffer);
  const broken = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.error(new RangeError("broken")),
  });
  await assertRejects(() => toText(broken), RangeError, "broken");
});
