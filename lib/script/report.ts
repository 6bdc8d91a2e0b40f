// What came of the tests, for people (plain), for programs that read TAP 14, and for those that read
// JUnit's XML.

import type { Failing } from "./children.ts";
import type { Verdict } from "./runner.ts";

/** One test that has ended. */
export interface Result {
  /** Its script's file. */
  readonly path: string;
  readonly name: string;
  readonly verdict: Verdict;
  /** How long it took, in the machine's time. */
  readonly ms: number;
}

/** Takes results as they come. */
export interface Report {
  /** @param total how many tests there are */
  begin(total: number): void;
  add(result: Result): void;
  end(): void;
}

/** The ways to write a report. */
export const OUTPUTS = ["plain", "tap", "junit"] as const;

export type Output = typeof OUTPUTS[number];

/** @param print takes a line without its end */
export function makeReport(output: Output, print: (line: string) => void): Report {
  switch (output) {
    case "plain":
      return new PlainReport(print);
    case "tap":
      return new TapReport(print);
    case "junit":
      return new JunitReport(print);
  }
}

/** What is wrong with a line, for people: where, what, and what was wanted. */
export function failingLines(failing: Failing): string[] {
  const { path, line, source, expected, got, call } = failing;
  return [
    `${path}${line > 0 ? `:${line}` : ""}: ${source}`,
    `  expected: ${expected}`,
    `  got: ${got}`,
    ...(call === undefined || call === got ? [] : [`  came back: ${call}`]),
  ];
}

class PlainReport implements Report {
  #path = "";
  readonly #counts = { passed: 0, failed: 0, skipped: 0 };

  constructor(readonly print: (line: string) => void) {}

  begin(): void {}

  add({ path, name, verdict }: Result): void {
    if (path !== this.#path) this.print(path);
    this.#path = path;
    this.#counts[verdict.verdict]++;
    if (verdict.verdict === "passed") return this.print(`  ok    ${name}`);
    if (verdict.verdict === "skipped") return this.print(`  skip  ${name} (${verdict.why})`);
    this.print(`  FAIL  ${name}`);
    for (const failing of verdict.failings) {
      for (const line of failingLines(failing)) this.print(`        ${line}`);
    }
  }

  end(): void {
    const { passed, failed, skipped } = this.#counts;
    this.print(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  }
}

class TapReport implements Report {
  #number = 0;

  constructor(readonly print: (line: string) => void) {}

  begin(total: number): void {
    this.print("TAP version 14");
    this.print(`1..${total}`);
  }

  add({ path, name, verdict, ms }: Result): void {
    const about = `${path}: ${name}`.replaceAll(/[\\#]/g, "\\$&");
    const head = `${verdict.verdict === "failed" ? "not ok" : "ok"} ${++this.#number} - ${about}`;
    this.print(verdict.verdict === "skipped" ? `${head} # SKIP ${verdict.why}` : head);
    // A JSON string is a YAML one.
    const entries = verdict.verdict === "failed"
      ? [["message", verdict.failings.flatMap(failingLines).join("\n")]]
      : [];
    this.print("  ---");
    for (const [key, text] of entries) this.print(`  ${key}: ${JSON.stringify(text)}`);
    this.print(`  duration_ms: ${ms.toFixed(1)}`);
    this.print("  ...");
  }

  end(): void {}
}

class JunitReport implements Report {
  readonly #results: Result[] = [];

  constructor(readonly print: (line: string) => void) {}

  begin(): void {}

  add(result: Result): void {
    this.#results.push(result);
  }

  end(): void {
    this.print('<?xml version="1.0" encoding="UTF-8"?>');
    this.print(`<testsuites ${counts(this.#results)}>`);
    for (const path of new Set(this.#results.map(({ path }) => path))) {
      const results = this.#results.filter((result) => result.path === path);
      this.print(`  <testsuite name="${escape(path)}" ${counts(results)}>`);
      for (const result of results) this.#case(result);
      this.print("  </testsuite>");
    }
    this.print("</testsuites>");
  }

  #case({ path, name, verdict, ms }: Result): void {
    const head = `    <testcase name="${escape(name)}" classname="${escape(path)}" time="${
      (ms / 1000).toFixed(3)
    }"`;
    if (verdict.verdict === "passed") return this.print(`${head}/>`);
    this.print(`${head}>`);
    if (verdict.verdict === "skipped") {
      this.print(`      <skipped message="${escape(verdict.why)}"/>`);
    } else {
      const [first] = verdict.failings;
      const message = escape(`${first.source}: expected ${first.expected}, got ${first.got}`);
      const text = escape(verdict.failings.flatMap(failingLines).join("\n"));
      this.print(`      <failure message="${message}">${text}</failure>`);
    }
    this.print("    </testcase>");
  }
}

function counts(results: readonly Result[]): string {
  const number = (verdict: string) =>
    results.filter((result) => result.verdict.verdict === verdict).length;
  const seconds = results.reduce((sum, { ms }) => sum + ms, 0) / 1000;
  return `tests="${results.length}" failures="${number("failed")}" skipped="${
    number("skipped")
  }" time="${seconds.toFixed(3)}"`;
}

// What XML has no way to say is said as U+FFFD.
// deno-lint-ignore no-control-regex
const NOT_XML = /[\x00-\x08\x0b\x0c\x0e-\x1f]/g;

function escape(text: string): string {
  return text.replaceAll(NOT_XML, "\ufffd").replaceAll(
    /[&<>"]/g,
    (character) => `&#${character.charCodeAt(0)};`,
  );
}
