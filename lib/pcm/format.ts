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
  /** Fills `length` bytes with silence, from `start` on, a sample's first byte. */
  silence(target: Uint8Array, start: number, length: number): void;
}

// Format numbers: those below 0x1000 are linux/soundcard.h's, the wider ones OSS 4's, which has no
// packed big-endian one. Its AFMT_FLOAT is reserved for doubles; Linux (sound/core/oss/pcm_oss.c) and
// the programs that use it mean single precision.
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

type Decode = SampleFormat["decode"];
type Encode = SampleFormat["encode"];

/** A row of the table; its silence is the code of zero. */
function format(
  row: Pick<SampleFormat, "name" | "afmt" | "bytes" | "bits" | "coding" | "bigEndian">,
  decode: Decode,
  encode: Encode,
): SampleFormat {
  const { bytes } = row;
  const zero = new Uint8Array(bytes);
  encode(new Float64Array(1), 0, zero, 0, 1);
  const uniform = zero.every((byte) => byte === zero[0]);
  return {
    ...row,
    decode,
    encode,
    silence(target, start, length) {
      if (uniform) target.fill(zero[0], start, start + length);
      else for (let i = 0; i < length; i++) target[start + i] = zero[i % bytes];
    },
  };
}

/** Integers of `bits` bits in the low end of a container of `bytes` bytes. */
function integer(
  name: string,
  afmt: number,
  bytes: number,
  bits: number,
  coding: "signed" | "unsigned",
  bigEndian = false,
): SampleFormat {
  return format(
    { name, afmt, bytes, bits, coding, bigEndian },
    integerDecoder(bytes, bits, coding === "unsigned", bigEndian),
    integerEncoder(bytes, bits, coding === "unsigned", bigEndian),
  );
}

// One loop a width: a loop over a sample's bytes inside the loop over the samples takes several
// times as long. Bytes are named from the most significant one, a, on.

function integerDecoder(
  bytes: number,
  bits: number,
  unsigned: boolean,
  bigEndian: boolean,
): Decode {
  const flip = unsigned ? 1 << 31 : 0;
  const unit = 2 ** -31; // left-justified, a sample of any width is an int32
  const a = bigEndian ? 0 : bytes - 1;
  const b = bigEndian ? 1 : bytes - 2;
  const c = bigEndian ? 2 : bytes - 3;
  const d = bigEndian ? 3 : bytes - 4;
  switch (bytes) {
    case 1:
      return (source, at, target, index, samples) => {
        for (const end = index + samples; index < end; index++, at++) {
          target[index] = (source[at] << 24 ^ flip) * unit;
        }
      };
    case 2:
      return (source, at, target, index, samples) => {
        for (const end = index + samples; index < end; index++, at += 2) {
          target[index] = (source[at + a] << 24 ^ source[at + b] << 16 ^ flip) * unit;
        }
      };
    case 3:
      return (source, at, target, index, samples) => {
        for (const end = index + samples; index < end; index++, at += 3) {
          target[index] = (source[at + a] << 24 | source[at + b] << 16 | source[at + c] << 8) *
            unit;
        }
      };
    default: {
      const shift = 32 - bits; // drops what is above the sample in its container
      return (source, at, target, index, samples) => {
        for (const end = index + samples; index < end; index++, at += 4) {
          const code = source[at + a] << 24 | source[at + b] << 16 | source[at + c] << 8 |
            source[at + d];
          target[index] = (code << shift) * unit;
        }
      };
    }
  }
}

