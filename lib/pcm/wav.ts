// WAV files: a header for every sample format, kept true while the file grows; the lossless way of
// each format to what WAV has; and the reading of a header.

import {
  AFMT_A_LAW,
  AFMT_FLOAT,
  AFMT_MU_LAW,
  AFMT_S16_LE,
  AFMT_S24_PACKED,
  AFMT_S32_LE,
  AFMT_U8,
  formatByAfmt,
  type SampleFormat,
} from "./format.ts";

// Format tags (mmreg.h).
const WAVE_FORMAT_PCM = 1;
const WAVE_FORMAT_IEEE_FLOAT = 3;
const WAVE_FORMAT_ALAW = 6;
const WAVE_FORMAT_MULAW = 7;
const WAVE_FORMAT_EXTENSIBLE = 0xfffe;

const UNKNOWN_SIZE = 0xffff_ffff;

/** What a file holds for a format of a stream: the nearest that WAV has, without loss. */
function fileFormat(format: SampleFormat): SampleFormat {
  if (format.coding === "float" || format.coding === "mulaw" || format.coding === "alaw") {
    return format;
  }
  const afmt = { 8: AFMT_U8, 16: AFMT_S16_LE, 24: AFMT_S24_PACKED, 32: AFMT_S32_LE }[format.bits]!;
  return formatByAfmt(afmt)!;
}

function formatTag({ coding }: SampleFormat): number {
  switch (coding) {
    case "float":
      return WAVE_FORMAT_IEEE_FLOAT;
    case "alaw":
      return WAVE_FORMAT_ALAW;
    case "mulaw":
      return WAVE_FORMAT_MULAW;
    default:
      return WAVE_FORMAT_PCM;
  }
}

/** A stream's bytes as a WAV file has them. */
export interface WavEncoding {
  /** Bytes of a sample in the file. */
  readonly bytesPerSample: number;
  /** Converts `samples` samples from `source`'s start to `target`'s start. */
  transcode(source: Uint8Array, target: Uint8Array, samples: number): void;
}

/** How a format's samples are written to a WAV file; undefined where the bytes are the same. */
export function wavEncoding(format: SampleFormat): WavEncoding | undefined {
  const file = fileFormat(format);
  if (file === format) return undefined;
  let scratch = new Float64Array(0);
  return {
    bytesPerSample: file.bytes,
    transcode(source, target, samples) {
      if (scratch.length < samples) scratch = new Float64Array(samples);
      format.decode(source, 0, scratch, 0, samples);
      file.encode(scratch, 0, target, 0, samples);
    },
  };
}

/**
 * The head of a WAV file. Its sizes stand at 4 (the RIFF chunk's) and in its last 4 bytes (the data
 * chunk's), and what else grows at `factOffset`.
 */
export interface WavHeader {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Of `bytes`. */
  readonly view: DataView<ArrayBuffer>;
  readonly frameBytes: number;
  /** The offset of the fact chunk's number of frames; undefined for PCM, which has no such chunk. */
  readonly factOffset: number | undefined;
}

/** The header of an empty file: 44 bytes for PCM, 58 with the fact chunk that other codings want. */
export function wavHeader(format: SampleFormat, rateHz: number, channels: number): WavHeader {
  const { bytes: sampleBytes } = fileFormat(format);
  const frameBytes = sampleBytes * channels;
  const tag = formatTag(format);
  const isPcm = tag === WAVE_FORMAT_PCM;
  const bytes = new Uint8Array(isPcm ? 44 : 58);
  const view = new DataView(bytes.buffer);
  const text = (at: number, ascii: string) => {
    for (let i = 0; i < ascii.length; i++) bytes[at + i] = ascii.charCodeAt(i);
  };
  text(0, "RIFF");
  text(8, "WAVEfmt ");
  view.setUint32(16, isPcm ? 16 : 18, true);
  view.setUint16(20, tag, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, rateHz, true);
  view.setUint32(28, rateHz * frameBytes, true);
  view.setUint16(32, frameBytes, true);
  view.setUint16(34, sampleBytes * 8, true);
  if (!isPcm) {
    text(38, "fact");
    view.setUint32(42, 4, true);
  }
  text(bytes.length - 8, "data");
  const header = { bytes, view, frameBytes, factOffset: isPcm ? undefined : 46 };
  wavSizes(header, 0);
  return header;
}

/**
 * Writes into a header how many bytes of samples follow it; beyond 4 GiB: "to the end". An odd number
 * has no pad byte after it, since more samples may follow, and none is counted.
 */
