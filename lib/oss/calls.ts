// Every ioctl that a dsp or a mixer answers, by its number: the dispatcher, the tracer and the tests
// read these tables.

import { EINVAL, EIO, ENXIO } from "../../ffi/libc.ts";
import type { Call } from "./call.ts";
import type { Dsp } from "./dsp.ts";
import { DSP_ROWS } from "./dsp_calls.ts";
import { DSP_ROWS_4 } from "./dsp_calls4.ts";
import { INFO_ROWS } from "./info_calls.ts";
import { DSP_VOLUME_ROWS, type HasMixer, MIXER_ROWS } from "./mixer_calls.ts";
import { MIXER_EXTENSION_ROWS } from "./mixer_extension_calls.ts";
import { ioctlGroup } from "./soundcard.ts";

function table<T>(...rows: readonly Call<T>[]): ReadonlyMap<number, Call<T>> {
  return new Map(rows.map((row) => [row.command, row]));
}

/** The calls of /dev/dsp and /dev/adsp by ioctl number. */
export const DSP_CALLS: ReadonlyMap<number, Call<Dsp>> = table<Dsp>(
  ...DSP_ROWS,
  ...DSP_ROWS_4,
  ...DSP_VOLUME_ROWS,
  ...INFO_ROWS,
  ...MIXER_ROWS,
  ...MIXER_EXTENSION_ROWS,
);

/** The calls of /dev/mixer by ioctl number. */
export const MIXER_CALLS: ReadonlyMap<number, Call<HasMixer>> = table<HasMixer>(
  ...INFO_ROWS,
  ...MIXER_ROWS,
  ...MIXER_EXTENSION_ROWS,
);

/** Finds a call by its name in soundcard.h; where there are variants, the usual one. */
export function callNamed<T>(
  calls: ReadonlyMap<number, Call<T>>,
  name: string,
): Call<T> | undefined {
  for (const call of calls.values()) if (call.name === name && !call.variant) return call;
}

/**
 * The errno for a call that no table has, as the kernel's OSS answers: EINVAL, but for a mixer EIO if it
 * has an argument, which is taken for a level, and ENXIO if it has none. A dsp hands a mixer's calls on.
 */
export function unknownCall(device: "dsp" | "mixer", command: number): number {
  if (device === "dsp" && ioctlGroup(command) !== "M") return EINVAL;
  return command >= 0x40000000 ? EIO : ENXIO;
}
