// parseArgs: a command line's words sorted into options and the rest.

/** A name, or several. */
type Names<N extends string> = N | readonly N[];

/** Other names of an option, by its name. */
type Aliases = Readonly<Record<string, string | readonly string[]>>;

/** How {@linkcode parseArgs} reads the words. */
export interface ParseOptions<
  Bool extends string | boolean = string | boolean,
  Text extends string = string,
  Collect extends string = string,
  Negatable extends string = string,
  Default extends Record<string, unknown> = Record<string, unknown>,
  Alias extends Aliases = Aliases,
  DoubleDash extends boolean = boolean,
> {
  /** Whether the words after a `--` go to the result's `--` instead of its `_`. */
  "--"?: DoubleDash;
  /** Other names of options; the result holds the value under every name. */
  alias?: Alias;
  /**
   * Options that take no value and are false when absent (`--name=false` and `--name false` are
   * read all the same). True: every option written `--name` without a `=`.
   */
  boolean?: Bool | readonly Extract<Bool, string>[];
  /**
   * Options whose values are gathered in an array. When absent it is empty if the option is declared
   * a boolean or string too, and missing if not.
   */
  collect?: Names<Collect>;
  /** Values of absent options. */
  default?: Default;
  /** Options that `--no-name` sets to false. */
  negatable?: Names<Negatable>;
  /** Whether everything from the first word that is no option on goes to `_`. */
  stopEarly?: boolean;
  /** Options whose values stay text even if they look like numbers; `_` for the other words. */
  string?: Names<Text>;
  /**
   * Called for each option not named in these options, and for each other word (then without key and
   * value). The word is dropped if it returns false.
   */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** The result: values by option name, the other words in `_`, those after `--` in `--`. */
export type Args<
  Options extends object = Record<string, unknown>,
  DoubleDash extends boolean = false,
> =
  & Record<string, unknown>
  & Options
  & { _: (string | number)[] }
  & (DoubleDash extends true ? { "--": string[] } : unknown);

/** The names that are keys of an option in the result: no path, not `_`, not just any text. */
type Key<N> = N extends string
  ? string extends N ? never : N extends `${string}.${string}` | "_" ? never : N
  : never;

/** An option's value, its default aside. */
type Value<N, Bool, Text, Collect, Negatable> =
  | (N extends Collect ? (N extends Bool ? boolean : N extends Text ? string : unknown)[]
    : N extends Bool ? boolean
    : string)
  | (N extends Negatable ? false : never);

/** The options named, typed: text is absent unless it is collected or has a default. */
type Options<
  Bool,
  Text extends string,
  Collect extends string,
  Negatable,
  Default,
> =
  & {
    [N in Key<Bool | Collect | (Text & keyof Default)>]:
      | Value<N, Bool, Text, Collect, Negatable>
      | (N extends keyof Default ? Default[N] : never);
  }
  & {
    [N in Key<Exclude<Text, Bool | Collect | keyof Default>>]?: Value<
      N,
      Bool,
      Text,
      Collect,
      Negatable
    >;
  };

/** Every option with its aliases, which have its type. */
type WithAliases<Named, Alias> = {
  [
    N in keyof Named as
      | N
      | (N extends keyof Alias ? Alias[N] extends readonly (infer Other extends string)[] ? Other
        : Extract<Alias[N], string>
        : never)
  ]: Named[N];
};

/** What the options say of one option, under all its names. */
interface Option {
  names: Set<string>;
  boolean: boolean;
  text: boolean;
  collect: boolean;
  negatable: boolean;
}

type Scalar = string | number | boolean;

/** `--name`, `--no-name`, `--name=value`. */
const LONG = /^--(?<no>no-)?(?<name>.[^=]*)(?:=(?<value>.*))?$/s;

/** The tail of `-nTAIL` that is a number, then the value of n. */
const NUMBER_AT_END = /-?\d+(?:\.\d*)?(?:e-?\d+)?$/;

/**
 * Sorts `args` into options and the rest.
 *
 * `--name value`, `--name=value` and `-n value` give an option a value, `-n5` and `-n=value` too;
 * without a value it is true, or "" where it is declared as a string. In `-abc` only c can take the
 * next word. A value that looks like a number becomes one unless the option is declared a string.
 * A dot in a name makes an object: `--a.b 1` gives `{ a: { b: 1 } }`. Of an option that comes several
 * times the last one counts, unless it is collected. Words after `--` are never options.
 *
 * @throws {TypeError} if an alias is undefined.
 *
 * @example
 * ```ts
 * import { parseArgs } from "@std/cli/parse-args";
 *
 * const args = parseArgs(["--rate=48000", "-v", "tune.wav"], {
 *   string: ["rate"],
 *   boolean: ["verbose"],
 *   alias: { verbose: "v" },
 * });
 * // { rate: "48000", verbose: true, v: true, _: ["tune.wav"] }
 * ```
 */
export function parseArgs<
  Bool extends string | boolean = never,
  Text extends string = never,
  Collect extends string = never,
  Negatable extends string = never,
  Default extends Record<string, unknown> = Record<never, unknown>,
  const Alias extends Aliases = Record<never, string>,
  DoubleDash extends boolean = false,
>(
  args: readonly string[],
  options: ParseOptions<Bool, Text, Collect, Negatable, Default, Alias, DoubleDash> = {},
): Args<
  WithAliases<Options<Bool, Text, Collect, Negatable, Default>, Alias>,
  DoubleDash
> {
  const parser = new Parser(options);
  parser.read(args);
  parser.fillIn();
  return parser.result as ReturnType<
    typeof parseArgs<Bool, Text, Collect, Negatable, Default, Alias, DoubleDash>
  >;
}

class Parser {
  readonly result: Record<string, unknown> & { _: (string | number)[] } = { _: [] };
  readonly #given: ParseOptions;
  readonly #options = new Map<string, Option>();

  constructor(given: ParseOptions) {
    this.#given = given;
    for (const [name, others] of Object.entries(given.alias ?? {})) {
      if (others === undefined) throw new TypeError("Alias value must be defined");
      const option = this.#declare(name);
      for (const other of [others].flat()) {
        option.names.add(other);
        this.#options.set(other, option);
      }
    }
    for (const name of list(given.boolean)) this.#declare(name).boolean = true;
    for (const name of list(given.string)) this.#declare(name).text = true;
    for (const name of list(given.collect)) this.#declare(name).collect = true;
    for (const name of list(given.negatable)) this.#declare(name).negatable = true;
  }

  read(args: readonly string[]) {
    const end = args.indexOf("--");
    const words = end < 0 ? args : args.slice(0, end);
    for (let i = 0; i < words.length; i++) {
      const word = words[i];
      if (word.startsWith("--")) {
        if (this.#readLong(word, words[i + 1])) i++;
      } else if (word.startsWith("-") && word !== "-") {
        if (this.#readShort(word, words[i + 1])) i++;
      } else {
        this.#readOther(word);
        if (this.#given.stopEarly) {
          this.result._.push(...words.slice(i + 1));
          break;
        }
      }
    }
    const rest = end < 0 ? [] : args.slice(end + 1);
    if (this.#given["--"]) this.result["--"] = rest;
    else this.result._.push(...rest);
  }

  /** Gives absent options their defaults. */
  fillIn() {
    for (const [name, value] of Object.entries(this.#given.default ?? {})) {
      if (!hasPath(this.result, name)) this.#assign(name, value, false);
    }
    for (const [name, { boolean, text, collect }] of this.#options) {
      if (hasPath(this.result, name)) continue;
      if (collect && (boolean || text)) setPath(this.result, name, [], false);
      else if (boolean) setPath(this.result, name, false, false);
    }
  }

  #declare(name: string): Option {
    let option = this.#options.get(name);
    if (!option) {
      const names = new Set([name]);
      option = { names, boolean: false, text: false, collect: false, negatable: false };
      this.#options.set(name, option);
    }
    return option;
  }

  /** Whether `next` was the value. */
  #readLong(word: string, next: string | undefined): boolean {
    const { no = "", name: stem, value } = LONG.exec(word)!.groups!;
    const stemOption = this.#options.get(stem);
    if (value !== undefined) {
      this.#set(stem, stemOption?.boolean ? value !== "false" : value, word);
      return false;
    }
    if (no && stemOption?.negatable) {
      this.#set(stem, false, word, false);
      return false;
    }
    const name = no + stem;
    const takesValue = !this.#options.get(name)?.boolean && this.#given.boolean !== true;
    return this.#setFromNext(name, word, next, takesValue && !next?.startsWith("-"));
  }

  /** Whether `next` was the value. */
  #readShort(word: string, next: string | undefined): boolean {
    for (let i = 1; i < word.length - 1; i++) {
      const name = word[i];
      const tail = word.slice(i + 1);
      const value = attachedValue(name, tail);
      this.#set(name, value ?? this.#bare(name), word);
      if (value !== undefined && tail !== "-") return false;
    }
    const name = word.at(-1)!;
    if (name === "-") return false;
    const takesValue = !this.#options.get(name)?.boolean;
    return this.#setFromNext(name, word, next, takesValue && !/^--?[^-]/.test(next ?? ""));
  }

  /** Sets the option from the next word if it takes a value or that is a boolean's name. */
  #setFromNext(name: string, word: string, next: string | undefined, takesValue: boolean): boolean {
    const isValue = Boolean(next) && (takesValue || next === "true" || next === "false");
    const value = !isValue ? this.#bare(name) : takesValue ? next! : next !== "false";
    this.#set(name, value, word);
    return isValue;
  }

  /** The value of an option that has none. */
  #bare(name: string): Scalar {
    return this.#options.get(name)?.text ? "" : true;
  }

  #readOther(word: string) {
    if (this.#given.unknown?.(word) === false) return;
    this.result._.push(this.#options.get("_")?.text ? word : numberOr(word));
  }

  #set(name: string, value: Scalar, word: string, collect = true) {
    const option = this.#options.get(name);
    const known = option && (option.boolean || option.text || option.collect ||
      option.names.size > 1);
    const allBoolean = this.#given.boolean === true && /^--[^=]+$/.test(word);
    if (!known && !allBoolean && this.#given.unknown?.(word, name, value) === false) return;
    const typed = typeof value === "string" && !option?.text ? numberOr(value) : value;
    this.#assign(name, typed, collect && option?.collect === true);
  }

  #assign(name: string, value: unknown, collect: boolean) {
    for (const each of this.#options.get(name)?.names ?? [name]) {
      setPath(this.result, each, value, collect);
    }
  }
}

