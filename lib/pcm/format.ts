// Sample formats: what OSS calls each, how wide it is, and its way to and from doubles of -1 to 1.
// A double holds every code of every format exactly, so decoding and encoding again changes nothing.

/** A format of interleaved samples. */
export interface SampleFormat {
  /** Its AFMT_ number, one bit. */
  readonly afmt: number;
  /** Its name on the command line and in the log. */
  readonly name: string;
  /** Bytes of one sample of one channel. */
  readonly bytes: number;
  /** Significant bits of a sample. */
  readonly bits: number;
  readonly coding: "signed" | "unsigned" | "float" | "mulaw" | "alaw";
  readonly bigEndian: boolean;
  /** Decodes `samples` samples from `source[sourceByte]` on to `target[targetIndex]` on. */
  decode(
    source: Uint8Array,
    sourceByte: number,
    target: Float64Array,
    targetIndex: number,
    samples: number,
  ): void;
  /** Encodes `samples` samples, rounded to the nearest code; what is out of range saturates. */
  encode(
    source: Float64Array,
    sourceIndex: number,
    target: Uint8Array,
    targetByte: number,
    samples: number,
  ): void;
}

/** Format numbers: the first eight are linux/soundcard.h's, the wider ones OSS 4's. */
export const AFMT_MU_LAW = 0x01;
export const AFMT_A_LAW = 0x02;
export const AFMT_U8 = 0x08;
export const AFMT_S16_LE = 0x10;
export const AFMT_S16_BE = 0x20;
export const AFMT_S8 = 0x40;
export const AFMT_U16_LE = 0x80;
export const AFMT_U16_BE = 0x100;
export const AFMT_S32_LE = 0x1000;
export const AFMT_S32_BE = 0x2000;
export const AFMT_FLOAT = 0x4000;
export const AFMT_S24_LE = 0x8000;
export const AFMT_S24_BE = 0x10000;
export const AFMT_S24_PACKED = 0x40000;

/** Integers of `bits` bits in the low end of a container of `bytes` bytes. */
function integer(
  name: string,
  afmt: number,
  bytes: number,
  bits: number,
  coding: "signed" | "unsigned",
  bigEndian = false,
): SampleFormat {
  const shift = 32 - bits; // left-justified, a sample of any width is an int32
  const flip = coding === "unsigned" ? 1 << 31 : 0;
  const scale = 2 ** (bits - 1);
  const first = bigEndian ? 0 : bytes - 1; // the most significant byte
  const step = bigEndian ? 1 : -1;
  return {
    name,
    afmt,
    bytes,
    bits,
    coding,
    bigEndian,
    decode(source, sourceByte, target, targetIndex, samples) {
      for (let i = 0; i < samples; i++) {
        const at = sourceByte + i * bytes + first;
        let code = 0;
        for (let k = 0; k < bytes; k++) code = code << 8 | source[at + k * step];
        target[targetIndex + i] = ((code << shift) ^ flip) / 0x8000_0000;
      }
    },
    encode(source, sourceIndex, target, targetByte, samples) {
      for (let i = 0; i < samples; i++) {
        const rounded = Math.round(source[sourceIndex + i] * scale);
        const code = Math.max(-scale, Math.min(scale - 1, rounded)) ^ (flip >> shift);
        const at = targetByte + i * bytes + first;
        for (let k = 0; k < bytes; k++) target[at + k * step] = code >> 8 * (bytes - 1 - k);
      }
    },
  };
}

const floatCode = new Float32Array(1);
const floatBytes = new Uint8Array(floatCode.buffer);

const float: SampleFormat = {
  name: "f32le",
  afmt: AFMT_FLOAT,
  bytes: 4,
  bits: 32,
  coding: "float",
  bigEndian: false,
  decode(source, sourceByte, target, targetIndex, samples) {
    for (let i = 0; i < samples; i++) {
      for (let k = 0; k < 4; k++) floatBytes[k] = source[sourceByte + i * 4 + k];
      const value = floatCode[0];
      target[targetIndex + i] = Number.isFinite(value) ? value : 0; // one NaN would mute a whole mix
    }
  },
  encode(source, sourceIndex, target, targetByte, samples) {
    for (let i = 0; i < samples; i++) {
      floatCode[0] = source[sourceIndex + i];
      for (let k = 0; k < 4; k++) target[targetByte + i * 4 + k] = floatBytes[k];
    }
  },
};

