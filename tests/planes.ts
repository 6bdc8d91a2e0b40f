// Programs whose mixed sound can be told apart again: program i has bit i of every sample to itself,
// so a sum of them has no carries, and each bit plane of the mix is one program's sound.

import { noise, type Program, type Sound, type Take, writeWav } from "./programs.ts";

/** S16 in stereo at 48 kHz, as ossp mixes if not told otherwise. */
const MIX = { format: "s16le", rateHz: 48000, channels: 2 };

/** 0.9 s; see `InputKind` for why this many. */
const FRAMES = 40960;

/** A take of S16 samples in stereo at 48 kHz. */
export async function mixTake(
  program: Program,
  name: string,
  samples: Int16Array<ArrayBuffer>,
  folder: string,
): Promise<Take> {
  const path = `${folder}/${name}.wav`;
  const sound = { ...MIX, bytes: new Uint8Array(samples.buffer) };
  await writeWav(path, sound);
  return { name, command: program.command(path), sound };
}

/** The samples of a mix. */
export function mixSamples({ bytes }: Sound): Int16Array<ArrayBuffer> {
  return new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
}

/**
 * Takes that have a bit each. The left channel holds that bit in every frame, so it says where the
 * program was heard; the right one holds it in some frames, which are another pattern in each take.
 *
 * @param programs that play stereo, to be used in turn
 * @param count of takes, at most 15: the bits that S16 has below its sign
 */
export function makePlanes(
  programs: readonly Program[],
  count: number,
  folder: string,
): Promise<Take[]> {
  return Promise.all(Array.from({ length: count }, (_, plane) => {
    const pattern = noise(FRAMES, plane);
    const samples = new Int16Array(2 * FRAMES);
    for (let frame = 0; frame < FRAMES; frame++) {
      samples[2 * frame] = 1 << plane;
      samples[2 * frame + 1] = (pattern[frame] & 1) << plane;
    }
    return mixTake(programs[plane % programs.length], `plane-${plane}`, samples, folder);
  }));
}

/** What a mix of planes turned out to be. */
export interface PlanesHeard {
  /** What is wrong, a line each. */
  readonly wrong: readonly string[];
  /** The most planes that were heard in one frame. */
  readonly most: number;
  /** Frames in which none was heard. */
  readonly silentFrames: number;
}

/**
 * Looks for every frame of every plane in a mix, in order, once, and for nothing else. A plane may
 * pause: a program that the machine does not let write in time is heard later.
 */
export function hearPlanes(mix: Sound, takes: readonly Take[]): PlanesHeard {
  const heard = mixSamples(mix);
  const wrong: string[] = [];
  const counts = new Uint8Array(heard.length / 2);
  takes.forEach(({ name, sound }, plane) => {
    const played = mixSamples(sound);
    const bit = 1 << plane;
    let next = 0;
    for (let at = 0; at < heard.length; at += 2) {
      const right = heard[at + 1] & bit;
      if ((heard[at] & bit) === 0) {
        if (right === 0) continue;
        return wrong.push(`${name}: half a frame in frame ${at / 2} of the mix`);
      }
      counts[at / 2]++;
      if (next === played.length) return wrong.push(`${name}: more than its ${FRAMES} frames`);
      if (right !== played[next + 1]) {
        return wrong.push(`${name}: its frame ${next / 2} is not frame ${at / 2} of the mix`);
      }
      next += 2;
    }
    if (next < played.length) wrong.push(`${name}: ends after ${next / 2} of ${FRAMES} frames`);
  });
  const planes = (1 << takes.length) - 1;
  const stray = heard.findIndex((sample) => (sample & ~planes) !== 0);
  if (stray >= 0) wrong.push(`sample ${stray} of the mix is ${heard[stray]}: of no plane`);
  return {
    wrong,
    most: counts.reduce((most, count) => Math.max(most, count), 0),
    silentFrames: counts.filter((count) => count === 0).length,
  };
}
