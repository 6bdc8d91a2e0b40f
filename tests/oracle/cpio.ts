// The archive format of a Linux kernel's initial file system: cpio, "newc", as the kernel's
// Documentation/driver-api/early-userspace/buffer-format.rst has it.

/** One file of an archive; folders come before what is in them. */
export interface CpioFile {
  /** Path without a leading slash. */
  readonly name: string;
  /** As in stat's st_mode: type and permissions. */
  readonly mode: number;
  /** A symbolic link's is its target; a folder has none. */
  readonly data?: Uint8Array | string;
}

/** Headers' ends and files' ends are at multiples of this. */
const ALIGNMENT = 4;

/** @returns the archive, uncompressed, with every file root's */
export function cpio(files: readonly CpioFile[]): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const parts: Uint8Array[] = [];
  const push = (bytes: Uint8Array) =>
    parts.push(bytes, new Uint8Array((ALIGNMENT - bytes.length % ALIGNMENT) % ALIGNMENT));
  for (const [index, { name, mode, data = "" }] of [...files, TRAILER].entries()) {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    const path = encoder.encode(`${name}\0`);
    const header = [
      index + 1, // inode
      mode,
      ...[0, 0], // user, group
      1, // links
      0, // time
      bytes.length,
      ...[0, 0], // device of the file system
      ...[0, 0], // device, of a device file
      path.length,
      0, // checksum
    ].map((field) => field.toString(16).padStart(8, "0")).join("");
    push(Uint8Array.of(...encoder.encode(`070701${header}`), ...path));
    push(bytes);
  }
  const archive = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    archive.set(part, offset);
    offset += part.length;
  }
  return archive;
}

const TRAILER: CpioFile = { name: "TRAILER!!!", mode: 0 };
