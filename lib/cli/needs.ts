// What ossp needs of a machine: whether it is there, and what to do if it is not.

import { close, O_RDWR, open, SystemError } from "../../ffi/libc.ts";
import { findProgram, namespaceRefused } from "../daemon/namespace.ts";
import { CUSE_PATH } from "../fuse/cuse.ts";
import { FUSE_PATH } from "../fuse/mount.ts";
import { unavailable } from "./failure.ts";

/** Something that is needed for something. */
export interface Need {
  readonly what: string;
  /** Why it cannot be had; undefined if it can. */
  readonly refusal: string | undefined;
  /** What to do then. */
  readonly mend: string;
}

/** Ends the subcommand if something is not there. */
export function demand({ what, refusal, mend }: Need): void {
  if (refusal !== undefined) throw unavailable(what, refusal, mend);
}

/** Why a device cannot be opened; undefined if it can. */
function openRefusal(path: string): string | undefined {
  try {
    close(open(path, O_RDWR));
    return undefined;
  } catch (error) {
    return error instanceof SystemError ? error.code : String(error);
  }
}

/** The cuse front end. */
export function cuse(): Need {
  return {
    what: CUSE_PATH,
    refusal: openRefusal(CUSE_PATH),
    mend: "run as root with the kernel module cuse loaded: modprobe cuse; or use --frontend fuse",
  };
}

/** The fuse front end. */
export function fuse(): Need {
  const refusal = openRefusal(FUSE_PATH);
  const mend = refusal === "EACCES"
    ? "it is open to everybody on every distribution: chmod 666 /dev/fuse as root"
    : "load the kernel module: modprobe fuse";
  return { what: FUSE_PATH, refusal, mend };
}

/** Programs that map the device; on the fuse front end. */
export function mapping(): Need {
  const release = Deno.osRelease();
  const [major, minor] = release.split(".").map(Number);
  const able = major > 6 || (major === 6 && minor >= 6);
  return {
    what: "mapping the device",
    refusal: able ? undefined : `Linux ${release}`,
    mend: "Linux 6.6 or newer has it; --mmap does without for playing",
  };
}

/** One of util-linux's programs, which put a command in its place. */
export function utility(name: "unshare" | "setpriv"): Need {
  const refusal = findProgram(name) ? undefined : "not found";
  return { what: name, refusal, mend: "install util-linux" };
}

/** A mount namespace for a command. */
export function namespaces(): Need {
  const mend = Deno.uid() === 0
    ? "COMMAND needs a mount namespace; a container must be given CAP_SYS_ADMIN"
    : "allow user namespaces: sysctl user.max_user_namespaces, " +
      "kernel.apparmor_restrict_unprivileged_userns=0; or run as root";
  return { what: "namespaces", refusal: namespaceRefused(), mend };
}
