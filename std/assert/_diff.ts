// The difference of two values, line by line, as a failed assertion shows it.

import { format } from "./_message.ts";

type Sign = " " | "-" | "+";
type Line = readonly [Sign, string];

/** The most cells of a table of common subsequences that are worth their time. */
const MAX_CELLS = 4_000_000;

/** Equal lines shown before and after a change. */
const CONTEXT_LINES = 5;

/** Lines shown at all: a buffer of samples has too many to print. */
const MAX_LINES = 400;

/**
 * The lines of both values: `-` only in `actual`, `+` only in `expected`; in colour unless NO_COLOR
 * is set. Equal lines far from a change are left out.
 */
export function diff(actual: unknown, expected: unknown): string {
  const bothText = typeof actual === "string" && typeof expected === "string";
  const show = (value: unknown) => bothText ? value as string : format(value);
  const lines = withoutFarLines(compare(show(actual).split("\n"), show(expected).split("\n")));
  const shown = lines.slice(0, MAX_LINES).map(([sign, line]) => colour(sign, `${sign}   ${line}`));
  if (lines.length > MAX_LINES) shown.push(`    ... ${lines.length - MAX_LINES} more lines`);
  const heading = `    ${Deno.noColor ? "[Diff]" : "\x1b[90m\x1b[1m[Diff]\x1b[22m\x1b[39m"} ${
    colour("-", "Actual")
  } / ${colour("+", "Expected")}`;
  return `\n\n${heading}\n\n\n${shown.join("\n")}\n`;
}

function colour(sign: Sign, text: string): string {
  if (Deno.noColor || sign === " ") return text;
  return `\x1b[${sign === "-" ? 31 : 32}m\x1b[1m${text}\x1b[22m\x1b[39m`;
}

function compare(a: string[], b: string[]): Line[] {
  const shorter = Math.min(a.length, b.length);
  let head = 0;
  while (head < shorter && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < shorter - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++;
  return [
    ...signed(" ", a.slice(0, head)),
    ...compareMiddle(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
    ...signed(" ", a.slice(a.length - tail)),
  ];
}

function signed(sign: Sign, lines: string[]): Line[] {
  return lines.map((line) => [sign, line]);
}

/** Follows a longest common subsequence; past MAX_CELLS all of `a` goes and all of `b` comes. */
function compareMiddle(a: string[], b: string[]): Line[] {
  const width = b.length + 1;
  if ((a.length + 1) * width > MAX_CELLS) return [...signed("-", a), ...signed("+", b)];
  // length[i * width + j] is that of the subsequence common to a from i on and b from j on.
  const length = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const at = i * width + j;
      length[at] = a[i] === b[j]
        ? length[at + width + 1] + 1
        : Math.max(length[at + width], length[at + 1]);
    }
  }
  const lines: Line[] = [];
  let i = 0, j = 0;
  while (i < a.length && j < b.length) {
    const at = i * width + j;
    if (a[i] === b[j]) {
      lines.push([" ", a[i++]]);
      j++;
    } else if (length[at + width] >= length[at + 1]) {
      lines.push(["-", a[i++]]);
    } else {
      lines.push(["+", b[j++]]);
    }
  }
  return [...lines, ...signed("-", a.slice(i)), ...signed("+", b.slice(j))];
}

function withoutFarLines(lines: Line[]): Line[] {
  const near = new Uint8Array(lines.length);
  lines.forEach(([sign], i) => {
    if (sign !== " ") near.fill(1, Math.max(0, i - CONTEXT_LINES), i + CONTEXT_LINES + 1);
  });
  const kept: Line[] = [];
  let left = 0;
  const mark = () => {
    if (left > 0) kept.push([" ", `... ${left} equal lines`]);
    left = 0;
  };
  lines.forEach((line, i) => {
    if (near[i]) {
      mark();
      kept.push(line);
    } else left++;
  });
  mark();
  return kept;
}
