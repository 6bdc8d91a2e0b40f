// An open descriptor of a script: the device's parameters, and how far its signals have gone.

import {
  close,
  ioctl,
  lastErrno,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  open,
  setInherited,
} from "../../ffi/libc.ts";
import { IOR, IOWR } from "../oss/soundcard.ts";
import { formatByAfmt, formatByName } from "../pcm/format.ts";
import { type Duration, durationMs } from "./amount.ts";
import type { SampleParameters } from "./samples.ts";
import type { Mode } from "./statement.ts";

const O_EXCL = 0o200;

const FLAGS = { rdonly: O_RDONLY, wronly: O_WRONLY, rdwr: O_RDWR };

/** What a process that inherits a descriptor is told of it. */
export interface Inherited {
  readonly name: string;
  readonly path: string;
  readonly mode: Mode;
  readonly fd: number;
}

/** One descriptor. */
export class Descriptor implements Inherited {
  /** Bytes of the signals that have been written and read. */
  written = 0;
  read = 0;
  readonly fd: number;
  #parameters: (SampleParameters & { readonly fragmentBytes: number }) | undefined;

  constructor(readonly name: string, readonly path: string, readonly mode: Mode, fd: number) {
    this.fd = fd;
  }

  /** @throws {SystemError} if the device cannot be opened */
  static open(
    name: string,
    path: string,
    mode: Mode,
    { nonblock, excl }: { nonblock: boolean; excl: boolean },
  ): Descriptor {
    const fd = open(path, FLAGS[mode] | (nonblock ? O_NONBLOCK : 0) | (excl ? O_EXCL : 0));
    setInherited(fd, true);
    return new Descriptor(name, path, mode, fd);
  }

  /** Forgets what the device was: a call may have changed it. */
  forget(): void {
    this.#parameters = undefined;
  }

  /** What the device is, as it says itself. */
  get parameters(): SampleParameters & { readonly fragmentBytes: number } {
    if (this.#parameters) return this.#parameters;
    const ask = (command: number) => {
      const argument = new Uint8Array(4);
      if (ioctl(this.fd, command, argument) < 0) return 0;
      return new DataView(argument.buffer).getInt32(0, true);
    };
    const AFMT_QUERY_CALL = IOWR("P", 5);
    const format = formatByAfmt(ask(AFMT_QUERY_CALL)) ?? formatByName("u8")!;
    const rateHz = ask(IOR("P", 2)) || 8000;
    const channels = ask(IOR("P", 6)) || 1;
    const fragmentBytes = ask(IOWR("P", 4)) || 1024;
    return this.#parameters = { format, rateHz, channels, fragmentBytes };
  }

  get #bytesPerMs(): number {
    const { format, rateHz, channels } = this.parameters;
    return format.bytes * channels * rateHz / 1000;
  }

  /** What a fragment takes to play. */
  get fragmentMs(): number {
    return this.parameters.fragmentBytes / this.#bytesPerMs;
  }

  /** The bytes that are played in a time: whole frames. */
  bytesOf(duration: Duration): number {
    if (duration.unit === "f") return Math.round(duration.count * this.parameters.fragmentBytes);
    const { format, channels, rateHz } = this.parameters;
    const frames = Math.round(durationMs(duration, () => 0) * rateHz / 1000);
    return frames * format.bytes * channels;
  }

  /** ioctl(2): the result, or -errno. */
  ioctl(command: number, argument: Uint8Array<ArrayBuffer>): number {
    const result = ioctl(this.fd, command, argument);
    return result < 0 ? -lastErrno() : result;
  }

  close(): void {
    close(this.fd);
  }
}