export function wavSizes(header: WavHeader, dataBytes: number): void {
  const { bytes, view, frameBytes, factOffset } = header;
  view.setUint32(4, Math.min(bytes.length - 8 + dataBytes, UNKNOWN_SIZE), true);
  if (factOffset) view.setUint32(factOffset, Math.min(dataBytes / frameBytes, UNKNOWN_SIZE), true);
  view.setUint32(bytes.length - 4, Math.min(dataBytes, UNKNOWN_SIZE), true);
}

/** What a WAV file says of itself. */
export interface WavInfo {
  readonly format: SampleFormat;
  readonly rateHz: number;
  readonly channels: number;
  /** The offset of the first sample. */
  readonly dataOffset: number;
  /** The bytes of samples; Infinity when the header leaves it to the file's end. */
  readonly dataBytes: number;
}

/**
 * Reads the head of a WAV file.
 *
 * @param head the file's first bytes, the start of its data chunk included
 * @throws {Error} that says what was found and what was wanted
 */
export function parseWav(head: Uint8Array): WavInfo {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const text = (at: number) => String.fromCharCode(...head.subarray(at, at + 4));
  if (head.length < 12 || text(0) !== "RIFF" || text(8) !== "WAVE") {
    const found = JSON.stringify([text(0), text(8)]).slice(1, -1);
    throw new Error(`not a WAV file: it begins with ${found}; "RIFF","WAVE" is wanted`);
  }
  let parameters: Pick<WavInfo, "format" | "rateHz" | "channels"> | undefined;
  for (let at = 12; at + 8 <= head.length;) {
    const size = view.getUint32(at + 4, true);
    const body = at + 8;
    if (text(at) === "fmt ") {
      if (size < 16 || body + size > head.length) {
        const there = Math.min(size, head.length - body);
        throw new Error(`its fmt chunk is cut short: ${there} bytes of ${Math.max(size, 16)}`);
      }
      parameters = parseFmt(new DataView(head.buffer, head.byteOffset + body, size));
    } else if (text(at) === "data") {
      if (!parameters) throw new Error("its data chunk comes before its fmt chunk");
      const unknown = size === 0 || size === UNKNOWN_SIZE;
      return { ...parameters, dataOffset: body, dataBytes: unknown ? Infinity : size };
    }
    at = body + size + size % 2;
  }
  const wanted = parameters ? "data" : "fmt or data";
  throw new Error(`it has no ${wanted} chunk in its first ${head.length} bytes`);
}

const AFMT_BY_TAG_AND_BITS = new Map([
  [`${WAVE_FORMAT_PCM} 8`, AFMT_U8],
  [`${WAVE_FORMAT_PCM} 16`, AFMT_S16_LE],
  [`${WAVE_FORMAT_PCM} 24`, AFMT_S24_PACKED],
  [`${WAVE_FORMAT_PCM} 32`, AFMT_S32_LE],
  [`${WAVE_FORMAT_IEEE_FLOAT} 32`, AFMT_FLOAT],
  [`${WAVE_FORMAT_ALAW} 8`, AFMT_A_LAW],
  [`${WAVE_FORMAT_MULAW} 8`, AFMT_MU_LAW],
]);

function parseFmt(fmt: DataView): Pick<WavInfo, "format" | "rateHz" | "channels"> {
  let tag = fmt.getUint16(0, true);
  // The extension's GUID begins with the tag that would stand here otherwise.
  if (tag === WAVE_FORMAT_EXTENSIBLE && fmt.byteLength >= 26) tag = fmt.getUint16(24, true);
  const bits = fmt.getUint16(14, true);
  const afmt = AFMT_BY_TAG_AND_BITS.get(`${tag} ${bits}`);
  if (afmt === undefined) {
    throw new Error(
      `its samples are of format ${tag} and ${bits} bits; PCM of 8 to 32 bits, 32-bit float, ` +
        "A-law or mu-law is wanted",
    );
  }
  const channels = fmt.getUint16(2, true);
  const rateHz = fmt.getUint32(4, true);
  if (channels === 0 || rateHz === 0) {
    throw new Error(`it has ${channels} channels at ${rateHz} Hz; at least 1 of each is wanted`);
  }
  const format = formatByAfmt(afmt)!;
  const frameBytes = fmt.getUint16(12, true);
  if (frameBytes !== format.bytes * channels) { // 24 bits in 32, say, which would be heard as noise
    throw new Error(
      `its frames are ${frameBytes} bytes; ${channels} channels of ${bits} bits are ` +
        `${format.bytes * channels}`,
    );
  }
  return { format, rateHz, channels };
}
