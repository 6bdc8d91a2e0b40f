// What a recorded tone is like: its frequency and level, what else is to be heard, and gaps.

/** A tone as it was heard. */
export interface Tone {
  readonly hz: number;
  /** Its peak, as a part of full scale. */
  readonly level: number;
  /** All that is not the tone, against the tone, in decibels. */
  readonly residueDb: number;
  /** The quietest and the loudest 20 ms, against their median, in decibels. */
  readonly quietestDb: number;
  readonly loudestDb: number;
  readonly seconds: number;
}

/** What edges a program may make to its tone, cut off at both ends. */
const EDGE_SECONDS = 0.06;

/**
 * Measures a tone that lasts from the first sound to the last.
 *
 * @param samples of one channel, -1 to 1
 * @param nearHz what the frequency is looked for around, 3 % to each side
 * @throws {Error} if there are less than 0.2 s of sound
 */
export function measureTone(samples: Float64Array, rateHz: number, nearHz: number): Tone {
  const loud = (sample: number) => Math.abs(sample) > 0.01;
  const first = samples.findIndex(loud);
  const sounding = samples.subarray(first, samples.findLastIndex(loud) + 1);
  const edge = Math.round(EDGE_SECONDS * rateHz);
  const tone = sounding.subarray(edge, sounding.length - edge);
  if (first < 0 || tone.length < 0.2 * rateHz) {
    throw new Error(`${sounding.length / rateHz} s of sound; 0.32 s are wanted`);
  }
  const hz = peak(tone, rateHz, nearHz * 0.97, nearHz * 1.03);
  const { level, residue } = fit(tone, rateHz, hz);
  const windows = rms(tone, Math.round(0.02 * rateHz)).sort((a, b) => a - b);
  const median = windows[windows.length >> 1];
  return {
    hz,
    level,
    residueDb: 20 * Math.log10(residue / (level / Math.SQRT2)),
    quietestDb: 20 * Math.log10(windows[0] / median),
    loudestDb: 20 * Math.log10(windows.at(-1)! / median),
    seconds: sounding.length / rateHz,
  };
}

/** The frequency between two at which the Hann-windowed transform is largest (golden section). */
function peak(samples: Float64Array, rateHz: number, lowHz: number, highHz: number): number {
  const steps = Math.ceil((highHz - lowHz) * samples.length / rateHz) * 2;
  const step = (highHz - lowHz) / steps;
  const grid = Array.from({ length: steps + 1 }, (_, i) => lowHz + i * step);
  const powers = grid.map((hz) => power(samples, rateHz, hz));
  const best = grid[powers.indexOf(Math.max(...powers))];
  let [low, high] = [best - step, best + step];
  const ratio = (Math.sqrt(5) - 1) / 2;
  while (high - low > 1e-4) {
    const [a, b] = [high - ratio * (high - low), low + ratio * (high - low)];
    if (power(samples, rateHz, a) > power(samples, rateHz, b)) high = b;
    else low = a;
  }
  return (low + high) / 2;
}

function power(samples: Float64Array, rateHz: number, hz: number): number {
  let [re, im] = [0, 0];
  const turn = 2 * Math.PI * hz / rateHz;
  const hann = 2 * Math.PI / samples.length;
  for (let i = 0; i < samples.length; i++) {
    const sample = samples[i] * (1 - Math.cos(hann * i));
    re += sample * Math.cos(turn * i);
    im += sample * Math.sin(turn * i);
  }
  return re * re + im * im;
}

/** The sine and the constant of a frequency that come nearest, and the RMS of what they leave. */
function fit(samples: Float64Array, rateHz: number, hz: number) {
  const turn = 2 * Math.PI * hz / rateHz;
  const mean = samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
  let [cc, ss, cs, xc, xs] = [0, 0, 0, 0, 0];
  for (let i = 0; i < samples.length; i++) {
    const [c, s] = [Math.cos(turn * i), Math.sin(turn * i)];
    cc += c * c;
    ss += s * s;
    cs += c * s;
    xc += (samples[i] - mean) * c;
    xs += (samples[i] - mean) * s;
  }
  const determinant = cc * ss - cs * cs;
  const a = (xc * ss - xs * cs) / determinant;
  const b = (xs * cc - xc * cs) / determinant;
  let squares = 0;
  for (let i = 0; i < samples.length; i++) {
    const rest = samples[i] - mean - a * Math.cos(turn * i) - b * Math.sin(turn * i);
    squares += rest * rest;
  }
  return { level: Math.hypot(a, b), residue: Math.sqrt(squares / samples.length) };
}

/** The RMS of each whole window. */
function rms(samples: Float64Array, length: number): Float64Array {
  return Float64Array.from({ length: Math.floor(samples.length / length) }, (_, window) => {
    const part = samples.subarray(window * length, (window + 1) * length);
    return Math.sqrt(part.reduce((sum, sample) => sum + sample * sample, 0) / length);
  });
}
