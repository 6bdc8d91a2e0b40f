// A mount namespace of our own, in which /dev can have devices that the machine's /dev has not. For
// an ordinary user it lies in a user namespace, where we may mount; sound servers and the program that
// is run there see the user that it is.

import {
  close,
  exec,
  mount,
  MS_BIND,
  MS_NOEXEC,
  MS_NOSUID,
  MS_REC,
  O_PATH,
  O_RDONLY,
  open,
} from "../../ffi/libc.ts";

/** Where a program is found in PATH; undefined when it is not. */
export function findProgram(name: string): string | undefined {
  const candidates = name.includes("/")
    ? [name]
    : (Deno.env.get("PATH") ?? "/usr/bin:/bin").split(":").map((folder) =>
      `${folder || "."}/${name}`
    );
  return candidates.find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

function unshareWords(): string[] {
  const user = ["--user", `--map-user=${Deno.uid()}`, `--map-group=${Deno.gid()}`, "--keep-caps"];
  return ["unshare", ...(Deno.uid() === 0 ? [] : user), "--mount", "--"];
}

/**
 * Whether this user may have a mount namespace.
 *
 * @returns undefined if so, else why not
 */
export function namespaceRefused(): string | undefined {
  const [unshare, ...args] = unshareWords();
  const { success, stderr } = new Deno.Command(unshare, {
    args: [...args, unshare, "--version"],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).outputSync();
  return success ? undefined : new TextDecoder().decode(stderr).trim() || "unshare failed";
}

/** Becomes `command` in a mount namespace of its own: the same process, another program. */
export function enterNamespace(command: string[]): never {
  exec(findProgram("unshare")!, [...unshareWords(), ...command]);
}

/** The words to put before a command so that it may no more than its user, and ends when we do. */
export function commandWords(): string[] {
  const none = ["--ambient-caps=-all", "--inh-caps=-all", "--bounding-set=-all"];
  return ["setpriv", ...(Deno.uid() === 0 ? [] : none), "--pdeathsig", "TERM", "--"];
}

/**
 * Replaces /dev in this mount namespace by a copy whose entries are those of the old one, except
 * some that lead to files elsewhere.
 *
 * @param links what they lead to, by their names in /dev: "dsp", or "sound/dsp" in a folder
 */
export function replaceDev(links: ReadonlyMap<string, string>): void {
  const folders = new Set([...links.keys()].flatMap((name) => name.match(/^.*(?=\/)/) ?? []));
  const old = open("/dev", O_RDONLY | O_PATH);
  const source = `/proc/self/fd/${old}`;
  const entries = [...Deno.readDirSync("/dev")];
  mount("ossp", "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k");
  for (const folder of folders) Deno.mkdirSync(`/dev/${folder}`);
  for (const [name, path] of links) Deno.symlinkSync(path, `/dev/${name}`);
  for (const { name, isDirectory, isSymlink } of entries) {
    if (links.has(name) || folders.has(name)) continue;
    const target = `/dev/${name}`;
    if (isSymlink) {
      Deno.symlinkSync(Deno.readLinkSync(`${source}/${name}`), target);
      continue;
    }
    if (isDirectory) Deno.mkdirSync(target);
    else Deno.writeFileSync(target, new Uint8Array(), { createNew: true });
    mount(`${source}/${name}`, target, "", MS_BIND | MS_REC);
  }
  close(old);
}
