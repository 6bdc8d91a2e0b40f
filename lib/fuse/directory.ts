// The mounted directory of the fuse front end: a flat list of device files. Each LOOKUP of a name
// hands out a new node, so that each open has an inode, and so a page cache, of its own.
//
// They are regular files, for the kernel would open a character device's driver itself. But who only
// looks is told that they are character devices, as SDL 2 and others want it before they open them.

import { EACCES, ENOENT, ENOTDIR } from "../../ffi/libc.ts";
import { setU64 } from "../struct.ts";
import { Attr, AttrOut, Dirent, EntryOut, FUSE_ROOT_ID } from "./abi.ts";
import type { CharacterDevice, Device } from "./device.ts";

const S_IFCHR = 0o020000;
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
// Writes within the size may run in parallel, and no write(2) is longer than this.
const DEVICE_BYTES = 0x7fff_f000;

// Not what the files of another file system have: a descriptor is known by it ("ossp" in ASCII).
const FIRST_INODE = 0x6f737370_0000;

const DT_DIR = 4;
const DT_REG = 8;

interface Node {
  readonly device: Device;
  /** The number of the character device that it seems to be; undefined for a regular file. */
  readonly rdev: number | undefined;
  /** The inode number that programs see: the same for each node of one device. */
  readonly inode: number;
  /** References that the kernel holds; FORGET takes them back. */
  lookups: number;
}

/** A directory of devices and the nodes that the kernel knows of it. */
export class Directory {
  readonly #devices: readonly CharacterDevice[];
  readonly #names = new Map<string, number>();
  readonly #nodes = new Map<number, Node>();
  readonly #encoder = new TextEncoder();
  readonly #owner = { uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 };
  readonly #createdSeconds = Math.floor(Date.now() / 1000);
  #nextNode = FUSE_ROOT_ID + 1;

  constructor(devices: readonly CharacterDevice[]) {
    this.#devices = devices;
    devices.forEach(({ device }, i) => this.#names.set(device.name, i));
  }

  /** How many nodes the kernel holds a reference to, the root not counted. */
  get nodeCount(): number {
    return this.#nodes.size;
  }

  /**
   * A new node for a name in the directory `parent`.
   *
   * @param looks whether it is only for the file's attributes, and never opened
   * @param create whether a name that is not there is a refused creation, not a missing file
   * @returns the node id, or -errno
   */
  lookup(parent: number, name: string, looks: boolean, create = false): number {
    if (parent !== FUSE_ROOT_ID) return -ENOTDIR;
    const index = this.#names.get(name);
    if (index === undefined) return create ? -EACCES : -ENOENT;
    const nodeid = this.#nextNode++;
    const { device, major, minor } = this.#devices[index];
    const rdev = looks ? rdevOf(major, minor) : undefined;
    this.#nodes.set(nodeid, { device, rdev, inode: inodeOf(index), lookups: 1 });
    return nodeid;
  }

  /** Takes back `lookups` of the kernel's references to a node. */
  forget(nodeid: number, lookups: number): void {
    const node = this.#nodes.get(nodeid);
    if (!node) return;
    node.lookups -= lookups;
    if (node.lookups <= 0) this.#nodes.delete(nodeid);
  }

  /** The device behind a node. */
  device(nodeid: number): Device | undefined {
    return this.#nodes.get(nodeid)?.device;
  }

  /** The inode number that programs see of a node's file, undefined when there is no such node. */
  inode(nodeid: number): number | undefined {
    return this.#nodes.get(nodeid)?.inode;
  }

  /** Writes a `fuse_entry_out`; the kernel may not keep the name, which stands for the next node. */
  writeEntry(nodeid: number, view: DataView, at: number): void {
    setU64(view, at + EntryOut.nodeid, nodeid);
    for (let i = EntryOut.generation; i < EntryOut.attr; i += 4) view.setUint32(at + i, 0, true);
    this.#writeAttr(nodeid, view, at + EntryOut.attr);
  }

  /** Writes a `fuse_attr_out`; false when there is no such node. */
  writeAttributes(nodeid: number, view: DataView, at: number): boolean {
    if (nodeid !== FUSE_ROOT_ID && !this.#nodes.has(nodeid)) return false;
    for (let i = 0; i < AttrOut.attr; i += 4) view.setUint32(at + i, 0, true);
    this.#writeAttr(nodeid, view, at + AttrOut.attr);
    return true;
  }

  #writeAttr(nodeid: number, view: DataView, at: number): void {
    const node = this.#nodes.get(nodeid);
    for (let i = 0; i < Attr.$size; i += 4) view.setUint32(at + i, 0, true);
    setU64(view, at + Attr.ino, node?.inode ?? FUSE_ROOT_ID);
    setU64(view, at + Attr.size, node ? node.device.bytes ?? DEVICE_BYTES : 0);
    setU64(view, at + Attr.atime, this.#createdSeconds);
    setU64(view, at + Attr.mtime, this.#createdSeconds);
    setU64(view, at + Attr.ctime, this.#createdSeconds);
    const type = node?.rdev === undefined ? S_IFREG : S_IFCHR;
    const mode = node ? type | (node.device.mode ?? 0o666) : S_IFDIR | 0o755;
    view.setUint32(at + Attr.mode, mode, true);
    view.setUint32(at + Attr.rdev, node?.rdev ?? 0, true);
    // In a user namespace there may be no other user, and nobody may write to a file of none.
    view.setUint32(at + Attr.uid, this.#owner.uid, true);
    view.setUint32(at + Attr.gid, this.#owner.gid, true);
    view.setUint32(at + Attr.nlink, node ? 1 : 2, true);
    view.setUint32(at + Attr.blksize, 4096, true);
  }

  /**
   * Writes the entries from number `offset` on as `fuse_dirent` records.
   *
   * @param data where the records go; `view` and `at` name the same place
   * @param limit the most bytes
   * @returns the bytes written
   */
  writeEntries(
    offset: number,
    data: Uint8Array<ArrayBuffer>,
    view: DataView,
    at: number,
    limit: number,
  ): number {
    const names = [".", "..", ...this.#names.keys()];
    let used = 0;
    for (let i = offset; i < names.length; i++) {
      const name = this.#encoder.encode(names[i]);
      const record = Math.ceil((Dirent.$size + name.length) / 8) * 8;
      if (used + record > limit) break;
      setU64(view, at + used + Dirent.ino, i < 2 ? FUSE_ROOT_ID : inodeOf(i - 2));
      setU64(view, at + used + Dirent.off, i + 1);
      view.setUint32(at + used + Dirent.namelen, name.length, true);
      view.setUint32(at + used + Dirent.type, i < 2 ? DT_DIR : DT_REG, true);
      data.fill(0, used + Dirent.$size, used + record);
      data.set(name, used + Dirent.$size);
      used += record;
    }
    return used;
  }
}

/** A device number as the kernel's new_encode_dev has it. */
function rdevOf(major: number, minor: number): number {
  return minor & 0xff | major << 8 | (minor & ~0xff) << 12;
}

function inodeOf(index: number): number {
  return FIRST_INODE + index;
}
