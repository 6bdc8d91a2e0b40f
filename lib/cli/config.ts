// The configuration file: lines of an option and its value, by the names of the command line's long
// options, and a section for each further card. The command line goes over it.

import { EX_USAGE, Failure, unavailable } from "./failure.ts";
import { checkValue, type Option, type Parsed, type Subcommand } from "./options.ts";

/** The file of a machine's daemon, which is read where it exists. */
export const SYSTEM_CONFIG = "/etc/ossp.conf";

/** What is said of one card, and by the first of all of them. */
export interface CardOptions extends Parsed {
  /** The card's name. */
  readonly card: string;
}

/** Lines that belong together. */
interface Section {
  /** What follows "card" in its header. */
  readonly title: string;
  readonly given: Record<string, string>;
  readonly places: Record<string, string>;
}

// What OSS numbers a card's devices by: 16 minors each.
const MINORS_PER_CARD = 16;

/**
 * Parses the text of a configuration file: what stands above the first section, and the sections.
 *
 * @throws {Failure} that says FILE:LINE and what is wrong there
 */
export function parseConfig(text: string, path: string, command: Subcommand): Section[] {
  const options = new Map(
    command.options.filter(({ hidden, onlyWords }) => !hidden && !onlyWords)
      .map((option) => [option.name, option]),
  );
  const sections: Section[] = [{ title: "", given: {}, places: {} }];
  for (const [i, line] of text.split("\n").entries()) {
    const words = line.replace(/(^|\s)#.*/, "").trim();
    if (words === "") continue;
    const place = `${path}:${i + 1}`;
    try {
      const header = words.match(/^\[\s*card(?:\s+([^\]]*?))?\s*\]$/);
      if (header) sections.push({ title: header[1] ?? "", given: {}, places: {} });
      else addLine(words, options, sections, place);
    } catch (error) {
      throw new Failure(EX_USAGE, `${place}: ${(error as Error).message}`);
    }
  }
  return sections;
}

function addLine(
  words: string,
  options: ReadonlyMap<string, Option>,
  sections: readonly Section[],
  place: string,
): void {
  if (words.startsWith("[")) throw new Error(`${words}: [card] or [card NAME] is wanted`);
  const [, name, value] = words.match(/^(\S+)\s*(.*)$/)!;
  const option = options.get(name);
  if (!option) throw new Error(`unknown option ${name}`);
  if (sections.length > 1 && !option.perCard) {
    throw new Error(`${name} is not an option of a card: it must stand above the first [card]`);
  }
  if (!option.value && value !== "") throw new Error(`${name} takes no value`);
  const { given, places } = sections.at(-1)!;
  given[name] = option.value ? checkValue(option, value, name) : "true";
  places[name] = place;
}

/** The default of a further card's option: OSS appends the card's number to the devices' names. */
function defaultOf(option: Option, card: number): string | undefined {
  const { name, value, default: preset } = option;
  if (preset === undefined) return undefined;
  if (value === "NAME") return `${preset}${card}`;
  return name.endsWith("-minor") ? String(Number(preset) + MINORS_PER_CARD * card) : preset;
}

/**
 * Lays a command line over its configuration file, if it has one.
 *
 * @param preset the file that is read where it exists and no other is named
 * @returns the cards; the first has what is said of all of them too
 * @throws {Failure} if there is no such file, or something is wrong in it
 */
export function withConfig(
  command: Subcommand,
  words: Parsed,
  preset: string | undefined,
): [CardOptions, ...CardOptions[]] {
  const path = words.values.config ?? (preset && exists(preset) ? preset : undefined);
  const [main, ...further] = path === undefined
    ? [{ title: "", given: {}, places: {} }]
    : parseConfig(readConfig(path), path, command);
  const isOver = (name: string) => name in words.given;
  const first: CardOptions = {
    ...words,
    card: "ossp",
    values: { ...words.values, ...main.given, ...words.given },
    given: { ...main.given, ...words.given },
    places: Object.fromEntries(Object.entries(main.places).filter(([name]) => !isOver(name))),
  };
  const ofCards = command.options.filter(({ perCard }) => perCard);
  const cards = further.map(({ title, given, places }, i): CardOptions => {
    const number = i + 1;
    const own = Object.fromEntries(
      ofCards.map((option) => [option.name, defaultOf(option, number)]),
    );
    return {
      operands: [],
      card: title || `ossp${number}`,
      values: { ...first.values, ...own, ...given },
      given,
      places,
    };
  });
  return [first, ...cards];
}

function readConfig(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw unavailable(path, (error as Error).message, "name another file with --config");
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
