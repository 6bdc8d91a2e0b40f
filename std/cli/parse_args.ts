// Stands in for jsr:@std/cli/parse-args where JSR cannot be reached: the options of parseArgs that
// this project uses, on top of node:util's parseArgs.

import { parseArgs as nodeParseArgs } from "node:util";

/** How the words are read. */
export interface ParseOptions {
  /** Options without a value: false when absent. */
  boolean?: readonly string[];
  /** Options with a value that is kept as text: undefined when absent. */
  string?: readonly string[];
  /** Whether the first word that is no option, and all after it, go to `_` as they are. */
  stopEarly?: boolean;
  /** Whether what follows a "--" goes to the result's "--" and not to `_`. */
  "--"?: boolean;
  /** Called for each option that is not named here. */
  unknown?: (word: string, key?: string, value?: unknown) => unknown;
}

/** Values by name, the other words in `_`, and what follows a "--" in "--". */
export type Args = Record<string, unknown> & { _: string[]; "--"?: string[] };

/** Sorts a command line's words into options and the rest; of an option given twice the last counts. */
export function parseArgs(args: string[], options: ParseOptions = {}): Args {
  const named = [...options.boolean ?? []].map((name) => [name, { type: "boolean" as const }]);
  const valued = [...options.string ?? []].map((name) => [name, { type: "string" as const }]);
  const { tokens } = nodeParseArgs({
    args,
    options: Object.fromEntries([...named, ...valued]),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const result: Args = { _: [] };
  for (const name of options.boolean ?? []) result[name] = false;
  for (const token of tokens) {
    if (token.kind === "option-terminator") {
      const rest = args.slice(token.index + 1);
      if (options["--"]) result["--"] = rest;
      else result._.push(...rest);
      break;
    }
    if (token.kind === "positional") {
      result._.push(token.value);
      if (!options.stopEarly) continue;
      const rest = args.slice(token.index + 1);
      const end = options["--"] ? rest.indexOf("--") : -1;
      result._.push(...(end < 0 ? rest : rest.slice(0, end)));
      if (end >= 0) result["--"] = rest.slice(end + 1);
      break;
    }
    const { name, rawName, value } = token;
    if (options.boolean?.includes(name)) result[name] = value !== "false";
    else if (options.string?.includes(name)) result[name] = value ?? "";
    else options.unknown?.(rawName, name, value ?? true);
  }
  if (options["--"]) result["--"] ??= [];
  return result;
}
