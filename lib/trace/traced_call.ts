// What a trace tells: the system calls that programs have made on the devices, in their own terms.

/** An open device file. */
export interface TracedFile {
  /** The device's name, e.g. "dsp". */
  readonly device: string;
  /** What a script calls a device of this kind, e.g. "dsp". */
  readonly kind: string;
  /** The flags of open(2). */
  readonly flags: number;
  /** Who has opened it: the process, 0 where that is not known, and its name. */
  readonly process: number;
  readonly command: string;
}

/** A read(2) or a write(2). */
export interface Transfer {
  readonly length: number;
  /** Whether the descriptor has O_NONBLOCK. */
  readonly flagged: boolean;
  /** Whether it may not wait, because of that or of SNDCTL_DSP_NONBLOCK. */
  readonly nonblocking: boolean;
}

/** What a call is, what was asked and what came back. */
export type Request =
  | { readonly kind: "open" | "close" | "fsync" }
  /** A descriptor of several has been closed. */
  | { readonly kind: "flush" }
  | (Transfer & { readonly kind: "read" })
  | (Transfer & {
    readonly kind: "write";
    /** What was to be written, if that was kept. */
    readonly data: Uint8Array<ArrayBuffer> | undefined;
  })
  | {
    readonly kind: "ioctl";
    readonly command: number;
    readonly input: Uint8Array<ArrayBuffer>;
    output: Uint8Array<ArrayBuffer>;
  }
  | {
    readonly kind: "poll";
    /** POLLIN and so on: what was waited for, and what there is. */
    readonly events: number;
    revents: number;
    /** Whether it sleeps if there is nothing. */
    readonly slept: boolean;
  }
  /** A page of a mapping is touched for the first time. */
  | { readonly kind: "touch"; readonly offset: number; readonly length: number };

/** The stream behind a file when a call was made; all 0 for a mixer. */
export interface TracedStream {
  readonly fragmentBytes: number;
  readonly bufferBytes: number;
  readonly bytesPerSecond: number;
}

/** A call, when it began and, once it has, when and how it ended. */
export interface TracedCall {
  readonly file: TracedFile;
  /** The thread that made it. */
  readonly pid: number;
  readonly stream: TracedStream;
  readonly request: Request;
  /** Milliseconds. */
  readonly startMs: number;
  /** When it was answered; NaN until then. */
  endMs: number;
  /** What it returned: 0 or more, or -errno. */
  result: number;
  /** Whether a signal came before it had ended. */
  interrupted: boolean;
}
