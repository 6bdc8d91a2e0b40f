// What a test has mapped: memory by name, which its statements change and look at.

import { map, type SharedMemory, unmap } from "../../ffi/libc.ts";
import type { Descriptor } from "./descriptor.ts";

/** A part of a mapping. */
export interface Part {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The descriptor that was mapped. */
  readonly of: Descriptor;
}

/** The mappings of one process of a test. */
export class Mappings {
  readonly #known = new Map<string, { readonly memory: SharedMemory; readonly of: Descriptor }>();

  /**
   * mmap(2), shared, of `length` bytes; writable where the descriptor is.
   *
   * @throws {SystemError} if it is refused
   */
  map(name: string, of: Descriptor, length: number): void {
    this.#known.set(name, { memory: map(of.fd, length, of.mode === "rdwr"), of });
  }

  #find(name: string) {
    const found = this.#known.get(name);
    if (!found) throw new Error(`nothing is mapped as ${name}`);
    return found;
  }

  /** @throws {Error} if it is not all in the mapping */
  part(name: string, offset: number, length: number): Part {
    const { memory: { bytes }, of } = this.#find(name);
    if (offset < 0 || offset + length > bytes.length) {
      throw new Error(`${name} has ${bytes.length} bytes`);
    }
    return { bytes: bytes.subarray(offset, offset + length), of };
  }

  /** munmap(2). */
  unmap(name: string): void {
    unmap(this.#find(name).memory);
    this.#known.delete(name);
  }

  /** munmap(2) of all. */
  clear(): void {
    for (const { memory } of this.#known.values()) unmap(memory);
    this.#known.clear();
  }
}
