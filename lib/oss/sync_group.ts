// SYNCGROUP and SYNCSTART: streams that hold back until all of them start at one moment.

import { EBUSY, EINVAL, EPERM } from "../../ffi/libc.ts";
import type { Dsp } from "./dsp.ts";
import { PCM_ENABLE_INPUT, PCM_ENABLE_OUTPUT } from "./soundcard.ts";

/** A stream's part in a group. */
export interface SyncPart {
  /** The group's number, the same in all of its streams. */
  readonly id: number;
  /** What is to start: PCM_ENABLE_ flags. */
  readonly mode: number;
  /** Whether the stream has made the group, and so may start it. */
  readonly isMaster: boolean;
}

/**
 * Puts a stream into a group, or into a new one if `id` is 0. What it is to start is held back.
 *
 * @param mode PCM_ENABLE_ flags; those that it was not opened for count for nothing
 * @returns its part, or -errno
 */
export function joinSyncGroup(dsp: Dsp, id: number, mode: number): SyncPart | number {
  if (dsp.sync) return -EBUSY;
  const own = mode &
    ((dsp.plays ? PCM_ENABLE_OUTPUT : 0) | (dsp.capture ? PCM_ENABLE_INPUT : 0));
  if (own === 0 || (id !== 0 && !members(dsp, id).some(({ sync }) => sync!.isMaster))) {
    return -EINVAL;
  }
  dsp.sync = { id: id || freeId(dsp), mode: own, isMaster: id === 0 };
  dsp.holdBack((own & PCM_ENABLE_OUTPUT) !== 0, (own & PCM_ENABLE_INPUT) !== 0);
  return dsp.sync;
}

/**
 * Starts a group, which then is one no more. Only the stream that made it may.
 *
 * @returns 0 or -errno
 */
export function startSyncGroup(dsp: Dsp, id: number): number {
  if (!dsp.sync?.isMaster) return -EPERM;
  if (dsp.sync.id !== id) return -EINVAL;
  for (const member of members(dsp, id)) member.startInSync();
  return 0;
}

function members({ cards }: Dsp, id: number): Dsp[] {
  return [...cards.streams].map(({ dsp }) => dsp).filter(({ sync }) => sync?.id === id);
}

function freeId({ cards }: Dsp): number {
  const used = new Set([...cards.streams].map(({ dsp }) => dsp.sync?.id));
  let id = 1;
  while (used.has(id)) id++;
  return id;
}
