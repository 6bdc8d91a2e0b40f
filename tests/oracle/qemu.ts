// A Linux kernel with OSS devices of its own: Debian's, under qemu's processor emulation, booted on
// this machine's own files (9p, read-only) to run one shell script as root. Its /dev/dsp is the
// oracle for every question of what a program may expect of an OSS device; /dev/dsp1 and /dev/adsp1
// are the two ends of a loop, which brings every sample played on one out of the other.
//
// The kernel is unpacked once, into the user's cache folder; nothing else is left behind. As in
// ../device/uml.ts, qemu lives in a process-id namespace that ends with this process, and what it
// reads lies in a memory file system that only that namespace sees.

import { findProgram } from "../../lib/daemon/namespace.ts";
import {
  checkFolders,
  DENO_FOLDER,
  guestEnvironment,
  GuestError,
  type GuestOptions,
  type GuestResult,
  launchWords,
  runGuest,
} from "../guest.ts";
import { cpio, type CpioFile } from "./cpio.ts";
import { cached, run, unpack } from "./packages.ts";

const REPOSITORY = import.meta.dirname!.replace(/\/tests\/oracle$/, "");

/** Depends on the newest kernel of its series, in Debian 12 (backported) and later. */
const META_PACKAGE = "linux-image-6.12-amd64";

/** What a root on 9p needs, in the order in which they load. */
const ROOT_MODULES = ["netfs", "9pnet", "9pnet_virtio", "9p"];

/** The guest has file systems of its own here. */
const COVERED = ["/tmp", "/run"];

// Standard input is the initial memory file system. Not `exec`: see ../device/uml.ts.
const LAUNCHER = `
  mount -t tmpfs qemu /dev/shm && cat >/dev/shm/initrd || exit 1
  ulimit -c 0
  setsid qemu-system-x86_64 "$@" </dev/null
  exit $?`;

/**
 * What this machine lacks for {@linkcode bootQemu}, the kernel apart, which is fetched when needed.
 *
 * @returns one line that names the Debian package to install; undefined if nothing is missing
 */
export function qemuMissing(): string | undefined {
  const packages = {
    "qemu-system-x86_64": "qemu-system-x86",
    depmod: "kmod",
    xz: "xz-utils",
    unshare: "util-linux",
  };
  for (const [program, name] of Object.entries(packages)) {
    if (!findProgram(program)) return `${program} is missing: apt-get install ${name}`;
  }
}

/** A kernel package and busybox-static, unpacked: the latter is not installed where busybox is. */
interface Kernel {
  /** Holds boot/vmlinuz-RELEASE, lib/modules/RELEASE and bin/busybox. */
  readonly folder: string;
  readonly release: string;
}

/** The kernel that the package lists name, fetched and unpacked if it is not there yet. */
async function kernel(): Promise<Kernel> {
  const list = await run("apt-cache", ["depends", "--important", META_PACKAGE]);
  const [, name, release] =
    new TextDecoder().decode(list).match(/Depends: (linux-image-(\d\S+))/) ?? [];
  if (!name) {
    throw new GuestError("missing", `${META_PACKAGE} is in no package list: apt-get update`);
  }

  const folder = await cached(`kernel/${release}`, async (work) => {
    await unpack(work, [name, "busybox-static"]);
    await run("depmod", ["--basedir", `${work}/unpacked`, release]);
  });
  return { folder, release };
}

/** A host folder in the guest, at its own path. */
interface Share {
  readonly tag: string;
  readonly mode: "ro" | "rw";
  readonly path: string;
}

function sharesFor(options: GuestOptions, kernelFolder: string, deno: string): Share[] {
  const covered = [REPOSITORY, deno, kernelFolder].filter((folder) =>
    COVERED.some((place) => `${folder}/`.startsWith(`${place}/`))
  );
  const share = (mode: Share["mode"]) => (path: string) => ({ mode, path });
  const more = [...covered.map(share("ro")), ...(options.folders ?? []).map(share("rw"))];
  return [
    { tag: "root", mode: "ro", path: "/" },
    ...more.map(({ mode, path }, index) => ({ tag: `share${index}`, mode, path })),
  ];
}

function shellQuote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** The script that init.sh runs: the environment, the folder, the job. */
function runText(options: GuestOptions): string {
  const environment = guestEnvironment(options);
  const words = Object.entries(environment).map(([name, value]) => shellQuote(`${name}=${value}`));
  return [
    `mkdir -p ${shellQuote(environment.HOME)} ${shellQuote(environment.XDG_RUNTIME_DIR)}`,
    `chmod 700 ${shellQuote(environment.XDG_RUNTIME_DIR)}`,
    `cd ${shellQuote(REPOSITORY)} || exit`,
    `exec env -i ${words.join(" ")} sh -c ${shellQuote(options.script)}`,
    "",
  ].join("\n");
}

