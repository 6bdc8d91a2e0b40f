// The script language: what is read is what is printed, what is wrong is said with its line, and the
// examples of docs/script.md are scripts.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { evaluate, NO_SCOPE, parseDuration } from "../../lib/script/amount.ts";
import { matches } from "../../lib/script/matcher.ts";
import { allRows, rowNamed, shortName } from "../../lib/script/names.ts";
import { parseScript } from "../../lib/script/parser.ts";
import { printTest } from "../../lib/script/printer.ts";
import type { Statement } from "../../lib/script/statement.ts";
import { ScriptError } from "../../lib/script/words.ts";

const EVERYTHING = `test every statement
  needs mmap capture
  open dsp wronly
  open /dev/dsp1 rdwr nonblock excl as other
  dup as again
  nonblock on
  SETFMT AFMT_S16_LE -> AFMT_S16_LE
  SETFMT 0x7 -> EINVAL
  other: GETOSPACE -> fragments=2 bytes=room:>=1
  MAPOUTBUF size=5 -> EINVAL
  SYNC within 2f after 1f
  call 0xC0045002 00000000 -> EINVAL|ENOTTY
  call 0x5000
  write tone 1024 -> EAGAIN|1024
  write "a file" 8 16 -> 16
  write "x\\"y" 16
  read 1024 -> 1024 tone
  read 1024 -> 1..1024 *
  read 1024 -> "file" 7
  poll both 2f -> in|both
  poll out 20ms -> -
  wait 3f
  at 1.5s
  mmap 8192 as ring -> ENODEV
  poke ring 0 ramp 1024
  peek ring 0 1024 -> zeros
  munmap ring
  fork:
    dsp: write noise 4096
    fork:
      close
    join
  kill KILL
  join
  fault sink-error ENOSPC
  fault none
  m: WRITE_PCM 100,50 -> $old|100,50
  GETODELAY -> delay:0..2f
  GETODELAY -> 1024~1f
  GETFMTS -> &AFMT_U8+AFMT_S16_LE
  close within 1f
`;

Deno.test("every statement is printed as it was written", () => {
  const { tests } = parseScript(EVERYTHING, "x");
  assertEquals(tests.map(printTest).join(""), EVERYTHING);
});

Deno.test("comments, blank lines and blanks do not matter", () => {
  const parse = (text: string) => parseScript(text, "x").tests.map(printTest).join("");
  assertEquals(
    parse("# c\n\ntest a  b # c\n\n     wait   3f# no comment\n".replace("# no", " # no")),
    "test a  b\n  wait 3f\n",
  );
  assertEquals(parse("test #\n  wait 1f\n".replace("#", "a\n  # x")), "test a\n  wait 1f\n");
});

Deno.test("the examples of docs/script.md are scripts", () => {
  const text = Deno.readTextFileSync(new URL("../../docs/script.md", import.meta.url));
  const examples = [...text.matchAll(/```ossp\n([^]*?)```/g)].map(([, example]) => example);
  assert(examples.length >= 6);
  for (const example of examples) {
    const { tests } = parseScript(example, "docs/script.md");
    assert(tests.length > 0);
    const printed = tests.map(printTest).join("");
    assertEquals(parseScript(printed, "printed").tests.map(printTest).join(""), printed);
  }
});

const WRONG: readonly [text: string, line: number, why: RegExp][] = [
  ["close", 1, /"test NAME" is wanted/],
  ["test\n  close", 1, /a test has a name/],
  ["test a\ntest b\n  close", 1, /an empty test/],
  ["test a\n  close\ntest a\n  close", 3, /already/],
  ["test a\n\tclose", 2, /a tab/],
  ["test a\n  close\n    close", 2, /ends in a colon/],
  ["test a\n    close\n  close", 3, /indented otherwise/],
  ["test a\n  fork:\n  close", 2, /an empty block/],
  ["test a\n  join:\n    close", 2, /no block belongs to join/],
  ["test a\n  frobnicate", 2, /"frobnicate": no such statement/],
  ["test a\n  FROBNICATE 1", 2, /no call FROBNICATE/],
  ["test a\n  open dsp", 2, /a mode is wanted/],
  ["test a\n  open dsp sideways", 2, /"sideways": a mode is one of/],
  ["test a\n  close now", 2, /"now" is too much/],
  ["test a\n  SPEED lots", 2, /"lots" is no number/],
  ["test a\n  SPEED 1 -> x..y", 2, /"x" is no number/],
  ["test a\n  SPEED 1 ->", 2, /an expectation is wanted/],
  ["test a\n  GETOSPACE -> fragment=2", 2, /audio_buf_info has no fragment: it has fragments,/],
  ["test a\n  write tune 5", 2, /"tune": a signal is one of/],
  ['test a\n  write "x 5', 2, /a quote without its end/],
  ["test a\n  wait 3", 2, /"3": how long is a time/],
  ["test a\n  close within 3", 2, /"3" is no time/],
  ["test a\n  fault sink-error EWHAT", 2, /"EWHAT" is no errno/],
  ["test a\n  poll out 1f -> up", 2, /"up": poll says one of/],
  ["test a\n  call 0x5000 0", 2, /no bytes in hex/],
  ["test a\n  RESET 1", 2, /RESET takes nothing/],
  ["test a\n  needs luck", 2, /what is needed is one of/],
];

