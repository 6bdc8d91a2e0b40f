// The names by which a trace tells open files apart: dsp, dsp2, dsp3 ..., mixer.

import { scriptDevice } from "./statement.ts";
import type { TracedFile } from "./traced_call.ts";

/** Names of the files that are open. A name that is free is given again. */
export class Descriptors {
  readonly #names = new Map<TracedFile, string>();

  /** Names a file that has been opened, or could not be. */
  opened(file: TracedFile): string {
    const device = scriptDevice(file);
    const taken = new Set(this.#names.values());
    let name = device;
    for (let number = 2; taken.has(name); number++) name = `${device}${number}`;
    this.#names.set(file, name);
    return name;
  }

  /** The name of an open file. */
  nameOf(file: TracedFile): string {
    return this.#names.get(file) ?? this.opened(file);
  }

  /** The file is not open any more. */
  closed(file: TracedFile): void {
    this.#names.delete(file);
  }
}