/** One of G.711's companded codes: the sign in the top bit, 128 magnitudes. */
function companded(
  name: "mulaw" | "alaw",
  afmt: number,
  /** What the bits of a transmitted code are inverted by. */
  mask: number,
  /** The magnitude of segment 0 to 7, step 0 to 15, as a fraction of full scale. */
  magnitude: (segment: number, step: number) => number,
): SampleFormat {
  const magnitudes = Float64Array.from(
    { length: 128 },
    (_, code) => magnitude(code >> 4, code & 15),
  );
  // A-law has a set sign bit for positive values, mu-law, before its inversion, for negative ones.
  const negative = name === "mulaw" ? 0x80 : 0;
  return {
    name,
    afmt,
    bytes: 1,
    bits: 8,
    coding: name,
    bigEndian: false,
    decode(source, sourceByte, target, targetIndex, samples) {
      for (let i = 0; i < samples; i++) {
        const code = source[sourceByte + i] ^ mask;
        const value = magnitudes[code & 0x7f];
        target[targetIndex + i] = (code & 0x80) === negative ? -value : value;
      }
    },
    encode(source, sourceIndex, target, targetByte, samples) {
      for (let i = 0; i < samples; i++) {
        const value = source[sourceIndex + i];
        const isNegative = value < 0 || Object.is(value, -0); // mu-law has both zeros
        const sign = isNegative ? negative : negative ^ 0x80;
        target[targetByte + i] = (nearest(magnitudes, Math.abs(value)) | sign) ^ mask;
      }
    },
  };
}

/** The index of the value nearest to `wanted` in an ascending table. */
function nearest(table: Float64Array, wanted: number): number {
  let low = 0;
  let high = table.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (table[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low > 0 && wanted - table[low - 1] < table[low] - wanted ? low - 1 : low;
}

/** Every format that a dsp takes. */
export const FORMATS: readonly SampleFormat[] = [
  companded(
    "mulaw",
    AFMT_MU_LAW,
    0xff,
    (segment, step) => ((((step << 3) + 0x84) << segment) - 0x84) / 0x8000,
  ),
  companded(
    "alaw",
    AFMT_A_LAW,
    0x55,
    (segment, step) =>
      (segment === 0 ? (step << 4) + 8 : ((step << 4) + 0x108) << (segment - 1)) / 0x8000,
  ),
  integer("u8", AFMT_U8, 1, 8, "unsigned"),
  integer("s8", AFMT_S8, 1, 8, "signed"),
  integer("s16le", AFMT_S16_LE, 2, 16, "signed"),
  integer("s16be", AFMT_S16_BE, 2, 16, "signed", true),
  integer("u16le", AFMT_U16_LE, 2, 16, "unsigned"),
  integer("u16be", AFMT_U16_BE, 2, 16, "unsigned", true),
  integer("s24le", AFMT_S24_LE, 4, 24, "signed"),
  integer("s24be", AFMT_S24_BE, 4, 24, "signed", true),
  integer("s24packed", AFMT_S24_PACKED, 3, 24, "signed"),
  integer("s32le", AFMT_S32_LE, 4, 32, "signed"),
  integer("s32be", AFMT_S32_BE, 4, 32, "signed", true),
  float,
];

const BY_AFMT = new Map(FORMATS.map((format) => [format.afmt, format]));
const BY_NAME = new Map(FORMATS.map((format) => [format.name, format]));

/** The format of an AFMT_ number, undefined when there is none. */
export function formatByAfmt(afmt: number): SampleFormat | undefined {
  return BY_AFMT.get(afmt);
}

/** The format of a name such as "s16le", undefined when there is none. */
export function formatByName(name: string): SampleFormat | undefined {
  return BY_NAME.get(name);
}
