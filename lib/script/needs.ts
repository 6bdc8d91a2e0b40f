// What a device is and has, found out by asking it: whether a test that needs something can be run.

import { close, ioctl, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY, open } from "../../ffi/libc.ts";
import { DSP_CAP_DUPLEX, DSP_CAP_MMAP, DSP_CAP_TRIGGER, IOR } from "../oss/soundcard.ts";
import type { Place } from "./children.ts";
import { rowNamed } from "./names.ts";
import type { Need } from "./statement.ts";

/** Answers for one place, each question once. */
export class Needs {
  readonly #place: Place;
  readonly #exact: boolean;
  readonly #known = new Map<Need, boolean>();

  /** @param exact whether the time is the script's own */
  constructor(place: Place, exact: boolean) {
    this.#place = place;
    this.#exact = exact;
  }

  /** The path of a device: of another one than the dsp it is beside it, named as the dsp is. */
  path(device: string): string {
    if (device.includes("/")) return device;
    const { device: dsp, loop } = this.#place;
    if (loop && (device === "loop0" || device === "loop1")) return loop[device === "loop0" ? 0 : 1];
    if (device === "dsp") return dsp;
    const [, folder, name] = dsp.match(/^(.*\/)?([^/]*)$/)!;
    const at = name.lastIndexOf("dsp");
    const beside = at < 0 ? device : name.slice(0, at) + device + name.slice(at + 3);
    return (folder ?? "") + beside;
  }

  /** Whether the device has what is needed. */
  met(need: Need): boolean {
    const known = this.#known.get(need) ?? this.#ask(need);
    this.#known.set(need, known);
    return known;
  }

  #ask(need: Need): boolean {
    const canOpen = (device: string, flags: number) => this.#with(device, flags, () => true);
    const caps = (mask: number) => this.#with("dsp", O_RDWR, (fd) => (capsOf(fd) & mask) !== 0);
    switch (need) {
      case "clock":
      case "fault":
        return this.#exact;
      case "capture":
        return canOpen("dsp", O_RDONLY);
      case "duplex":
        return caps(DSP_CAP_DUPLEX);
      case "mmap":
        return caps(DSP_CAP_MMAP);
      case "trigger":
        return caps(DSP_CAP_TRIGGER);
      case "multi":
        return this.#with("dsp", O_WRONLY, () => canOpen("dsp", O_WRONLY));
      case "mixer":
        return canOpen("mixer", O_RDONLY);
      case "loop":
        return canOpen("loop0", O_WRONLY) && canOpen("loop1", O_RDONLY);
      case "oss4":
        // The kernel's mixer takes SYSINFO for a level, its dsp does not.
        return this.#with("dsp", O_WRONLY, answersSysinfo);
    }
  }

  #with(device: string, flags: number, ask: (fd: number) => boolean): boolean {
    let fd;
    try {
      fd = open(this.path(device), flags | O_NONBLOCK);
    } catch {
      return false;
    }
    try {
      return ask(fd);
    } finally {
      close(fd);
    }
  }
}

function capsOf(fd: number): number {
  const argument = new Uint8Array(4);
  if (ioctl(fd, IOR("P", 15), argument) < 0) return 0;
  return new DataView(argument.buffer).getInt32(0, true);
}

function answersSysinfo(fd: number): boolean {
  try {
    const { command, argument } = rowNamed("SNDCTL_SYSINFO");
    const size = typeof argument === "string" ? 4 : argument.$size;
    return ioctl(fd, command, new Uint8Array(size)) >= 0;
  } catch {
    return false; // ossp has no such call
  }
}
