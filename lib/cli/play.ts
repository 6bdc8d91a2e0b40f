// ossp play: an OSS client. It plays a file through a device, by the system calls that any program
// would make.

import {
  close,
  EINTR,
  errnoText,
  ioctl,
  lastErrno,
  O_WRONLY,
  open,
  SystemError,
  write,
} from "../../ffi/libc.ts";
import type { PcmParameters } from "../backend/sink.ts";
import { AudioBufInfo, IO, IOR, IOWR } from "../oss/soundcard.ts";
import { formatByName, FORMATS } from "../pcm/format.ts";
import { parseWav } from "../pcm/wav.ts";
import { EX_UNAVAILABLE, Failure, usage } from "./failure.ts";
import { helpText, parseOptions, type Subcommand, wholeNumber } from "./options.ts";

// A header is within this much of a file's start, whatever chunks come before the samples.
const HEAD_BYTES = 1 << 16;

export const PLAY: Subcommand = {
  name: "play",
  operands: "FILE",
  about: "Play a WAV file, or bare samples with --format, through an OSS device.",
  options: [
    { name: "device", value: "PATH", default: "/dev/dsp", about: "the device" },
    {
      name: "format",
      value: "FORMAT",
      choices: FORMATS.map(({ name }) => name),
      about: "of bare samples",
    },
    { name: "rate", value: "HZ", default: "48000", about: "of bare samples" },
    { name: "channels", value: "N", default: "2", about: "of bare samples" },
  ],
  run: play,
};

function play(args: string[]): number {
  const parsed = parseOptions(PLAY, args);
  if (parsed.values.help) {
    console.log(helpText(PLAY));
    return 0;
  }
  if (parsed.operands.length !== 1) throw usage("play", "one FILE is wanted");
  const [path] = parsed.operands;
  const { format, device } = parsed.values;
  const bare: PcmParameters | undefined = format === undefined ? undefined : {
    format: formatByName(format)!,
    rateHz: wholeNumber(PLAY, parsed, "rate", 1, 384_000),
    channels: wholeNumber(PLAY, parsed, "channels", 1, 8),
  };
  try {
    using file = Deno.openSync(path);
    const sound = readHead(file, path, bare);
    const fd = open(device!, O_WRONLY);
    try {
      setParameters(fd, device!, sound);
      copy(file, fd, device!, sound);
      call(fd, device!, "SNDCTL_DSP_SYNC", IO("P", 1));
    } finally {
      close(fd);
    }
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(EX_UNAVAILABLE, (error as Error).message);
  }
  return 0;
}

/** A file's sound: its parameters and where its samples are. */
interface Sound extends PcmParameters {
  readonly dataBytes: number;
}

/** Leaves the file at its first sample. */
function readHead(file: Deno.FsFile, path: string, bare: PcmParameters | undefined): Sound {
  const { size } = file.statSync();
  if (bare) return { ...bare, dataBytes: size };
  const head = new Uint8Array(HEAD_BYTES);
  const length = file.readSync(head) ?? 0;
  try {
    const { dataOffset, dataBytes, ...parameters } = parseWav(head.subarray(0, length));
    file.seekSync(dataOffset, Deno.SeekMode.Start);
    return { ...parameters, dataBytes: Math.min(dataBytes, size - dataOffset) };
  } catch (error) {
    throw new Failure(
      EX_UNAVAILABLE,
      `${path}: ${(error as Error).message} (for bare samples say --format, --rate, --channels)`,
    );
  }
}

const argument = new Uint8Array(AudioBufInfo.$size);
const argumentView = new DataView(argument.buffer);

function call(fd: number, device: string, name: string, request: number, value = 0): number {
  argumentView.setInt32(0, value, true);
  if (ioctl(fd, request, argument) < 0) throw new SystemError(lastErrno(), name, device);
  return argumentView.getInt32(0, true);
}

function setParameters(fd: number, device: string, sound: Sound): void {
  const settings: [name: string, request: number, wanted: number][] = [
    ["SNDCTL_DSP_SETFMT", IOWR("P", 5), sound.format.afmt],
    ["SNDCTL_DSP_CHANNELS", IOWR("P", 6), sound.channels],
    ["SNDCTL_DSP_SPEED", IOWR("P", 2), sound.rateHz],
  ];
  for (const [name, request, wanted] of settings) {
    const got = call(fd, device, name, request, wanted);
    if (got !== wanted) {
      throw new Failure(
        EX_UNAVAILABLE,
        `${device}: ${name}: ${wanted} was asked for and ${got} was given ` +
          "(convert the file to what the device has)",
      );
    }
  }
}

function copy(file: Deno.FsFile, fd: number, device: string, sound: Sound): void {
  const fragmentBytes = call(fd, device, "SNDCTL_DSP_GETBLKSIZE", IOWR("P", 4));
  const buffer = new Uint8Array(Math.max(fragmentBytes, 4096));
  const bytesPerSecond = sound.format.bytes * sound.channels * sound.rateHz;
  const progress = new Progress(sound.dataBytes / bytesPerSecond);
  let done = 0;
  while (done < sound.dataBytes) {
    const wanted = Math.min(buffer.length, sound.dataBytes - done);
    const length = file.readSync(buffer.subarray(0, wanted));
    if (length === null) break;
    writeAll(fd, device, buffer, length);
    done += length;
    call(fd, device, "SNDCTL_DSP_GETOSPACE", IOR("P", 12, AudioBufInfo.$size));
    const queued = argumentView.getInt32(AudioBufInfo.fragstotal, true) *
        argumentView.getInt32(AudioBufInfo.fragsize, true) -
      argumentView.getInt32(AudioBufInfo.bytes, true);
    progress.show((done - queued) / bytesPerSecond);
  }
  progress.end();
}

function writeAll(
  fd: number,
  device: string,
  buffer: Uint8Array<ArrayBuffer>,
  length: number,
): void {
  for (let at = 0; at < length;) {
    const count = write(fd, at === 0 ? buffer : buffer.subarray(at, length), length - at);
    if (count > 0) at += count;
    else if (lastErrno() !== EINTR) {
      throw new Failure(EX_UNAVAILABLE, `${device}: write: ${errnoText(lastErrno())}`);
    }
  }
}

/** A line on a terminal that says how far the file has been played; nothing elsewhere. */
class Progress {
  readonly #shown = Deno.stderr.isTerminal();
  readonly #encoder = new TextEncoder();
  #lastMs = 0;

  constructor(readonly totalSeconds: number) {}

  show(seconds: number): void {
    if (!this.#shown || performance.now() - this.#lastMs < 100) return;
    this.#lastMs = performance.now();
    const cells = 30;
    const full = Math.round(cells * Math.min(1, Math.max(0, seconds) / this.totalSeconds));
    const bar = "=".repeat(full).padEnd(cells);
    this.#write(`\r[${bar}] ${minutes(seconds)} / ${minutes(this.totalSeconds)}`);
  }

  end(): void {
    if (this.#shown) this.#write("\r\x1b[K");
  }

  #write(text: string): void {
    Deno.stderr.writeSync(this.#encoder.encode(text));
  }
}

function minutes(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
