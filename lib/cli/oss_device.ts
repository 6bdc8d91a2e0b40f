// An OSS device as the clients among the subcommands use it: by the system calls that any program
// would make.

import { close, ioctl, lastErrno, open, SystemError } from "../../ffi/libc.ts";
import type { PcmParameters } from "../backend/sink.ts";
import { MAX_CHANNELS, MAX_RATE_HZ } from "../oss/parameters.ts";
import { IOWR } from "../oss/soundcard.ts";
import { formatByName, FORMATS } from "../pcm/format.ts";
import { EX_UNAVAILABLE, Failure } from "./failure.ts";
import { type Option, type Parsed, type Subcommand, wholeNumber } from "./options.ts";

/** The option that names the device. */
export const DEVICE_OPTION: Option = {
  name: "device",
  value: "PATH",
  default: "/dev/dsp",
  about: "the device",
};

/**
 * The options --format, --rate and --channels.
 *
 * @param what they are said to be of
 * @param format the default of --format; undefined for none
 */
export function parameterOptions(what: string, format?: string): Option[] {
  return [
    {
      name: "format",
      value: "FORMAT",
      choices: FORMATS.map(({ name }) => name),
      default: format,
      about: what,
    },
    { name: "rate", value: "HZ", default: "48000", about: what },
    { name: "channels", value: "N", default: "2", about: what },
  ];
}

/** What `parameterOptions` have been given; --format has a value. */
export function givenParameters(command: Subcommand, parsed: Parsed): PcmParameters {
  return {
    format: formatByName(parsed.values.format!)!,
    rateHz: wholeNumber(command, parsed, "rate", 1, MAX_RATE_HZ),
    channels: wholeNumber(command, parsed, "channels", 1, MAX_CHANNELS),
  };
}

// Larger than any struct that a client of ours passes.
const MOST_ARGUMENT_BYTES = 4096;

/** An open device, closed when disposed of. */
export class OssDevice implements Disposable {
  readonly fd: number;
  /** The argument of the last call. */
  readonly argument: DataView<ArrayBuffer>;
  readonly #argumentBytes = new Uint8Array(MOST_ARGUMENT_BYTES);

  /** @throws {SystemError} if it cannot be opened */
  constructor(readonly path: string, flags: number) {
    this.argument = new DataView(this.#argumentBytes.buffer);
    this.fd = open(path, flags);
  }

  /**
   * An ioctl(2) whose argument, if it has one, begins with an int.
   *
   * @returns that int as it comes back
   * @throws {SystemError} if the call fails
   */
  call(name: string, request: number, value = 0): number {
    this.argument.setInt32(0, value, true);
    if (ioctl(this.fd, request, this.#argumentBytes) < 0) {
      throw new SystemError(lastErrno(), name, this.path);
    }
    return this.argument.getInt32(0, true);
  }

  /**
   * Sets format, channels and rate.
   *
   * @throws {Failure} if the device has others
   */
  setParameters(parameters: PcmParameters): void {
    const settings: [name: string, request: number, wanted: number][] = [
      ["SNDCTL_DSP_SETFMT", IOWR("P", 5), parameters.format.afmt],
      ["SNDCTL_DSP_CHANNELS", IOWR("P", 6), parameters.channels],
      ["SNDCTL_DSP_SPEED", IOWR("P", 2), parameters.rateHz],
    ];
    for (const [name, request, wanted] of settings) {
      const got = this.call(name, request, wanted);
      if (got !== wanted) {
        throw new Failure(
          EX_UNAVAILABLE,
          `${this.path}: ${name}: ${wanted} was asked for and ${got} was given ` +
            "(convert to what the device has)",
        );
      }
    }
  }

  /** The bytes of a fragment. */
  fragmentBytes(): number {
    return this.call("SNDCTL_DSP_GETBLKSIZE", IOWR("P", 4));
  }

  [Symbol.dispose](): void {
    close(this.fd);
  }
}
