// The folder that the fuse front end mounts: made if it is missing, freed of what a killed run has
// left on it, and taken away again.

import { isStaleMount, MOUNT_TYPE, unmountDirectory } from "../fuse/mount.ts";

/** The type of what is mounted on a folder, e.g. "tmpfs"; undefined if nothing is. */
function mountedType(path: string): string | undefined {
  // proc_pid_mountinfo(5): the fifth field is the folder, the type follows a lone hyphen.
  const lines = Deno.readTextFileSync("/proc/self/mountinfo").trimEnd().split("\n");
  const escaped = path.replaceAll(
    /[\\ \t\n]/g,
    (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
  const last = lines.findLast((line) => line.split(" ")[4] === escaped);
  return last?.split(" - ")[1].split(" ")[0];
}

/** A folder that is ready to be mounted. */
export class MountPoint {
  readonly #made: boolean;

  /**
   * @param path an absolute path
   * @param log takes one line about a stale mount that was cleared
   * @throws {Error} if the folder cannot be made, or something is mounted there
   */
  constructor(readonly path: string, log: (message: string) => void) {
    if (mountedType(path) === MOUNT_TYPE && isStaleMount(path)) {
      unmountDirectory(path);
      log(`${path}: unmounted what a killed run has left`);
    }
    const type = mountedType(path);
    if (type !== undefined) throw new Error(`${path}: a ${type} file system is mounted there`);
    this.#made = makeFolder(path);
  }

  /** Removes the folder if it was made for this; what is mounted on it has been unmounted. */
  remove(): void {
    if (this.#made) Deno.removeSync(this.path);
  }
}

/** Makes a folder; false if it is there already. */
function makeFolder(path: string): boolean {
  try {
    Deno.mkdirSync(path);
    return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) {
      throw new Error(`${path}: ${error instanceof Error ? error.message : error}`);
    }
    if (!Deno.statSync(path).isDirectory) throw new Error(`${path}: not a folder`);
    return false;
  }
}
