// The file that `deno test --junit-path` writes, as far as a program needs it: which tests and steps
// there were and how they ended.

/** One test, or one step of one. */
export interface TestResult {
  /** A step's name follows its test's: `test > step`. */
  readonly name: string;
  readonly outcome: "passed" | "failed" | "ignored";
  /** Why it failed, as the reporter wrote it; empty for what did not, and for a test whose process
   * died under it or whose module threw outside a test. */
  readonly text: string;
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
};

function unescape(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (name) return ENTITIES[name] ?? whole;
    return String.fromCodePoint(hex ? parseInt(hex, 16) : Number(decimal));
  });
}

/** Reads the results in the file's order. Text that is not such a file has none. */
export function parseJunit(xml: string): TestResult[] {
  const cases = xml.matchAll(/<testcase name="([^"]*)"[^>]*?(?:\/>|>([^]*?)<\/testcase>)/g);
  return Array.from(cases, ([, name, body = ""]) => {
    const [, element, text] =
      body.match(/<(failure|error|skipped)\b[^>]*?(?:\/>|>([^]*?)<\/\1>)/) ?? [];
    const outcome = element === undefined ? "passed" : element === "skipped" ? "ignored" : "failed";
    return { name: unescape(name), outcome, text: unescape(text ?? "") };
  });
}
