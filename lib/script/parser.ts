// From a script's text to its tree. Whatever is wrong with a line is said with the file and its
// number, before anything is run.

import { ERRNO_NAMES } from "../../ffi/errno.ts";
import { evaluate, NO_SCOPE, parseDuration } from "./amount.ts";
import { checkMatcher } from "./matcher.ts";
import { rowNamed } from "./names.ts";
import {
  type Action,
  type Content,
  type Expectation,
  type Fault,
  FAULTS,
  MODES,
  NEEDS,
  POLL_EVENTS,
  type Script,
  SIGNALS,
  type Statement,
  type Test,
} from "./statement.ts";
import { type Line, readLines, ScriptError, unquote } from "./words.ts";

const ERRNOS: ReadonlySet<string> = new Set(Object.values(ERRNO_NAMES));

/** What poll(2) may have said. */
const POLL_RESULTS = ["in", "out", "both", "error", "-", "*"];

/**
 * Reads a script.
 *
 * @param path what the file is called in errors
 * @throws {ScriptError} for the first line that is wrong
 */
export function parseScript(text: string, path: string): Script {
  const lines = readLines(text, path);
  const tests: Test[] = [];
  for (let at = 0; at < lines.length;) {
    const { words, number, indent, text: whole } = lines[at];
    const fail = (why: string): never => {
      throw new ScriptError(path, number, why);
    };
    if (indent > 0) fail("indented, but no test is above it");
    if (words[0] !== "test") fail(`"test NAME" is wanted, not ${words[0]}`);
    const name = whole.replace(/^test\s*/, "");
    if (!name) fail("a test has a name");
    if (tests.some((test) => test.name === name)) fail(`there is a test "${name}" already`);
    const end = blockEnd(lines, at);
    if (end === at + 1) fail("an empty test");
    tests.push({ name, line: number, body: parseBlock(lines.slice(at + 1, end), path) });
    at = end;
  }
  return { path, tests };
}

/** Where the block ends that belongs to a line. */
function blockEnd(lines: readonly Line[], at: number): number {
  let end = at + 1;
  while (end < lines.length && lines[end].indent > lines[at].indent) end++;
  return end;
}

function parseBlock(lines: readonly Line[], path: string): Statement[] {
  const statements: Statement[] = [];
  for (let at = 0; at < lines.length;) {
    const line = lines[at];
    const end = blockEnd(lines, at);
    try {
      if (line.indent !== lines[0].indent) {
        throw new Error("indented otherwise than the line above");
      }
      if (line.opensBlock) {
        if (line.words.join(" ") !== "fork") {
          throw new Error(`no block belongs to ${line.words[0]}`);
        }
        if (end === at + 1) throw new Error("an empty block");
        const body = parseBlock(lines.slice(at + 1, end), path);
        statements.push({ line: line.number, action: { do: "fork", body } });
      } else {
        if (end > at + 1) throw new Error("a block is under it, so it ends in a colon");
        statements.push(parseStatement(line));
      }
    } catch (error) {
      if (error instanceof ScriptError) throw error;
      throw new ScriptError(path, line.number, (error as Error).message);
    }
    at = end;
  }
  return statements;
}

/** The words of a statement, taken from the front. */
class Words {
  #at = 0;

  constructor(readonly words: readonly string[]) {}

