// The calls of the OSS API and the values of their arguments by the names that scripts use: a row's
// name, whole or without its prefix.

import type { Call } from "../oss/call.ts";
import { DSP_CALLS, MIXER_CALLS } from "../oss/calls.ts";

/** What a script needs of a row. */
export type Row = Pick<
  Call<never>,
  "name" | "command" | "argument" | "values" | "timed" | "variant"
>;

const ROWS: readonly Row[] = [
  ...new Map<number, Row>([...MIXER_CALLS, ...DSP_CALLS]).values(),
];

const PREFIXES = [
  "SNDCTL_DSP_",
  "SOUND_MIXER_",
  "SOUND_PCM_",
  "SNDCTL_MIX_",
  "SNDCTL_",
  "SOUND_",
  "OSS_",
];

// Of those with the same name, the one that programs get which are compiled today.
const BY_NAME = new Map(ROWS.filter((row) => !row.variant).map((row) => [row.name, row]));
const BY_COMMAND = new Map(ROWS.map((row) => [row.command, row]));

const VALUES: ReadonlyMap<string, number> = new Map(
  ROWS.flatMap(({ values }) => values && "names" in values ? Object.entries(values.names) : []),
);

/** The value that has this name in soundcard.h, if any call has a use for it. */
export function valueNamed(name: string): number | undefined {
  return VALUES.get(name);
}

/** All rows of the tables, one a name. */
export function allRows(): readonly Row[] {
  return [...BY_NAME.values()];
}

/** The row of an ioctl number. */
export function rowOf(command: number): Row | undefined {
  return BY_COMMAND.get(command);
}

/**
 * The row of a name.
 *
 * @throws {Error} if no row has it, or several have without their prefixes
 */
export function rowNamed(name: string): Row {
  const whole = BY_NAME.get(name);
  if (whole) return whole;
  const rows = PREFIXES.flatMap((prefix) => BY_NAME.get(prefix + name) ?? []);
  if (rows.length === 1) return rows[0];
  if (rows.length === 0) throw new Error(`no call ${name}`);
  throw new Error(`${name} may be ${rows.map((row) => row.name).join(" or ")}`);
}

/** A row's name as short as it can be without becoming that of another. */
export function shortName(row: Row): string {
  for (const prefix of PREFIXES) {
    if (!row.name.startsWith(prefix)) continue;
    const short = row.name.slice(prefix.length);
    if (!/^[A-Z]/.test(short)) continue; // 3DSE
    const rows = PREFIXES.filter((other) => BY_NAME.has(other + short));
    if (rows.length === 1 && !BY_NAME.has(short)) return short;
  }
  return row.name;
}
