// The control plane's end of a trace: takes what the data plane has put into the shared memory, and
// writes it down. A disk that is slow or full holds nobody up but this.

import { basename } from "node:path";
import type { Content } from "../script/statement.ts";
import { Assembler, type CallListener } from "./assembler.ts";
import { Listing } from "./listing.ts";
import { RecordRing } from "./record_ring.ts";
import type { TraceTarget } from "./tap.ts";
import { Transcript } from "./transcript.ts";

// What is written by programs between two looks must fit: a second of 64 streams of 192 kB/s.
const MEMORY_BYTES = 16 << 20;
const LOOK_EVERY_MS = 20;

/** What is to be traced where. */
export interface TraceOptions {
  /** The script; undefined for a listing on standard error. */
  readonly path: string | undefined;
  /** Whether what is written is kept, beside the script. */
  readonly keepsData: boolean;
  /** What the trace is of, on one line. */
  readonly title: string;
}

/** Where calls go, and how much of that is ready to be written. */
interface Destination {
  readonly listener: CallListener;
  write(): Promise<void>;
  end(): Promise<void>;
}

/** A trace that is being taken. */
export class Recorder {
  /** The data plane's end. */
  readonly target: TraceTarget;
  readonly #ring: RecordRing;
  readonly #assembler: Assembler;
  readonly #destination: Destination;
  readonly #warn: (message: string) => void;
  readonly #running: Promise<void>;
  #wake = () => {};
  #ending = false;
  #failed = false;

  /**
   * @param warn takes one line about a trace that cannot go on
   * @throws {Error} if a file cannot be written
   */
  constructor(options: TraceOptions, warn: (message: string) => void) {
    const { path, keepsData } = options;
    const memory = RecordRing.allocate(MEMORY_BYTES);
    this.target = { memory, keepsData: keepsData && path !== undefined };
    this.#ring = new RecordRing(memory);
    this.#warn = warn;
    this.#destination = path === undefined ? new ToTerminal() : new ToFiles(path, options);
    this.#assembler = new Assembler(this.#destination.listener);
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#ending) {
      await this.#look();
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = setTimeout(resolve, LOOK_EVERY_MS);
      if (!this.#ending) await promise;
      clearTimeout(timer);
    }
    await this.#look();
    await this.#try(() => this.#destination.end());
  }

  /** Takes all that is there, a piece of it at a time. */
  async #look(): Promise<void> {
    for (let isMore = true; isMore;) {
      isMore = false;
      await this.#try(() => {
        isMore = this.#takeRecords(MEMORY_BYTES / 4);
        return this.#destination.write();
      });
    }
  }

  /** Takes records up to a number of bytes; whether there may be more. */
  #takeRecords(limitBytes: number): boolean {
    for (let bytes = 0; bytes < limitBytes;) {
      const at = this.#ring.next();
      if (at < 0) return false;
      const length = this.#ring.view.getUint32(at, true);
      const record = new Uint8Array(length);
      record.set(this.#ring.bytes.subarray(at, at + length));
      this.#ring.release(at);
      bytes += length;
      this.#assembler.take(record);
    }
    return true;
  }

  /** Writes; if that fails, the trace is over, and the sound goes on. */
  async #try(write: () => Promise<void>): Promise<void> {
    if (this.#failed) return;
    try {
      await write();
    } catch (error) {
      this.#failed = true;
      this.#warn(`the trace ends here: ${(error as Error).message}`);
    }
  }

  /** Writes the rest, once the data plane has ended. */
  async end(): Promise<void> {
    this.#ending = true;
    this.#wake();
    await this.#running;
  }
}

/** A listing on standard error. */
class ToTerminal implements Destination {
  readonly listener = new Listing((text) => this.#text += text);
  #text = "";

  async write(): Promise<void> {
    const bytes = new TextEncoder().encode(this.#text);
    this.#text = "";
    for (let at = 0; at < bytes.length;) at += await Deno.stderr.write(bytes.subarray(at));
  }

  end(): Promise<void> {
    return this.write();
  }
}

/** A script, and a file of what was written. */
class ToFiles implements Destination {
  readonly listener: Transcript;
  readonly #script: Deno.FsFile;
  readonly #data: Deno.FsFile | undefined;
  readonly #dataName: string;
  readonly #pieces: Uint8Array<ArrayBuffer>[] = [];
  #dataBytes = 0;

  constructor(path: string, { keepsData, title }: TraceOptions) {
    this.#script = create(path);
    this.#dataName = `${basename(path)}.data`;
    this.#data = keepsData ? create(`${path}.data`) : undefined;
    this.listener = new Transcript(title, (data) => this.#content(data));
  }

  #content(data: Uint8Array<ArrayBuffer> | undefined): Content {
    if (!data || data.every((byte) => byte === 0)) return { signal: "zeros" };
    const offset = this.#dataBytes;
    this.#pieces.push(data);
    this.#dataBytes += data.length;
    return { file: this.#dataName, offset: String(offset) };
  }

  async write(): Promise<void> {
    const text = this.listener.take();
    // A script never names what is not there.
    for (const piece of this.#pieces.splice(0)) await writeAll(this.#data!, piece);
    await writeAll(this.#script, new TextEncoder().encode(text));
  }

  async end(): Promise<void> {
    await this.write();
    await writeAll(this.#script, new TextEncoder().encode(this.listener.finish()));
    await this.write();
    this.#script.close();
    this.#data?.close();
  }
}

function create(path: string): Deno.FsFile {
  return Deno.openSync(path, { write: true, create: true, truncate: true });
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}
