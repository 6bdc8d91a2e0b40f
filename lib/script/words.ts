// A line of a script as its words: separated by blanks, a comment left away, quoted text kept whole.

/** A line that has a statement. */
export interface Line {
  /** Its number in the file, from 1 on. */
  readonly number: number;
  /** How many blanks it begins with. */
  readonly indent: number;
  /** Its words; quotes are still there. A colon at the end is not. */
  readonly words: readonly string[];
  /** Whether it ends in a colon: a block follows. */
  readonly opensBlock: boolean;
  /** What is written, without the indentation and without a comment. */
  readonly text: string;
}

/** A script that does not parse: `FILE:LINE: what`. */
export class ScriptError extends Error {
  override name = "ScriptError";

  constructor(readonly path: string, readonly line: number, readonly why: string) {
    super(`${path}:${line}: ${why}`);
  }
}

// Quoted text holds a quote or a backslash after a backslash.
const WORD = /(?:"(?:[^"\\]|\\.)*"|[^\s"])+|"/y;

/** Cuts a line into its words, up to a word that begins with #. */
function wordsOf(text: string): { words: string[]; end: number } {
  const words: string[] = [];
  let at = 0;
  let end = 0;
  for (;;) {
    while (text[at] === " ") at++;
    if (at >= text.length || text[at] === "#") return { words, end };
    WORD.lastIndex = at;
    const [word] = WORD.exec(text)!;
    words.push(word);
    at = end = at + word.length;
  }
}

/**
 * The lines of a script that have statements.
 *
 * @param path what errors call the file
 * @throws {ScriptError} for a tab or a quote without its end
 */
export function readLines(text: string, path: string): Line[] {
  const lines: Line[] = [];
  for (const [index, whole] of text.split("\n").entries()) {
    const number = index + 1;
    const trimmed = whole.trimEnd();
    if (trimmed.includes("\t")) throw new ScriptError(path, number, "a tab: blanks are wanted");
    const indent = trimmed.length - trimmed.trimStart().length;
    const content = trimmed.slice(indent);
    const { words, end } = wordsOf(content);
    if (words.length === 0) continue;
    if (words.some((word) => word === '"')) {
      throw new ScriptError(path, number, "a quote without its end");
    }
    const last = words.at(-1)!;
    const opensBlock = last.endsWith(":") && last.length > 1;
    if (opensBlock) words[words.length - 1] = last.slice(0, -1);
    lines.push({ number, indent, words, opensBlock, text: content.slice(0, end) });
  }
  return lines;
}

/** Text without the quotes around it; undefined for a word that is not quoted. */
export function unquote(word: string): string | undefined {
  if (!/^".*"$/s.test(word)) return undefined;
  return word.slice(1, -1).replaceAll(/\\(.)/g, "$1");
}

/** Text with quotes around it. */
export function quote(text: string): string {
  return `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
}
