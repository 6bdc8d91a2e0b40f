// The sink that gives each stream a file of its own, in the stream's own format, bit for bit.

import type { FileCalls } from "../../ffi/file_calls.ts";
import type { ClockKind } from "../pcm/clock.ts";
import { ClockedStream } from "./null.ts";
import { type FileKind, OutputFile } from "./output.ts";
import type { Client, PcmParameters, Sink, SinkStream } from "./sink.ts";

const PLACEHOLDER = /%[npc%]/g;

/** Whether a path names a file for each stream: it holds %n, %p or %c. */
export function isPattern(path: string): boolean {
  return /%[npc]/.test(path.replaceAll("%%", ""));
}

/** A path's pattern filled in: %n stream number, %p process id, %c command name, %% a percent sign. */
export function fillPattern(path: string, streamNumber: number, client: Client): string {
  return path.replace(PLACEHOLDER, (placeholder) => {
    switch (placeholder[1]) {
      case "n":
        return String(streamNumber);
      case "p":
        return String(client.pid);
      case "c":
        return fileName(client.command);
      default:
        return "%";
    }
  });
}

// A program chooses its own name: it must not lead out of the folder.
function fileName(command: string): string {
  const name = command.replaceAll(/[/\0]/g, "_");
  return name === "." || name === ".." || name === "" ? "_" : name;
}

/** A file a stream. */
export class FilesSink implements Sink {
  readonly #used = new Set<string>();
  #streams = 0;

  /**
   * @param pattern the path, with placeholders as `fillPattern` has them
   * @param kind what the files are
   * @param clock how the streams keep time
   * @param calls how the files' system calls are made
   */
  constructor(
    readonly pattern: string,
    readonly kind: FileKind,
    readonly clock: ClockKind,
    readonly calls: FileCalls,
  ) {}

  open(parameters: PcmParameters, client: Client): SinkStream {
    const path = this.#unused(fillPattern(this.pattern, ++this.#streams, client));
    const file = new OutputFile(path, this.kind, parameters, this.calls);
    return new FileStream(this.clock, parameters.rateHz, file);
  }

  // Two streams of one name, as %c alone gives, keep a file each.
  #unused(path: string): string {
    if (this.pattern.includes("%n")) return path;
    let candidate = path;
    const dot = path.indexOf(".", path.lastIndexOf("/") + 2);
    for (let i = 2; this.#used.has(candidate); i++) {
      candidate = dot < 0 ? `${path}-${i}` : `${path.slice(0, dot)}-${i}${path.slice(dot)}`;
    }
    this.#used.add(candidate);
    return candidate;
  }

  close(): void {}
}

class FileStream extends ClockedStream {
  readonly #file: OutputFile;

  constructor(clock: ClockKind, rateHz: number, file: OutputFile) {
    super(clock, rateHz);
    this.#file = file;
  }

  override room(nowMs: number, aheadFrames: number): number {
    return this.#file.ready ? super.room(nowMs, aheadFrames) : 0;
  }

  override timeOfRoom(frames: number, nowMs: number, aheadFrames: number): number {
    const due = super.timeOfRoom(frames, nowMs, aheadFrames);
    return Math.max(due, this.#file.ready ? 0 : nowMs + READY_RETRY_MS);
  }

  override write(bytes: Uint8Array<ArrayBuffer>, frames: number, nowMs: number): void {
    super.write(bytes, frames, nowMs);
    this.#file.write(bytes, frames);
  }

  override unkeptFrames(): number {
    return this.#file.unkeptFrames();
  }

  override close(): void {
    this.#file.close();
  }
}

/** How long to wait for a pipe whose reader is slow, or for a disk. */
export const READY_RETRY_MS = 5;