function integerEncoder(
  bytes: number,
  bits: number,
  unsigned: boolean,
  bigEndian: boolean,
): Encode {
  const scale = 2 ** (bits - 1);
  const least = -scale;
  const most = scale - 1;
  const flip = unsigned ? scale : 0;
  const a = bigEndian ? 0 : bytes - 1;
  const b = bigEndian ? 1 : bytes - 2;
  const c = bigEndian ? 2 : bytes - 3;
  const d = bigEndian ? 3 : bytes - 4;
  const codeOf = (value: number) => {
    const code = Math.floor(value * scale + 0.5);
    return (code > most ? most : code < least ? least : code) ^ flip;
  };
  switch (bytes) {
    case 1:
      return (source, index, target, at, samples) => {
        for (const end = index + samples; index < end; index++, at++) {
          target[at] = codeOf(source[index]);
        }
      };
    case 2:
      return (source, index, target, at, samples) => {
        for (const end = index + samples; index < end; index++, at += 2) {
          const code = codeOf(source[index]);
          target[at + a] = code >> 8;
          target[at + b] = code;
        }
      };
    case 3:
      return (source, index, target, at, samples) => {
        for (const end = index + samples; index < end; index++, at += 3) {
          const code = codeOf(source[index]);
          target[at + a] = code >> 16;
          target[at + b] = code >> 8;
          target[at + c] = code;
        }
      };
    default:
      return (source, index, target, at, samples) => {
        for (const end = index + samples; index < end; index++, at += 4) {
          const code = codeOf(source[index]);
          target[at + a] = code >> 24;
          target[at + b] = code >> 16;
          target[at + c] = code >> 8;
          target[at + d] = code;
        }
      };
  }
}

// A float's bits pass through these as one word, whatever the alignment of the bytes.
const floatWord = new Int32Array(1);
const floatValue = new Float32Array(floatWord.buffer);

const float = format(
  { name: "f32le", afmt: AFMT_FLOAT, bytes: 4, bits: 32, coding: "float", bigEndian: false },
  (source, at, target, index, samples) => {
    for (const end = index + samples; index < end; index++, at += 4) {
      floatWord[0] = source[at] | source[at + 1] << 8 | source[at + 2] << 16 | source[at + 3] << 24;
      const value = floatValue[0];
      target[index] = Number.isFinite(value) ? value : 0; // one NaN would mute a whole mix
    }
  },
  (source, index, target, at, samples) => {
    for (const end = index + samples; index < end; index++, at += 4) {
      floatValue[0] = source[index];
      const word = floatWord[0];
      target[at] = word;
      target[at + 1] = word >> 8;
      target[at + 2] = word >> 16;
      target[at + 3] = word >> 24;
    }
  },
);

// All of G.711's decision levels are multiples of this fraction of full scale.
const G711_LEVELS = 2 ** 14;

/** One of G.711's companded codes: the sign in the top bit, 128 magnitudes. */
function companded(
  name: "mulaw" | "alaw",
  afmt: number,
  /** What the bits of a transmitted code are inverted by. */
  mask: number,
  /** The magnitude of segment 0 to 7, step 0 to 15, as a fraction of full scale. */
  magnitude: (segment: number, step: number) => number,
): SampleFormat {
  const magnitudeOf = (code: number) => magnitude(code >> 4, code & 15);
  // A-law has a set sign bit for positive values, mu-law, before its inversion, for negative ones.
  const negative = name === "mulaw" ? 0x80 : 0;
  const positive = negative ^ 0x80;

  const values = new Float64Array(256);
  for (let code = 0; code < 128; code++) {
    values[(code | positive) ^ mask] = magnitudeOf(code);
    values[(code | negative) ^ mask] = -magnitudeOf(code);
  }

  const nearest = new Uint8Array(G711_LEVELS); // the code of each level without its sign
  for (let level = 0, code = 0; level < G711_LEVELS; level++) {
    const middle = (magnitudeOf(code) + magnitudeOf(code + 1)) / 2;
    if (code < 127 && level / G711_LEVELS >= middle) code++;
    nearest[level] = code;
  }

  return format(
    { name, afmt, bytes: 1, bits: 8, coding: name, bigEndian: false },
    (source, at, target, index, samples) => {
      for (const end = index + samples; index < end; index++, at++) {
        target[index] = values[source[at]];
      }
    },
    (source, index, target, at, samples) => {
      for (const end = index + samples; index < end; index++, at++) {
        const value = source[index];
        const level = Math.min(Math.abs(value) * G711_LEVELS, G711_LEVELS - 1) | 0;
        const sign = value < 0 || Object.is(value, -0) ? negative : positive; // mu-law has both zeros
        target[at] = (nearest[level] | sign) ^ mask;
      }
    },
  );
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
