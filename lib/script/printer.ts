// From a script's tree to its text, one statement a line: what parser.ts reads.

import { type Content, type Expectation, FAULTS, type Statement, type Test } from "./statement.ts";
import { quote } from "./words.ts";

/** A test as text, with an end of line. */
export function printTest({ name, body }: Pick<Test, "name" | "body">): string {
  return [`test ${name}`, ...body.flatMap((statement) => printStatement(statement, "  "))]
    .map((line) => `${line}\n`).join("");
}

/**
 * A statement as lines without their ends: one, and those of its block.
 *
 * @param indent the blanks that each begins with
 */
export function printStatement(statement: Statement, indent = ""): string[] {
  const { on, action, expected, within, after } = statement;
  if (action.do === "fork") {
    const body = action.body.flatMap((inner) => printStatement(inner, `${indent}  `));
    return [`${indent}fork:`, ...body];
  }
  const words = [
    ...(on === undefined ? [] : [`${on}:`]),
    ...actionWords(statement),
    ...(expected ? ["->", ...expectationWords(expected)] : []),
    ...(within === undefined ? [] : ["within", within]),
    ...(after === undefined ? [] : ["after", after]),
  ];
  return [indent + words.join(" ")];
}

function actionWords({ action }: Statement): string[] {
  switch (action.do) {
    case "open":
      return [
        "open",
        action.device,
        action.mode,
        ...(action.nonblock ? ["nonblock"] : []),
        ...(action.excl ? ["excl"] : []),
        ...(action.as === undefined ? [] : ["as", action.as]),
      ];
    case "dup":
      return ["dup", "as", action.as];
    case "nonblock":
      return ["nonblock", action.on ? "on" : "off"];
    case "call":
      return [
        action.name,
        ...(action.value === undefined ? [] : [action.value]),
        ...fieldWords(action.fields),
      ];
    case "ioctl":
      return ["call", action.command, ...(action.bytes === "" ? [] : [action.bytes])];
    case "write":
      return ["write", ...contentWords(action.content, action.length)];
    case "read":
      return ["read", action.length];
    case "poll":
      return ["poll", action.events, action.timeout];
    case "wait":
    case "at":
      return [action.do, action.duration];
    case "mmap":
      return ["mmap", action.length, "as", action.as];
    case "munmap":
      return ["munmap", action.mapping];
    case "poke": {
      const { mapping, offset, content, length } = action;
      return ["poke", mapping, offset, ...contentWords(content, length)];
    }
    case "peek":
      return ["peek", action.mapping, action.offset, action.length];
    case "kill":
      return ["kill", action.signal];
    case "needs":
      return ["needs", ...action.needs];
    case "fault":
      return [
        "fault",
        action.fault,
        ...(FAULTS[action.fault] === "nothing" ? [] : [
          action.argument ?? "",
        ]),
      ];
    default:
      return [action.do];
  }
}

function contentWords(content: Content | "*", length?: string): string[] {
  const end = length === undefined ? [] : [length];
  if (content === "*") return ["*", ...end];
  if ("signal" in content) return [content.signal, ...end];
  return [quote(content.file), ...(content.offset === "0" ? [] : [content.offset]), ...end];
}

function fieldWords(fields: Readonly<Record<string, string>> = {}): string[] {
  return Object.entries(fields).map(([name, value]) => `${name}=${value}`);
}

function expectationWords({ errnos, value, fields, content, events }: Expectation): string[] {
  const first = value ?? events;
  // An expectation that names no field holds of every success.
  const named = fields && Object.keys(fields).length === 0 ? ["*"] : fieldWords(fields);
  const alternatives = [...(errnos ?? []), ...(first === undefined ? named.slice(0, 1) : [first])];
  return [
    ...(alternatives.length === 0 ? [] : [alternatives.join("|")]),
    ...(first === undefined ? named.slice(1) : named),
    ...(content ? contentWords(content) : []),
  ];
}