  /** The next word, if there is one. */
  get next(): string | undefined {
    return this.words[this.#at];
  }

  take(what: string): string {
    const word = this.words[this.#at++];
    if (word === undefined) throw new Error(`${what} is wanted at the end`);
    return word;
  }

  takeIf(word: string): boolean {
    if (this.next !== word) return false;
    this.#at++;
    return true;
  }

  takeOne<T extends string>(what: string, choices: readonly T[]): T {
    const word = this.take(what);
    if (!(choices as readonly string[]).includes(word)) {
      throw new Error(`"${word}": ${what} is one of ${choices.join(", ")}`);
    }
    return word as T;
  }

  takeNumber(what: string): string {
    const word = this.take(what);
    evaluate(word, NO_SCOPE);
    return word;
  }

  takeDuration(what: string): string {
    const word = this.take(what);
    if (!parseDuration(word)) throw new Error(`"${word}": ${what} is a time such as 3f or 20ms`);
    return word;
  }

  takeName(what: string): string {
    const word = this.take(what);
    if (!/^[A-Za-z_]\w*$/.test(word)) throw new Error(`"${word}" is no name for ${what}`);
    return word;
  }

  end(): void {
    if (this.next !== undefined) throw new Error(`"${this.next}" is too much`);
  }
}

/** Takes `within T` and `after T` away from the end of some words. */
function takeTimes(words: string[]): { within?: string; after?: string } {
  const times: { within?: string; after?: string } = {};
  for (;;) {
    const word = words.at(-2);
    if (word !== "within" && word !== "after") return times;
    times[word] = new Words(words.splice(-2)).words[1];
    if (!parseDuration(times[word])) throw new Error(`"${times[word]}" is no time`);
  }
}

function parseStatement(line: Line): Statement {
  let words = [...line.words];
  let on: string | undefined;
  if (words.length > 1 && /^[A-Za-z_]\w*:$/.test(words[0])) on = words.shift()!.slice(0, -1);
  const arrow = words.indexOf("->");
  const right = arrow < 0 ? [] : words.slice(arrow + 1);
  if (arrow >= 0) words = words.slice(0, arrow);
  const times = { ...takeTimes(words), ...takeTimes(right) };
  if (arrow >= 0 && right.length === 0) throw new Error("an expectation is wanted after ->");
  const action = parseAction(new Words(words));
  const expected = arrow < 0 ? undefined : parseExpectation(action, right);
  return { line: line.number, on, action, expected, ...times };
}

function parseAction(words: Words): Action {
  const verb = words.take("a statement");
  const action = parseVerb(verb, words);
  words.end();
  return action;
}

function parseVerb(verb: string, words: Words): Action {
  switch (verb) {
    case "open": {
      const device = words.take("a device");
      const mode = words.takeOne("a mode", MODES);
      const nonblock = words.takeIf("nonblock");
      const excl = words.takeIf("excl");
      const as = words.takeIf("as") ? words.takeName("the descriptor") : undefined;
      return { do: "open", device, mode, nonblock, excl, as };
    }
    case "close":
    case "join":
      return { do: verb };
    case "dup":
      words.takeOne("what follows", ["as"]);
      return { do: "dup", as: words.takeName("the descriptor") };
    case "nonblock":
      return { do: "nonblock", on: words.takeOne("what follows", ["on", "off"]) === "on" };
    case "call": {
      const command = words.takeNumber("an ioctl's number");
      const bytes = words.next === undefined ? "" : words.take("its bytes");
      if (!/^(?:[\da-fA-F]{2})*$/.test(bytes)) throw new Error(`"${bytes}" are no bytes in hex`);
      return { do: "ioctl", command, bytes };
    }
    case "write":
      return { do: "write", ...takeSamples(words) };
    case "read":
      return { do: "read", length: words.takeNumber("a length") };
    case "poll": {
      const events = words.takeOne("what poll asks", POLL_EVENTS);
      return { do: "poll", events, timeout: words.takeDuration("a timeout") };
    }
    case "wait":
    case "at":
      return { do: verb, duration: words.takeDuration("how long") };
    case "mmap": {
      const length = words.takeNumber("a length");
      words.takeOne("what follows", ["as"]);
      return { do: "mmap", length, as: words.takeName("the mapping") };
    }
    case "munmap":
      return { do: "munmap", mapping: words.takeName("a mapping") };
    case "poke": {
      const mapping = words.takeName("a mapping");
      const offset = words.takeNumber("an offset");
      return { do: "poke", mapping, offset, ...takeSamples(words) };
    }
    case "peek":
      return {
        do: "peek",
        mapping: words.takeName("a mapping"),
        offset: words.takeNumber("an offset"),
        length: words.takeNumber("a length"),
      };
    case "kill":
      return { do: "kill", signal: words.takeOne("a signal", ["TERM", "KILL", "USR1"]) };
    case "needs": {
      const needs = [words.takeOne("what is needed", NEEDS)];
      while (words.next !== undefined) needs.push(words.takeOne("what is needed", NEEDS));
      return { do: "needs", needs };
    }
    case "fault":
      return takeFault(words);
    default:
      return takeCall(verb, words);
  }
}

/** Content and its length, as write and poke have them. */
function takeSamples(words: Words): { content: Content; length: string } {
  const file = words.next === undefined ? undefined : unquote(words.next);
  if (file === undefined) {
    const signal = words.takeOne("a signal", SIGNALS);
    return { content: { signal }, length: words.takeNumber("a length") };
  }
  words.take("a file");
  const first = words.takeNumber("a length");
  if (words.next === undefined) return { content: { file, offset: "0" }, length: first };
  return { content: { file, offset: first }, length: words.takeNumber("a length") };
}

function takeFault(words: Words): Action {
  const fault = words.takeOne("a fault", Object.keys(FAULTS) as Fault[]);
  switch (FAULTS[fault]) {
    case "nothing":
      return { do: "fault", fault };
    case "errno":
      return { do: "fault", fault, argument: takeErrno(words) };
    case "duration":
      return { do: "fault", fault, argument: words.takeDuration("how long") };
    case "count":
      return { do: "fault", fault, argument: words.takeNumber("how many frames") };
  }
}

function takeErrno(words: Words): string {
  const word = words.take("an errno");
  if (!ERRNOS.has(word)) throw new Error(`"${word}" is no errno`);
  return word;
}

function takeCall(name: string, words: Words): Action {
  if (!/^[A-Z][A-Z0-9_]*$/.test(name)) throw new Error(`"${name}": no such statement`);
  const { argument } = rowNamed(name);
  if (words.next === undefined) return { do: "call", name };
  if (argument === "none") throw new Error(`${name} takes nothing`);
  if (argument === "int") return { do: "call", name, value: words.takeNumber("an int") };
  const fields: Record<string, string> = {};
  while (words.next !== undefined) {
    const [field, value] = takeField(words.take("a field"), argument.$fields, argument.$name);
    if (unquote(value) === undefined) evaluate(value, NO_SCOPE);
    fields[field] = value;
  }
  return { do: "call", name, fields };
}

function takeField(word: string, names: readonly string[], struct: string): [string, string] {
  const equals = word.indexOf("=");
  if (equals < 0) throw new Error(`"${word}": FIELD=VALUE is wanted`);
  const name = word.slice(0, equals);
  if (!names.includes(name.replace(/\[\d+\]$/, ""))) {
    throw new Error(`${struct} has no ${name}: it has ${names.join(", ")}`);
  }
  return [name, word.slice(equals + 1)];
}

function parseExpectation(action: Action, right: readonly string[]): Expectation {
  const words = new Words(right);
  const { errnos, rest } = takeErrnos(words);
  const expected = { errnos, ...parseSuccess(action, words, rest) };
  words.end();
  return expected;
}

/** The errnos in the first word, and the alternatives that are none. */
function takeErrnos(words: Words): { errnos?: string[]; rest?: string } {
  const alternatives = words.next?.split("|") ?? [];
  const errnos = alternatives.filter((word) => ERRNOS.has(word));
  if (errnos.length === 0) return {};
  words.take("an errno");
  const others = alternatives.filter((word) => !ERRNOS.has(word));
  return { errnos, rest: others.length > 0 ? others.join("|") : undefined };
}

function parseSuccess(action: Action, words: Words, rest: string | undefined): Expectation {
  const matcher = (what: string): string => {
    const text = rest ?? words.take(what);
    rest = undefined;
    checkMatcher(text);
    return text;
  };
  const isThere = rest !== undefined || words.next !== undefined;
  if (!isThere) return {};
  switch (action.do) {
    case "poll":
      return { events: (rest ?? words.take("events")).split("|").map(pollResult).join("|") };
    case "peek":
      return { content: takeContent(words) };
    case "read": {
      if (rest === undefined && isContent(words.next!)) return { content: takeContent(words) };
      const value = matcher("a count");
      return words.next === undefined ? { value } : { value, content: takeContent(words) };
    }
    case "call": {
      const { argument } = rowNamed(action.name);
      if (typeof argument === "string") return { value: matcher("a value") };
      const fields: Record<string, string> = {};
      for (let word = rest; word !== undefined || words.next !== undefined; word = undefined) {
        const text = word ?? words.take("a field");
        if (text === "*") continue;
        const [field, wanted] = takeField(text, argument.$fields, argument.$name);
        checkMatcher(wanted);
        fields[field] = wanted;
      }
      return { fields };
    }
    default:
      return { value: matcher("a value") };
  }
}

function pollResult(word: string): string {
  if (POLL_RESULTS.includes(word)) return word;
  throw new Error(`"${word}": poll says one of ${POLL_RESULTS.join(", ")}`);
}

function isContent(word: string): boolean {
  return unquote(word) !== undefined || (SIGNALS as readonly string[]).includes(word);
}

function takeContent(words: Words): Content | "*" {
  if (words.takeIf("*")) return "*";
  const file = unquote(words.next ?? "");
  if (file === undefined) return { signal: words.takeOne("a signal", SIGNALS) };
  words.take("a file");
  return { file, offset: words.next === undefined ? "0" : words.takeNumber("an offset") };
}
