// ossp record: an OSS client. It records from a device into a WAV file, by the system calls that any
// program would make, until a time has passed or a signal comes.

import {
  EAGAIN,
  EINTR,
  errnoText,
  lastErrno,
  O_NONBLOCK,
  O_RDONLY,
  poll,
  POLLIN,
  read,
} from "../../ffi/libc.ts";
import { OutputFile } from "../backend/output.ts";
import { IOR } from "../oss/soundcard.ts";
import { AudioErrInfo } from "../oss/soundcard4.ts";
import { EX_UNAVAILABLE, Failure, usage } from "./failure.ts";
import { helpText, parseOptions, type Subcommand } from "./options.ts";
import { DEVICE_OPTION, givenParameters, OssDevice, parameterOptions } from "./oss_device.ts";
import { Progress } from "./progress.ts";

// How long a signal may have to wait for a device that brings nothing.
const POLL_LIMIT_MS = 100;

const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export const RECORD: Subcommand = {
  name: "record",
  operands: "FILE",
  about: "Record a WAV file from an OSS device, until SIGINT or for --seconds.",
  options: [
    DEVICE_OPTION,
    ...parameterOptions("of what is recorded", "s16le"),
    { name: "seconds", value: "N", about: "how long to record [until SIGINT]" },
  ],
  run: record,
};

async function record(args: string[]): Promise<number> {
  const parsed = parseOptions(RECORD, args);
  if (parsed.values.help) {
    console.log(helpText(RECORD));
    return 0;
  }
  if (parsed.operands.length !== 1) throw usage("record", "one FILE is wanted");
  const [path] = parsed.operands;
  const parameters = givenParameters(RECORD, parsed);
  const seconds = parseSeconds(parsed.values.seconds);
  let stopped = false;
  const stop = () => {
    stopped = true;
  };
  for (const signal of STOP_SIGNALS) Deno.addSignalListener(signal, stop);
  try {
    using device = new OssDevice(parsed.values.device!, O_RDONLY | O_NONBLOCK);
    device.setParameters(parameters);
    const file = new OutputFile(path, "wav", parameters);
    try {
      const frameBytes = parameters.format.bytes * parameters.channels;
      const frames = Math.round(seconds * parameters.rateHz);
      const progress = new Progress(seconds);
      for await (const done of copy(device, file, frameBytes, frames)) {
        progress.show(done / parameters.rateHz);
        if (stopped) break;
      }
      progress.end();
    } finally {
      file.close();
    }
    sayWhatWasLost(device);
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(EX_UNAVAILABLE, (error as Error).message);
  } finally {
    for (const signal of STOP_SIGNALS) Deno.removeSignalListener(signal, stop);
  }
  return 0;
}

function parseSeconds(text: string | undefined): number {
  if (text === undefined) return Infinity;
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  throw usage("record", `--seconds ${text}: a number is wanted`);
}

/**
 * Copies up to `frames` frames; yields how many have been copied whenever a signal may be attended to.
 */
async function* copy(
  device: OssDevice,
  file: OutputFile,
  frameBytes: number,
  frames: number,
): AsyncGenerator<number> {
  const buffer = new Uint8Array(Math.max(device.fragmentBytes(), 4096));
  let bytes = 0; // in the buffer: a read may end in the middle of a frame
  for (let done = 0; done < frames;) {
    // The descriptor is non-blocking, and poll(2) returns: so signals are heard of.
    poll(device.fd, POLLIN, POLL_LIMIT_MS);
    await new Promise((resolve) => setTimeout(resolve));
    const wanted = Math.min(buffer.length, (frames - done) * frameBytes) - bytes;
    const count = read(device.fd, bytes === 0 ? buffer : buffer.subarray(bytes), wanted);
    if (count === 0) return;
    if (count > 0) {
      bytes += count;
      const whole = Math.floor(bytes / frameBytes);
      file.write(buffer, whole);
      buffer.copyWithin(0, whole * frameBytes, bytes);
      bytes -= whole * frameBytes;
      done += whole;
    } else if (lastErrno() !== EINTR && lastErrno() !== EAGAIN) {
      throw new Failure(EX_UNAVAILABLE, `${device.path}: read: ${errnoText(lastErrno())}`);
    }
    yield done;
    while (!file.ready) { // a pipe with a slow reader
      await new Promise((resolve) => setTimeout(resolve, POLL_LIMIT_MS / 10));
      yield done;
    }
  }
}

function sayWhatWasLost(device: OssDevice): void {
  try {
    device.call("SNDCTL_DSP_GETERROR", IOR("P", 25, AudioErrInfo.$size));
  } catch {
    return; // not every OSS has that call
  }
  const overruns = device.argument.getInt32(AudioErrInfo.rec_overruns, true);
  if (overruns > 0) console.error(`ossp: record: sound was lost, in ${overruns} places`);
}