/** The guest's first root: busybox, init.sh, the modules for the second root, the job. */
async function initrd(
  { folder, release }: Kernel,
  job: Readonly<Record<string, string>>,
): Promise<Uint8Array<ArrayBuffer>> {
  const modules = `${folder}/lib/modules/${release}`;
  const dependencies = await Deno.readTextFile(`${modules}/modules.dep`);
  const files: CpioFile[] = ["bin", "job", "modules"].map((name) => ({ name, mode: 0o040755 }));
  files.push({
    name: "bin/busybox",
    mode: 0o100755,
    data: await Deno.readFile(`${folder}/bin/busybox`),
  });
  for (const applet of ["sh", "mount", "mkdir", "cat", "cp", "insmod", "switch_root", "poweroff"]) {
    files.push({ name: `bin/${applet}`, mode: 0o120777, data: "busybox" });
  }
  const init = await Deno.readTextFile(`${import.meta.dirname}/init.sh`);
  files.push({ name: "init", mode: 0o100755, data: `#!/bin/sh\n${init}` });
  for (const name of ROOT_MODULES) {
    const path = dependencies.match(new RegExp(`^(\\S*/${name}\\.ko\\S*):`, "m"))?.[1];
    if (!path) throw new GuestError("missing", `kernel ${release} has no module ${name}`);
    const data = path.endsWith(".xz")
      ? await run("xz", ["--decompress", "--stdout", `${modules}/${path}`])
      : await Deno.readFile(`${modules}/${path}`);
    files.push({ name: `modules/${name}.ko`, mode: 0o100644, data });
  }
  for (const [name, data] of Object.entries(job)) {
    files.push({ name: `job/${name}`, mode: 0o100644, data });
  }
  return cpio(files);
}

function spawn(vmlinuz: string, shares: readonly Share[], memoryMb: number): Deno.ChildProcess {
  // A comma in an option's value is doubled.
  const value = (text: string) => text.replaceAll(",", ",,");
  const qemu = [
    ...["-accel", "tcg,thread=multi", "-cpu", "max,la57=off", "-smp", "2"],
    ...["-m", String(memoryMb), "-no-reboot", "-nodefaults", "-no-user-config"],
    ...["-display", "none", "-kernel", vmlinuz, "-initrd", "/dev/shm/initrd"],
    ...["-append", "console=ttyS0 quiet panic=-1 oops=panic mitigations=off rdinit=/init"],
    ...["-chardev", "file,id=console,path=/dev/fd/2", "-serial", "chardev:console"],
    ...["-device", "virtio-serial-pci", "-chardev", "file,id=output,path=/dev/fd/1"],
    ...["-device", "virtconsole,chardev=output"],
    ...shares.flatMap(({ tag, mode, path }) => [
      "-fsdev",
      `local,id=${tag},path=${value(path)},security_model=none,multidevs=remap` +
      (mode === "ro" ? ",readonly=on" : ""),
      "-device",
      `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`,
    ]),
  ];
  const [program, ...args] = launchWords(LAUNCHER, ...qemu);
  return new Deno.Command(program, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/**
 * Boots the kernel, runs the script in it and powers it off. Boots may follow each other and run
 * side by side. They end when the thread that called ends, whatever ends it. The first ever also
 * downloads the kernel, 107 MB, through apt.
 *
 * In the guest, /dev, /proc, /sys, /run, /tmp and /dev/shm are its own, the interface lo is up, and
 * /dev/fuse, /dev/cuse and the kernel's own OSS devices are there: dsp and mixer of a card that
 * plays to nowhere, dsp1 and adsp1 of a loop. Every other file is the host's, at the host's path.
 * Programs run five to ten times slower than on the host. It may write to the folders of `options`;
 * what lies under /tmp or /run, those, the repository and the folder of the `deno` that runs this
 * excepted, it does not even see.
 *
 * @returns the script's exit status and what it printed
 * @throws {GuestError} when there is no such status
 */
export async function bootQemu(options: GuestOptions): Promise<GuestResult> {
  const missing = qemuMissing();
  if (missing) throw new GuestError("missing", missing);
  checkFolders(options);
  const token = crypto.randomUUID();
  const { folder, release } = await kernel();
  const shares = sharesFor(options, folder, DENO_FOLDER);
  const input = await initrd({ folder, release }, {
    token,
    modules: ROOT_MODULES.join("\n"),
    shares: shares.map(({ tag, mode, path }) => `${tag} ${mode} ${path}\n`).join(""),
    kernel: folder,
    run: runText(options),
  });
  const vmlinuz = `${folder}/boot/vmlinuz-${release}`;
  const boot = () =>
    runGuest({
      startedMs: performance.now(),
      child: spawn(vmlinuz, shares, options.memoryMb ?? 1024),
      input,
      report: new RegExp(`qemu ${token} (\\S+) ?(.*)$`),
    }, options);
  try {
    return await boot();
  } catch (error) {
    // Now and then one emulated processor runs what the other is patching while the kernel comes up.
    const isPatching = error instanceof GuestError && error.failure === "start" &&
      error.console.includes("Oops: int3");
    if (!isPatching) throw error;
    return await boot();
  }
}
