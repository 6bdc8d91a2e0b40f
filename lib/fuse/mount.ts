// The fuse front end: a mounted directory of device files.

import {
  MNT_DETACH,
  mount,
  MS_NODEV,
  MS_NOSUID,
  O_NONBLOCK,
  O_RDWR,
  open,
  poll,
  POLLIN,
  umount,
} from "../../ffi/libc.ts";
import { Channel } from "./channel.ts";
import type { Directory } from "./directory.ts";

/** The type of our mounts in /proc/self/mountinfo. */
export const MOUNT_TYPE = "fuse.ossp";

const INIT_TIMEOUT_MS = 5000;

/** Where the kernel takes new FUSE connections. */
export const FUSE_PATH = "/dev/fuse";

/**
 * Mounts a directory of devices on an existing folder and returns its channel. Needs
 * CAP_SYS_ADMIN in the user namespace that /dev/fuse is opened in.
 *
 * @throws {SystemError} if /dev/fuse cannot be opened or the mount is refused
 */
export function mountDirectory(
  path: string,
  directory: Directory,
  warn: (message: string) => void,
): Channel {
  const channel = new Channel(open(FUSE_PATH, O_RDWR | O_NONBLOCK), { directory }, warn);
  const options = [
    `fd=${channel.fd}`,
    "rootmode=40755",
    `user_id=${Deno.uid()}`,
    `group_id=${Deno.gid()}`,
    "allow_other", // programs that change their uid keep their sound
    "default_permissions",
  ];
  try {
    mount("ossp", path, MOUNT_TYPE, MS_NOSUID | MS_NODEV, options.join(","));
    // INIT is there as soon as the mount is.
    while (!channel.session.ready && poll(channel.fd, POLLIN, INIT_TIMEOUT_MS) !== 0) {
      if (!channel.readAndServe()) throw new Error(`${path}: the kernel has ended the connection`);
    }
  } catch (error) {
    channel.close();
    throw error;
  }
  return channel;
}

/** Unmounts; files that are still open stay so until their channel closes. */
export function unmountDirectory(path: string): void {
  umount(path, MNT_DETACH);
}

/** Whether `path` is a mount whose server has died: it answers ENOTCONN to everything. */
export function isStaleMount(path: string): boolean {
  try {
    Deno.statSync(path);
    return false;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ENOTCONN";
  }
}
