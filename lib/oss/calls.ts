// Every ioctl that a dsp or a mixer answers, by its number: the dispatcher, the tracer and the tests
// read these tables.

import { EINVAL, ENOTTY } from "../../ffi/libc.ts";
import type { Call } from "./call.ts";
import type { Dsp } from "./dsp.ts";
import { DSP_ROWS } from "./dsp_calls.ts";
import { type HasMixer, MIXER_ROWS } from "./mixer_calls.ts";
import { ioctlGroup } from "./soundcard.ts";

function table<T>(...rows: readonly Call<T>[]): ReadonlyMap<number, Call<T>> {
  return new Map(rows.map((row) => [row.command, row]));
}

/** The calls of /dev/dsp and /dev/adsp by ioctl number. */
export const DSP_CALLS: ReadonlyMap<number, Call<Dsp>> = table<Dsp>(...DSP_ROWS, ...MIXER_ROWS);

/** The calls of /dev/mixer by ioctl number. */
export const MIXER_CALLS: ReadonlyMap<number, Call<HasMixer>> = table(...MIXER_ROWS);

/** Finds a call by its name in soundcard.h; where there are variants, the usual one. */
export function callNamed<T>(
  calls: ReadonlyMap<number, Call<T>>,
  name: string,
): Call<T> | undefined {
  for (const call of calls.values()) if (call.name === name && !call.variant) return call;
}

/** The errno for a call that no table has: EINVAL for OSS's groups, as the kernel's OSS answers. */
export function unknownCall(command: number): number {
  return "PMXQTC".includes(ioctlGroup(command)) && command > 0xffff ? EINVAL : ENOTTY;
}
