// Randomness for the fuzzers that can be had again: a generator with a seed, and the environment
// variables that set the seed and the length of a run.

/** Values at which a 32-bit field's meaning changes, or a program's arithmetic. */
const EDGES = [
  0,
  1,
  2,
  4,
  7,
  8,
  15,
  16,
  100,
  255,
  256,
  4095,
  4096,
  8000,
  16383,
  16384,
  16385,
  44100,
  65535,
  65536,
  131071,
  131072,
  131073,
  0x7fffffff,
  0x80000000,
  0xfffffff0,
  0xfffffffe,
  0xffffffff,
];

/** A generator of numbers that follow from its seed (splitmix32, period 2^32). */
export class Random {
  #state: number;

  /** @param seed an unsigned 32-bit integer */
  constructor(readonly seed: number) {
    this.#state = seed;
  }

  /** A number of 32 bits, each as likely as the others. */
  u32(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ mixed >>> 16, 0x21f0aaad);
    mixed = Math.imul(mixed ^ mixed >>> 15, 0x735a2d97);
    return (mixed ^ mixed >>> 15) >>> 0;
  }

  /** A whole number of 0 or more and less than `limit`. */
  below(limit: number): number {
    return Math.floor(this.u32() / 2 ** 32 * limit);
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.u32() < probability * 2 ** 32;
  }

  /** One of `items`, which must not be empty. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  /** A number of 32 bits that is likely to be a special one: a limit, a power of two, a small one. */
  edge(): number {
    if (this.chance(0.6)) return this.pick(EDGES);
    return this.chance(0.5) ? this.u32() >>> this.below(32) : (1 << this.below(32)) >>> 0;
  }
}

function wholeNumber(name: string): number | undefined {
  const text = Deno.env.get(name);
  if (text === undefined || text === "") return undefined;
  if (!/^\d+$/.test(text) || Number(text) > 0xffffffff) {
    throw new TypeError(`${name}: "${text}" is not a whole number below 2^32`);
  }
  return Number(text);
}

/** The generator of a fuzzer's run: seeded with OSSP_FUZZ_SEED, else anew; says which. */
export function fuzzRandom(): Random {
  const seed = wholeNumber("OSSP_FUZZ_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0];
  console.log(`OSSP_FUZZ_SEED=${seed} repeats this run`);
  return new Random(seed);
}

/** How many steps a fuzzer's run has: OSSP_FUZZ_COUNT, else `usual`. */
export function fuzzCount(usual: number): number {
  return wholeNumber("OSSP_FUZZ_COUNT") ?? usual;
}