function list(names: Names<string> | boolean | undefined): readonly string[] {
  return names && names !== true ? [names].flat() : [];
}

/** The value in `-nTAIL`, if the tail is one and not more option letters. */
function attachedValue(name: string, tail: string): string | undefined {
  const isLetter = /[A-Za-z]/.test(name);
  if (tail === "-") return tail;
  if (tail === "=") return "";
  const [, value] = /=(.+)/.exec(tail) ?? [];
  if (isLetter && value !== undefined) return value;
  if (isLetter && NUMBER_AT_END.test(tail)) return tail;
  return tail.length > 1 && /^\W/.test(tail) ? tail : undefined;
}

function numberOr(text: string): string | number {
  const number = Number(text);
  return text.trim() !== "" && Number.isFinite(number) ? number : text;
}

/** A name that must not be followed into an object: it leads to what all objects share. */
function isShared(object: Record<string, unknown>, name: string): boolean {
  return name === "__proto__" || (name === "constructor" && typeof object[name] === "function");
}

function setPath(object: Record<string, unknown>, path: string, value: unknown, collect: boolean) {
  const names = path.split(".");
  const last = names.pop()!;
  for (const name of names) {
    if (isShared(object, name)) return;
    object = (object[name] ??= {}) as Record<string, unknown>;
  }
  if (isShared(object, last)) return;
  const present = object[last];
  if (!collect) object[last] = value;
  else if (Array.isArray(present)) present.push(value);
  else object[last] = present ? [present, value] : [value];
}

function hasPath(object: Record<string, unknown>, path: string): boolean {
  return path.split(".").every((name) => {
    if (!Object.hasOwn(object, name)) return false;
    object = object[name] as Record<string, unknown>;
    return true;
  });
}
