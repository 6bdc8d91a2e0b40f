// Channel maps: a stream of so many channels for a sink of so many others.

/** A loudspeaker by its place; RC stands in the middle at the back. */
export type Speaker = "L" | "R" | "C" | "LFE" | "LS" | "RS" | "LR" | "RR" | "RC";

// What the channels of a frame are. Six and eight are in OSS 4's order (CHNORDER_NORMAL of its
// soundcard.h); in the numbers that it does not speak of the order is that of WAV files.
const LAYOUTS: readonly (readonly Speaker[])[] = [
  [],
  ["C"],
  ["L", "R"],
  ["L", "R", "C"],
  ["L", "R", "LS", "RS"],
  ["L", "R", "C", "LS", "RS"],
  ["L", "R", "C", "LFE", "LS", "RS"],
  ["L", "R", "C", "LFE", "RC", "LS", "RS"],
  ["L", "R", "C", "LFE", "LS", "RS", "LR", "RR"],
];

// OSS 4's CHID_ numbers; it has none for the middle at the back.
const CHANNEL_IDS: Readonly<Record<Speaker, bigint>> = {
  L: 1n,
  R: 2n,
  C: 3n,
  LFE: 4n,
  LS: 5n,
  RS: 6n,
  LR: 7n,
  RR: 8n,
  RC: 0n,
};

const CHNORDER_NORMAL = 0x87654321n;

/**
 * OSS 4's number for the order of so many channels, the array's index: four bits a channel, the first
 * one lowest. It names more channels than there are where its usual order goes on.
 */
export const CHANNEL_ORDERS: readonly bigint[] = LAYOUTS.map((layout) => {
  const order = layout.reduceRight((bits, speaker) => bits << 4n | CHANNEL_IDS[speaker], 0n);
  const isNormal = layout.length < 3 ||
    order === CHNORDER_NORMAL % (1n << BigInt(4 * layout.length));
  return isNormal ? CHNORDER_NORMAL : order;
});

/** Channels in a frame that has others beside them. */
export interface Placement {
  /** How many channels that frame has. */
  readonly channels: number;
  /** Where in it each of the channels lies, at one place or more. */
  readonly places: readonly (readonly number[])[];
}

/**
 * Places channels at chosen loudspeakers, in the order of frames that have them all; a single channel
 * at a left one and a right one goes to both, at others to the first.
 *
 * @returns undefined if there is not a channel for each, or they are there without being placed
 */
export function placement(channels: number, speakers: readonly Speaker[]): Placement | undefined {
  const layout = LAYOUTS.find((layout) => speakers.every((speaker) => layout.includes(speaker)))!;
  const all = layout.flatMap((speaker, i) => speakers.includes(speaker) ? [i] : []);
  if (channels === 1 && speakers.length === 2) {
    const isPair = speakers[0].startsWith("L") && speakers[1].startsWith("R");
    const places = [isPair ? all : all.slice(0, 1)];
    return layout.length === 2 ? undefined : { channels: layout.length, places };
  }
  if (channels !== all.length || channels === layout.length) return undefined;
  return { channels: layout.length, places: all.map((place) => [place]) };
}

// Who plays what a lacking loudspeaker would have played.
const STAND_INS: Readonly<Record<Speaker, readonly Speaker[]>> = {
  L: ["C"],
  R: ["C"],
  C: ["L", "R"],
  LFE: [],
  LS: ["L"],
  RS: ["R"],
  LR: ["LS"],
  RR: ["RS"],
  RC: ["LS", "RS"],
};

/** Gains by target channel, within it by source channel. */
function gains(from: number, to: number): Float64Array {
  const matrix = new Float64Array(from * to);
  if (from === 1) {
    matrix.fill(1, 0, Math.min(to, 2));
    return matrix;
  }
  const target = LAYOUTS[to];
  const place = (speaker: Speaker, channel: number, gain: number) => {
    const at = target.indexOf(speaker);
    if (at >= 0) matrix[at * from + channel] += gain;
    else for (const other of STAND_INS[speaker]) place(other, channel, gain * Math.SQRT1_2);
  };
  LAYOUTS[from].forEach((speaker, channel) => place(speaker, channel, 1));
  let loudest = 1;
  for (let row = 0; row < to; row++) {
    const sum = matrix.subarray(row * from, (row + 1) * from).reduce((a, b) => a + b);
    loudest = Math.max(loudest, sum);
  }
  return matrix.map((gain) => gain / loudest);
}

const matrices: Float64Array[] = [];

/**
 * Maps interleaved frames of 1 to 8 channels to frames of 1 to 8 others.
 *
 * Mono goes to both front channels as it is, stereo to mono as its mean. Otherwise a channel goes to
 * the same loudspeaker; where the target has none, its neighbours towards the front play it 3 dB
 * softer, and nobody plays the low frequency effects. Where that could exceed full scale, all
 * channels are made softer alike until it cannot.
 *
 * @throws {RangeError} if there is no such number of channels
 */
export function mapChannels(
  source: Float64Array,
  from: number,
  target: Float64Array,
  to: number,
  frames: number,
): void {
  if (from === to) {
    for (let i = 0; i < frames * to; i++) target[i] = source[i];
    return;
  }
  if (!LAYOUTS[from]?.length || !LAYOUTS[to]?.length) {
    throw new RangeError(`${from} to ${to} channels: 1 to ${LAYOUTS.length - 1} are wanted`);
  }
  const matrix = matrices[from << 4 | to] ??= gains(from, to);
  for (let frame = 0; frame < frames; frame++) {
    const input = frame * from;
    const output = frame * to;
    for (let row = 0, cell = 0; row < to; row++) {
      let sum = 0;
      for (let i = 0; i < from; i++) sum += matrix[cell++] * source[input + i];
      target[output + row] = sum;
    }
  }
}
