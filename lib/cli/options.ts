// The options of a subcommand as a table, which the parser, the help text, the manual and the
// configuration file (config.ts) read.

import { parseArgs } from "@std/cli/parse-args";
import { EX_USAGE, Failure, usage } from "./failure.ts";

/** One option. */
export interface Option {
  /** Its name without the dashes: two, or one before a single letter. */
  readonly name: string;
  /** What its value is called in the help, e.g. "PATH"; undefined for an option without one. */
  readonly value?: string;
  /** The value when it is not given. */
  readonly default?: string;
  /** The only values that it takes. */
  readonly choices?: readonly string[];
  /** One line for the help. */
  readonly about: string;
  /** Whether each card of a configuration file has its own. */
  readonly perCard?: boolean;
  /** Whether it can only be given on the command line. */
  readonly onlyWords?: boolean;
  /** Not in the help: for the program's own use. */
  readonly hidden?: boolean;
}

/** A subcommand's place in the help. */
export interface Subcommand {
  readonly name: string;
  /** What follows the options, e.g. "[-- COMMAND ARG...]". */
  readonly operands: string;
  /** One line. */
  readonly about: string;
  /** Paragraphs that follow the options. */
  readonly notes?: string;
  readonly options: readonly Option[];
  /** Runs it; returns the exit status. */
  run(args: string[]): Promise<number> | number;
}

/** An option as it is given. */
function asGiven(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}

const HELP: Option = { name: "help", about: "print this" };

/** A parsed command line. */
export interface Parsed {
  /** Values by option name: defaults filled in, "true" for an option without a value. */
  readonly values: Readonly<Record<string, string | undefined>>;
  /** Those of them that were given, not filled in. */
  readonly given: Readonly<Record<string, string>>;
  /** Where those are that stand in a configuration file: "FILE:LINE". */
  readonly places: Readonly<Record<string, string>>;
  /** What is not an option, from the first such word on. */
  readonly operands: readonly string[];
}

/**
 * A value as it is given for an option.
 *
 * @throws {Error} if it is no choice, or empty where that means nothing
 */
export function checkValue({ value, choices }: Option, text: string, shown: string): string {
  if (text === "" && (choices || value !== "NAME")) throw new Error(`${shown} wants ${value}`);
  if (choices && !choices.includes(text)) {
    throw new Error(`${shown} ${text}: one of ${choices.join(", ")} is wanted`);
  }
  return text;
}

/** The values of options that are not given. */
export function defaultValues(options: readonly Option[]): Record<string, string | undefined> {
  return Object.fromEntries(options.map((option) => [option.name, option.default]));
}

/**
 * Parses a subcommand's words. Options end at the first word that is none, or after "--".
 *
 * @throws {Failure} for an unknown option, a missing value, or a value that is no choice
 */
export function parseOptions(command: Subcommand, args: string[]): Parsed {
  const options = [...command.options, HELP];
  const dashes = args.indexOf("--");
  const parsed = parseArgs(args, {
    string: options.filter((option) => option.value).map((option) => option.name),
    boolean: options.filter((option) => !option.value).map((option) => option.name),
    stopEarly: true,
    "--": true,
    unknown(word: string, key?: string) {
      // Only words before the operands can be options of ours.
      if (key !== undefined && (dashes < 0 || args.indexOf(word) < dashes)) {
        throw usage(command.name, `unknown option ${word}`);
      }
    },
  }) as Record<string, unknown>;
  const given: Record<string, string> = {};
  for (const option of options) {
    const { name } = option;
    const values = [parsed[name] ?? []].flat();
    if (!option.value) {
      if (values.at(-1) === true) given[name] = "true";
    } else if (values.length > 0) {
      try {
        given[name] = checkValue(option, values.at(-1) as string, asGiven(name));
      } catch (error) {
        throw usage(command.name, (error as Error).message);
      }
    }
  }
  // They are the end of the command line as it stands, a "--" among them included.
  const words = parsed._ as unknown[];
  const rest = parsed["--"] as unknown[];
  const dashed = dashes >= 0 && words.length > 0 ? 1 : 0;
  const operands = args.slice(args.length - words.length - rest.length - dashed);
  const values = { ...defaultValues(options), ...given };
  return { values, given, places: {}, operands };
}

/** How a value is written where it was given, e.g. "--rate 8000". */
export function shownValue({ values, places }: Parsed, name: string): string {
  return `${name in places ? name : asGiven(name)} ${values[name]}`;
}

/** The value of an option makes no sense: said with where it was given. */
export function wrongValue(
  command: Subcommand,
  { places }: Parsed,
  name: string,
  why: string,
): Failure {
  const place = places[name];
  return place === undefined ? usage(command.name, why) : new Failure(EX_USAGE, `${place}: ${why}`);
}

/** The value of an option as a whole number between `least` and `most`. */
export function wholeNumber(
  command: Subcommand,
  parsed: Parsed,
  name: string,
  least: number,
  most: number,
): number {
  const text = parsed.values[name]!;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  const why = `${shownValue(parsed, name)}: a whole number from ${least} to ${most} is wanted`;
  throw wrongValue(command, parsed, name, why);
}

const HELP_COLUMNS = 100;

/** Breaks a text into lines of at most `columns` characters where it has spaces. */
function wrap(text: string, columns: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1)!;
    if (line === "") lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= columns) lines[lines.length - 1] += ` ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** What the help says of an option: its line, its choices, its default. */
function optionAbout({ about, choices, default: preset }: Option): string {
  const what = choices ? `${about}: ${choices.join(", ")}` : about;
  return preset ? `${what} [${preset}]` : what;
}

/** The help text of a subcommand. */
export function helpText(command: Subcommand): string {
  const shown = [...command.options, HELP].filter((option) => !option.hidden);
  const left = shown.map(({ name, value }) => `  ${asGiven(name)}${value ? ` ${value}` : ""}`);
  const indent = Math.max(...left.map((text) => text.length)) + 2;
  const lines = shown.flatMap((option, i) =>
    wrap(optionAbout(option), HELP_COLUMNS - indent)
      .map((line, k) => (k === 0 ? left[i] : "").padEnd(indent) + line)
  );
  return [
    `Usage: ossp ${command.name} [OPTION...] ${command.operands}`,
    "",
    ...wrap(command.about, HELP_COLUMNS),
    "",
    ...lines,
    ...(command.notes ? ["", ...wrap(command.notes, HELP_COLUMNS)] : []),
  ].join("\n");
}
