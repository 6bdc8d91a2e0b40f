// ossp play: an OSS client. It plays a file through a device, by the system calls that any program
// would make.

import { EINTR, errnoText, lastErrno, O_WRONLY, write } from "../../ffi/libc.ts";
import { readWavHead } from "../backend/input.ts";
import type { PcmParameters } from "../backend/sink.ts";
import { AudioBufInfo, IO, IOR } from "../oss/soundcard.ts";
import { EX_UNAVAILABLE, Failure, usage } from "./failure.ts";
import { helpText, parseOptions, type Subcommand } from "./options.ts";
import { DEVICE_OPTION, givenParameters, OssDevice, parameterOptions } from "./oss_device.ts";
import { Progress } from "./progress.ts";

export const PLAY: Subcommand = {
  name: "play",
  operands: "FILE",
  about: "Play a WAV file, or bare samples with --format, through an OSS device.",
  options: [DEVICE_OPTION, ...parameterOptions("of bare samples")],
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
  const bare = parsed.values.format === undefined ? undefined : givenParameters(PLAY, parsed);
  try {
    using file = Deno.openSync(path);
    const sound = readHead(file, path, bare);
    using device = new OssDevice(parsed.values.device!, O_WRONLY);
    device.setParameters(sound);
    copy(file, device, sound);
    device.call("SNDCTL_DSP_SYNC", IO("P", 1));
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
  if (bare) return { ...bare, dataBytes: file.statSync().size };
  try {
    const head = readWavHead(file);
    file.seekSync(head.dataOffset, Deno.SeekMode.Start);
    return head;
  } catch (error) {
    throw new Failure(
      EX_UNAVAILABLE,
      `${path}: ${(error as Error).message} (for bare samples say --format, --rate, --channels)`,
    );
  }
}

function copy(file: Deno.FsFile, device: OssDevice, sound: Sound): void {
  const buffer = new Uint8Array(Math.max(device.fragmentBytes(), 4096));
  const bytesPerSecond = sound.format.bytes * sound.channels * sound.rateHz;
  const progress = new Progress(sound.dataBytes / bytesPerSecond);
  let done = 0;
  while (done < sound.dataBytes) {
    const wanted = Math.min(buffer.length, sound.dataBytes - done);
    const length = file.readSync(buffer.subarray(0, wanted));
    if (length === null) break;
    writeAll(device, buffer, length);
    done += length;
    device.call("SNDCTL_DSP_GETOSPACE", IOR("P", 12, AudioBufInfo.$size));
    const { argument } = device;
    const queued = argument.getInt32(AudioBufInfo.fragstotal, true) *
        argument.getInt32(AudioBufInfo.fragsize, true) -
      argument.getInt32(AudioBufInfo.bytes, true);
    progress.show((done - queued) / bytesPerSecond);
  }
  progress.end();
}

function writeAll(device: OssDevice, buffer: Uint8Array<ArrayBuffer>, length: number): void {
  for (let at = 0; at < length;) {
    const count = write(device.fd, at === 0 ? buffer : buffer.subarray(at, length), length - at);
    if (count > 0) at += count;
    else if (lastErrno() !== EINTR) {
      throw new Failure(EX_UNAVAILABLE, `${device.path}: write: ${errnoText(lastErrno())}`);
    }
  }
}
