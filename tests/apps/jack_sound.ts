// What tests of JACK share: programs that play, and sounds that are compared.

import { assert } from "@std/assert";
import { Buffer } from "node:buffer";
import { available, osspWords } from "../programs.ts";
import { JACK_SOUND } from "./jack_server.ts";

export const FRAME_BYTES = 4; // S16 in stereo
export const SECOND_BYTES = JACK_SOUND.rateHz * FRAME_BYTES;

/** A server without real-time scheduling drops cycles on a busy machine, and says so. */
export const TRIES = 5;

/** Short cycles that were silent for want of sound, as ossp says at the log level `debug`. */
export function missedCycles(said: string): number {
  return said.matchAll(/jack: .*: (\d+) cycles missed/g)
    .reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Whether the tests can run here. */
export const LACKING = !available("jackd", "cc");

/** A test that has a JACK server. */
export function test(name: string, fn: () => Promise<void>, ignore = false): void {
  Deno.test({ name, ignore: LACKING || ignore, fn });
}

/** The words of `ossp play` for samples of 16 bits. */
export function playWords(file: string, device = "/dev/dsp", channels = 2): string[] {
  const sound = ["--format", "s16le", "--rate", "48000", "--channels", String(channels)];
  return [...osspWords(), "play", "--device", device, ...sound, file];
}

/** Words for a shell. */
export const quote = (words: readonly string[]) => words.map((word) => `'${word}'`).join(" ");

/** Where one array lies in another; -1 if nowhere. */
export function indexIn(whole: Uint8Array, part: Uint8Array): number {
  return Buffer.from(whole.buffer, whole.byteOffset, whole.length).indexOf(part);
}

/** From the first frame to the last that is not silent. */
export function sounding(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0);
  assert(first >= 0, "nothing was heard");
  const last = bytes.findLastIndex((byte) => byte !== 0);
  return bytes.subarray(first - first % FRAME_BYTES, last - last % FRAME_BYTES + FRAME_BYTES);
}
