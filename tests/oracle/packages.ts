// Debian packages that are not installed here, nor could be: unpacked once, into folders of the
// user's cache.

import { GuestError } from "../guest.ts";

/** What a program prints; its failure means that the packages cannot be had. */
export async function run(program: string, args: string[], cwd?: string): Promise<Uint8Array> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
    cwd,
    stdin: "null",
  }).output();
  if (success) return stdout;
  const words = [program, ...args].join(" ");
  throw new GuestError("missing", `${words}: ${new TextDecoder().decode(stderr).trim()}`);
}

function cacheFolder(): string {
  const cache = Deno.env.get("XDG_CACHE_HOME") || `${Deno.env.get("HOME") ?? "/root"}/.cache`;
  return `${cache}/ossp`;
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

/**
 * A folder of the cache, filled if it is not there yet. Several may ask for it at once.
 *
 * @param name its path in the cache
 * @param fill makes the folder `unpacked` in the folder that it is given
 * @returns its path
 * @throws {GuestError} when the packages cannot be had
 */
export async function cached(
  name: string,
  fill: (work: string) => Promise<void>,
): Promise<string> {
  const folder = `${cacheFolder()}/${name}`;
  if (isFolder(folder)) return folder;
  // In a folder of its own until it is whole: another test may be doing the same.
  const parent = folder.replace(/\/[^/]*$/, "");
  await Deno.mkdir(parent, { recursive: true });
  const work = await Deno.makeTempDir({ dir: parent, prefix: "new-" });
  try {
    await fill(work);
    await Deno.rename(`${work}/unpacked`, folder).catch((error) => {
      if (!isFolder(folder)) throw error;
    });
  } finally {
    await Deno.remove(work, { recursive: true });
  }
  return folder;
}

/**
 * Fetches packages and unpacks them into `unpacked`.
 *
 * @param options of apt-get
 */
export async function unpack(
  work: string,
  packages: readonly string[],
  options: readonly string[] = [],
): Promise<void> {
  await run("apt-get", [...options, "download", "--quiet", ...packages], work);
  for (const { name } of Array.from(Deno.readDirSync(work))) {
    if (!name.endsWith(".deb")) continue;
    await run("dpkg-deb", ["--extract", `${work}/${name}`, `${work}/unpacked`]);
  }
}

/**
 * Programs of Debian's 32-bit architecture, unpacked with their libraries: the lists are fetched
 * from where this machine's are, and its own lists and dpkg are left alone.
 *
 * @param packages those that are needed, all of them
 * @returns the folder that is their root, for their own lib/ld-linux.so.2 to run them in
 * @throws {GuestError} when the packages cannot be had
 */
export async function i386(...packages: string[]): Promise<string> {
  return await cached(`i386/${packages[0]}`, async (work) => {
    const state = `${work}/apt`;
    await Deno.mkdir(`${state}/lists/partial`, { recursive: true });
    await Deno.mkdir(`${state}/archives/partial`, { recursive: true });
    await Deno.writeTextFile(`${state}/status`, "");
    const options = [
      ...["APT::Architecture=i386", "APT::Architectures::=i386", "APT::Sandbox::User=root"],
      ...[`Dir::State=${state}`, `Dir::State::status=${state}/status`, `Dir::Cache=${state}`],
    ].flatMap((option) => ["-o", option]);
    // One list that is out of reach is none that these packages need, if they are found.
    const update = run("apt-get", [...options, "update", "--quiet"]);
    const failure = await update.then(() => undefined, (error: GuestError) => error);
    await unpack(work, packages, options).catch((error) => {
      throw failure ?? error;
    });
  });
}
