// A script as a tree: what parser.ts reads, printer.ts writes and the runner carries out. Numbers and
// what they are compared with stay as they are written (amount.ts, matcher.ts), for they may depend
// on what the device says.

/** The signals that can be written, and found in what was read. */
export const SIGNALS = ["zeros", "tone", "noise", "ramp"] as const;

export type Signal = typeof SIGNALS[number];

/** Samples: made up, or out of a file from a byte on. */
export type Content =
  | { readonly signal: Signal }
  | { readonly file: string; readonly offset: string };

/** The ways to open a device. */
export const MODES = ["rdonly", "wronly", "rdwr"] as const;

export type Mode = typeof MODES[number];

/** What poll(2) is asked. */
export const POLL_EVENTS = ["in", "out", "both"] as const;

export type PollEvents = typeof POLL_EVENTS[number];

/** What a device must have for a test to be run. */
export const NEEDS = [
  "capture",
  "clock",
  "duplex",
  "fault",
  "loop",
  "mixer",
  "mmap",
  "multi",
  "oss4",
  "trigger",
] as const;

export type Need = typeof NEEDS[number];

/** What can be made to go wrong, and what each takes. */
export const FAULTS = {
  "none": "nothing",
  "sink-error": "errno",
  "sink-open": "errno",
  "sink-slow": "duration",
  "short-write": "count",
  "source-error": "errno",
  "server-lost": "duration",
  "clock-late": "duration",
} as const;

export type Fault = keyof typeof FAULTS;

/** What a statement does. */
export type Action =
  | {
    readonly do: "open";
    /** A device's name, or a path. */
    readonly device: string;
    readonly mode: Mode;
    readonly nonblock: boolean;
    readonly excl: boolean;
    /** The descriptor's name, where it is not the device's. */
    readonly as?: string;
  }
  | { readonly do: "close" }
  | { readonly do: "dup"; readonly as: string }
  /** fcntl(2): O_NONBLOCK. */
  | { readonly do: "nonblock"; readonly on: boolean }
  | {
    readonly do: "call";
    /** A row's name (names.ts). */
    readonly name: string;
    /** The int that it takes. */
    readonly value?: string;
    /** The fields of the struct that it takes. */
    readonly fields?: Readonly<Record<string, string>>;
  }
  /** An ioctl by number, with the bytes of its argument in hex. */
  | { readonly do: "ioctl"; readonly command: string; readonly bytes: string }
  | { readonly do: "write"; readonly content: Content; readonly length: string }
  | { readonly do: "read"; readonly length: string }
  | { readonly do: "poll"; readonly events: PollEvents; readonly timeout: string }
  | { readonly do: "wait"; readonly duration: string }
  | { readonly do: "at"; readonly duration: string }
  | { readonly do: "mmap"; readonly length: string; readonly as: string }
  | { readonly do: "munmap"; readonly mapping: string }
  | {
    readonly do: "poke";
    readonly mapping: string;
    readonly offset: string;
    readonly content: Content;
    readonly length: string;
  }
  | {
    readonly do: "peek";
    readonly mapping: string;
    readonly offset: string;
    readonly length: string;
  }
  | { readonly do: "fork"; readonly body: readonly Statement[] }
  | { readonly do: "join" }
  /** Sends the last child a signal: TERM, KILL, USR1. */
  | { readonly do: "kill"; readonly signal: string }
  | { readonly do: "needs"; readonly needs: readonly Need[] }
  | { readonly do: "fault"; readonly fault: Fault; readonly argument?: string };

/** What a statement's result must be: one of the errnos, or else all of the rest. */
export interface Expectation {
  /** Names of errnos, one of which it must, or may, fail with. */
  readonly errnos?: readonly string[];
  /** Of the int that comes back: a matcher. */
  readonly value?: string;
  /** Of fields of the struct that comes back: matchers. */
  readonly fields?: Readonly<Record<string, string>>;
  /** What has been read. */
  readonly content?: Content | "*";
  /** What poll(2) has said: in, out, both, error, - for nothing, or several with a bar between. */
  readonly events?: string;
}

/** One line of a script, and the block under it. */
export interface Statement {
  /** Its number in the file, from 1 on; 0 for one that was made up. */
  readonly line: number;
  /** The descriptor that it is about; the latest one that was opened where it does not say. */
  readonly on?: string;
  readonly action: Action;
  /** Without one it must succeed. */
  readonly expected?: Expectation;
  /** The most and the least time that it may take. */
  readonly within?: string;
  readonly after?: string;
}

/** A test: what is done between nothing open and everything closed. */
export interface Test {
  readonly name: string;
  readonly line: number;
  readonly body: readonly Statement[];
}

/** A file. */
export interface Script {
  readonly path: string;
  readonly tests: readonly Test[];
}
