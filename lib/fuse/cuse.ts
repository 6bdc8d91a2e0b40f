// The cuse front end: a character device of its own, made through /dev/cuse.

import { O_NONBLOCK, O_RDWR, open, poll, POLLIN } from "../../ffi/libc.ts";
import { Channel } from "./channel.ts";
import type { CharacterDevice } from "./device.ts";

/** Where the kernel takes requests for new character devices. */
export const CUSE_PATH = "/dev/cuse";

const INIT_TIMEOUT_MS = 5000;

/**
 * Makes a character device and returns its channel. The kernel has made the device, and devtmpfs
 * its node in /dev, when this returns.
 *
 * @throws {SystemError} if /dev/cuse cannot be opened
 * @throws {Error} if the kernel refuses the device: its name or its numbers are taken
 */
export function createCharacterDevice(
  character: CharacterDevice,
  warn: (message: string) => void,
): Channel {
  const channel = new Channel(open(CUSE_PATH, O_RDWR | O_NONBLOCK), character, warn);
  // The device is made, or refused, inside the write of the answer to CUSE_INIT.
  while (!channel.session.ready) {
    if (poll(channel.fd, POLLIN, INIT_TIMEOUT_MS) === 0 || !channel.readAndServe()) break;
  }
  const { device, major, minor } = character;
  if (channel.session.ready && exists(`/sys/class/cuse/${device.name}`)) {
    openToAll(`/dev/${device.name}`, device.mode ?? 0o666);
    return channel;
  }
  channel.close();
  throw new Error(
    `/dev/${device.name}: the kernel refused the device (is its name or number ` +
      `${major}:${minor} taken by another driver?)`,
  );
}

/** Where no udev rule says who may open the device, everybody may. */
function openToAll(path: string, wanted: number): void {
  const { mode } = Deno.statSync(path);
  if (mode !== null && (mode & 0o077) === 0) Deno.chmodSync(path, wanted);
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