Deno.test("what is wrong is said with the file and the line", async (test) => {
  for (const [text, line, why] of WRONG) {
    await test.step(JSON.stringify(text), () => {
      const error = assertThrows(() => parseScript(text, "some.oss"), ScriptError);
      assert(why.test(error.why), error.message);
      assertEquals(error.message, `some.oss:${line}: ${error.why}`);
    });
  }
});

Deno.test("numbers", () => {
  const scope = {
    captured: (name: string) => name === "x" ? 7 : undefined,
    bytesOf: ({ count, unit }: { count: number; unit: string }) => unit === "f" ? count * 512 : 9,
  };
  const value = (text: string) => evaluate(text, scope);
  assertEquals(value("1024"), 1024);
  assertEquals(value("-5"), -5);
  assertEquals(value("0x2000a"), 0x2000a);
  assertEquals(value("AFMT_U8+AFMT_S16_LE"), 0x18);
  assertEquals(value("$x+1-3"), 5);
  assertEquals(value("100,50"), 100 | 50 << 8);
  assertEquals(value("2f+4"), 1028);
  assertEquals(value("20ms"), 9);
  assertThrows(() => value("$y"), Error, "nothing has been captured as $y");
  assertThrows(() => value("1+"), Error);
  assertEquals(parseDuration("1.5s"), { count: 1.5, unit: "s" });
  assertEquals(parseDuration("1.5"), undefined);
});

Deno.test("matchers", () => {
  const cases: [text: string, value: number | string, holds: boolean][] = [
    ["5", 5, true],
    ["5", 6, false],
    ["0..5", 5, true],
    ["0..5", 6, false],
    ["-2..-1", -1, true],
    [">=5", 5, true],
    [">5", 5, false],
    ["<=5", 5, true],
    ["<5", 5, false],
    ["100~10", 110, true],
    ["100~10", 111, false],
    ["&6", 7, true],
    ["&6", 5, false],
    ["!&6", 9, true],
    ["!&6", 4, false],
    ["1|3", 3, true],
    ["1|3", 2, false],
    ["*", 9, true],
    ["name:4", 4, true],
    ["name:4", 5, false],
    ["0xffffffff", -1, true],
    ['"os*"', "ossp", true],
    ['"os"', "ossp", false],
    ['"o.s"', "oss", false],
    ['"a|b"', "a", false],
    ['"a|b"', "a|b", true],
  ];
  for (const [text, value, wanted] of cases) {
    assertEquals(matches(text, value, NO_SCOPE), wanted, `${text} and ${value}`);
  }
});

Deno.test("every call has a short name, which is its own", () => {
  for (const row of allRows()) {
    if (!row.variant) assertEquals(rowNamed(shortName(row)), row);
  }
  assertEquals(shortName(rowNamed("SNDCTL_DSP_SPEED")), "SPEED");
  assertEquals(rowNamed("READ_PCM").name, "SOUND_MIXER_READ_PCM");
});

Deno.test("each call of the tables is made by a script of the suite", () => {
  const folder = new URL("../scripts/", import.meta.url);
  const scripts = Array.from(Deno.readDirSync(folder)).filter(({ name }) => name.endsWith(".oss"));
  const made = new Set<number>();
  const visit = (statements: readonly Statement[]) => {
    for (const { action } of statements) {
      if (action.do === "fork") visit(action.body);
      if (action.do === "call") made.add(rowNamed(action.name).command);
      if (action.do === "ioctl") made.add(Number(action.command));
    }
  };
  const names: string[] = [];
  for (const { name } of scripts) {
    const { tests } = parseScript(Deno.readTextFileSync(new URL(name, folder)), name);
    for (const test of tests) visit(test.body);
    names.push(...tests.map(({ name }) => name));
  }
  const missing = allRows().filter(({ command, variant }) => !made.has(command) && !variant);
  assertEquals(missing.map(({ name }) => name), []);
  assertEquals(
    names.filter((name, i) => names.indexOf(name) !== i),
    [],
    "names that are not unique",
  );
});
