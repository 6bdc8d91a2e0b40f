// The self-extracting executable: what it unpacks, where, what it refuses, and that it needs neither
// Deno nor Node nor more than a shell's usual company.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { writeSelfExtracting } from "../../packaging/self_extracting.ts";

const IS_ROOT = Deno.uid() === 0;

/** The status of a run that a needed thing was missing for. */
const EX_UNAVAILABLE = 69;

const MAIN = `
import { ask } from "./lib/daemon/daemon.ts";
const stdin = await new Response(Deno.stdin.readable).text();
console.log(JSON.stringify({
  args: Deno.args,
  cwd: Deno.cwd(),
  pid: Deno.pid,
  mainModule: Deno.mainModule,
  execPath: Deno.execPath(),
  reply: await ask(),
  stdin,
}));
Deno.exit(7);
`;

const DAEMON = `
const url = new URL(import.meta.url.endsWith(".js") ? "./worker.js" : "./worker.ts", import.meta.url);
export function ask(): Promise<string> {
  const worker = new Worker(url, { type: "module" });
  return new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
}
`;

const WORKER = `
import { answer } from "./answer.ts";
(self as unknown as { postMessage(message: string): void }).postMessage(answer);
`;

/** Stands in for the runtime where only the stub is tested: says what it was started with. */
const FAKE_RUNTIME = `#!/bin/sh
if [ "$1" = --version ]; then exit 0; fi
printf '%s\\n' "$0" "$$" "$PWD" "$@"
cat
exit 7
`;

/** A folder of the test's own with a program in it; removed when disposed of. */
class Scratch implements AsyncDisposable {
  private constructor(readonly path: string) {}

  static async create(): Promise<Scratch> {
    const scratch = new Scratch(await Deno.realPath(await Deno.makeTempDir({ prefix: "ossp-" })));
    await Deno.mkdir(`${scratch.path}/program/lib/daemon`, { recursive: true });
    const files = {
      "program/main.ts": MAIN,
      "program/lib/daemon/daemon.ts": DAEMON,
      "program/lib/daemon/worker.ts": WORKER,
      "program/lib/daemon/answer.ts": `export const answer: string = "from the worker";`,
      "runtime": FAKE_RUNTIME,
    };
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${scratch.path}/${name}`, text);
    }
    return scratch;
  }

  /** Builds a program into the folder's `ossp`: the toy, or the one in another folder. */
  async build(runtime: string, program = `${this.path}/program`): Promise<string> {
    const output = `${this.path}/ossp`;
    const entries = { main: `${program}/main.ts`, worker: `${program}/lib/daemon/worker.ts` };
    await writeSelfExtracting(entries, output, { runtime, gzipLevel: 1 });
    return output;
  }

  buildWithFakeRuntime(): Promise<string> {
    return this.build(`${this.path}/runtime`);
  }

  async [Symbol.asyncDispose]() {
    await Deno.remove(this.path, { recursive: true });
  }
}

interface Run {
  pid: number;
  code: number;
  stdout: string;
  stderr: string;
}

async function run(
  command: string[],
  { env = {}, stdin = "", cwd }: { env?: Record<string, string>; stdin?: string; cwd?: string } =
    {},
): Promise<Run> {
  const child = new Deno.Command(command[0], {
    args: command.slice(1),
    clearEnv: true,
    env: { PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin", ...env },
    cwd,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const [output] = await Promise.all([
    child.output(),
    // A run that is refused reads nothing.
    ReadableStream.from([new TextEncoder().encode(stdin)]).pipeTo(child.stdin).catch(() => {}),
  ]);
  const decoder = new TextDecoder();
  return {
    pid: child.pid,
    code: output.code,
    stdout: decoder.decode(output.stdout),
    stderr: decoder.decode(output.stderr),
  };
}

/** Runs as if the caller did not own /var/cache, which root does; `setup` is shell to run before. */
function runAside(command: string[], options: Parameters<typeof run>[1], setup = ":") {
  if (!IS_ROOT) return run(command, options);
  const script = `mount -t tmpfs -o uid=1 none /var/cache && ${setup} && exec "$@"`;
  return run(["unshare", "--mount", "sh", "-c", script, "sh", ...command], options);
}

/** The names of all files under a folder. */
async function filesUnder(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) names.push(...(await filesUnder(`${folder}/${name}`)));
    else names.push(name);
  }
  return names.sort();
}

/** The path of the unpacked runtime. */
async function unpackedRuntime(base: string): Promise<string> {
  for await (const { name } of Deno.readDir(base)) {
    const path = `${base}/${name}/deno`;
    if (await Deno.lstat(path).catch(() => undefined)) return path;
  }
  throw new Error(`no runtime in ${base}`);
}

Deno.test("the stub passes arguments, folder, input, pid and status through", async () => {
  await using scratch = await Scratch.create();
  const ossp = await scratch.buildWithFakeRuntime();
  const base = `${scratch.path}/a cache/ossp`;
  const env = { XDG_CACHE_HOME: `${scratch.path}/a cache` };
  const args = ["run", "--", "a b", "", "*", "$HOME", "-x"];
  let firstInode: number | null = null;
  for (const start of ["first", "second"]) {
    const { code, stdout, stderr, pid } = await runAside([ossp, ...args], {
      env,
      stdin: "given\nas input",
      cwd: `${scratch.path}/program`,
    });
    assertEquals([code, stderr], [7, ""], start);
    const [runtime, ownPid, cwd, subcommand, ...rest] = stdout.split("\n");
    assertEquals(runtime, await unpackedRuntime(base));
    assertEquals([ownPid, cwd, subcommand], [String(pid), `${scratch.path}/program`, "run"]);
    const main = rest.findIndex((word) => word.endsWith("/main.js"));
    assertEquals(rest.slice(main + 1), [...args, "given", "as input"]);
    const { ino } = await Deno.stat(runtime);
    firstInode ??= ino;
    assertEquals(ino, firstInode, "unpacked again");
  }
  assertEquals(await filesUnder(base), ["deno", "main.js", "worker.js"]);
  assertEquals((await Deno.stat(base)).mode! & 0o7777, 0o700);
});

Deno.test("first starts side by side all work", async () => {
  await using scratch = await Scratch.create();
  const ossp = await scratch.buildWithFakeRuntime();
  const env = { XDG_CACHE_HOME: `${scratch.path}/cache` };
  const runs = await Promise.all(Array.from({ length: 8 }, () => runAside([ossp], { env })));
  for (const { code, stderr } of runs) assertEquals([code, stderr], [7, ""]);
  assertEquals(await filesUnder(`${scratch.path}/cache/ossp`), ["deno", "main.js", "worker.js"]);
});

Deno.test("a file that is not whole is made anew", async () => {
  await using scratch = await Scratch.create();
  const ossp = await scratch.buildWithFakeRuntime();
  const env = { XDG_CACHE_HOME: `${scratch.path}/cache` };
  await runAside([ossp], { env });
  const runtime = await unpackedRuntime(`${scratch.path}/cache/ossp`);
  const whole = await Deno.readFile(runtime);
  await Deno.chmod(runtime, 0o755);
  await Deno.truncate(runtime, 5);
  assertEquals((await runAside([ossp], { env })).code, 7);
  assertEquals(await Deno.readFile(runtime), whole);
});

Deno.test("a damaged executable is not run", async () => {
  await using scratch = await Scratch.create();
  const ossp = await scratch.buildWithFakeRuntime();
  const bytes = await Deno.readFile(ossp);
  const [, payload] = /^payload=(\d+)/m.exec(new TextDecoder().decode(bytes))!;
  // The last byte of a gzip header is followed by the content; a stored text's letter changes.
  bytes[Number(payload) + 40] ^= 1;
  await Deno.writeFile(ossp, bytes);
  const env = { XDG_CACHE_HOME: `${scratch.path}/cache`, TMPDIR: scratch.path };
  const { code, stdout, stderr } = await runAside([ossp], { env });
  assertEquals([code, stdout], [EX_UNAVAILABLE, ""]);
  assertStringIncludes(stderr, "this file is damaged");
  assertEquals(await filesUnder(`${scratch.path}/cache/ossp`), []);
});

Deno.test("a cache folder that others can change is refused", async () => {
  await using scratch = await Scratch.create();
  const ossp = await scratch.buildWithFakeRuntime();
  const cache = `${scratch.path}/cache`;
  const base = `${cache}/ossp`;
  const env = { XDG_CACHE_HOME: cache, TMPDIR: scratch.path };
  // One that a run of ours has filled, so that only who can write to it speaks against it.
  await runAside([ossp], { env });

  const refusals: [what: string, spoil: () => Promise<void>, mend: () => Promise<void>][] = [
    ["writable by all", () => Deno.chmod(base, 0o707), () => Deno.chmod(base, 0o700)],
    ["writable by the group", () => Deno.chmod(base, 0o770), () => Deno.chmod(base, 0o700)],
    ["a symbolic link", async () => {
      await Deno.rename(base, `${cache}/elsewhere`);
      await Deno.symlink("elsewhere", base);
    }, async () => {
      await Deno.remove(base);
      await Deno.rename(`${cache}/elsewhere`, base);
    }],
  ];
  if (IS_ROOT) {
    refusals.push(["another user's", () => Deno.chown(base, 1, 1), () => Deno.chown(base, 0, 0)]);
  }
  for (const [what, spoil, mend] of refusals) {
    await spoil();
    const { code, stdout, stderr } = await runAside([ossp], { env });
    assertEquals([code, stdout], [EX_UNAVAILABLE, ""], what);
    assertMatch(stderr, /^ossp: .*\/ossp: not a folder of yours that only you can write to/, what);
    await mend();
    assertEquals((await runAside([ossp], { env })).code, 7, `${what}, mended`);
  }

  await Deno.remove(base, { recursive: true });
  await Deno.chmod(cache, 0o777);
  assertMatch((await runAside([ossp], { env })).stderr, /cache: another user can change it/);
  await Deno.chmod(cache, 0o1777);
  assertEquals((await runAside([ossp], { env })).code, 7, "sticky, as /tmp is");
});

Deno.test("places are tried in turn", async () => {
  await using scratch = await Scratch.create();
  const ossp = await scratch.buildWithFakeRuntime();
  const home = `${scratch.path}/home`;
  await Deno.mkdir(home);
  const TMPDIR = `${scratch.path}/tmp`;
  await Deno.mkdir(TMPDIR);
  const place = async (env: Record<string, string>, setup?: string) => {
    const { stdout, stderr } = await runAside([ossp], { env: { TMPDIR, ...env } }, setup);
    assertEquals(stderr, "");
    return stdout.split("\n")[0].replace(/\/[0-9a-f]{32}\/deno$/, "");
  };
  const temporary = `${TMPDIR}/ossp-${Deno.uid()}`;
  assertEquals(await place({ HOME: home }), `${home}/.cache/ossp`);
  assertEquals(await place({ HOME: home, XDG_CACHE_HOME: "relative" }), `${home}/.cache/ossp`);
  assertEquals(await place({}), temporary);
  assertEquals(await place({ HOME: `${scratch.path}/nonexistent` }), temporary);
  assertEquals(await place({ XDG_CACHE_HOME: "/proc/1" }), temporary);
  if (!IS_ROOT) return;
  const noexec = `mount -t tmpfs -o noexec none ${home}`;
  assertEquals(await place({ HOME: home }, noexec), temporary);
  const full = `mount -t tmpfs -o nr_inodes=7 none ${home}`;
  assertEquals(await place({ HOME: home }, full), temporary);
  assertEquals(await place({ HOME: home }, `chown 1 ${home}`), temporary);
  const owned = "umount /var/cache && mount -t tmpfs none /var/cache && chmod 755 /var/cache";
  assertEquals(await place({ HOME: home }, owned), "/var/cache/ossp");
});

/** Tools of a minimal system, each with what it is linked to. */
async function putTools(root: string, paths: string[]) {
  for (const path of paths) await Deno.copyFile(path, `${root}/bin/${path.split("/").at(-1)}`);
  for (const path of paths) await putLibraries(root, path);
}

async function putLibraries(root: string, program: string) {
  const { stdout } = await run(["ldd", program]);
  for (const [path] of stdout.matchAll(/\/\S+\.so\S*/g)) {
    await Deno.mkdir(`${root}${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
    await Deno.copyFile(path, root + path);
  }
}

async function which(...names: string[]): Promise<string[]> {
  const { stdout } = await run([
    "sh",
    "-c",
    'for name; do command -v "$name"; done',
    "sh",
    ...names,
  ]);
  const paths = stdout.trim().split("\n");
  assertEquals(paths.length, names.length, `not all of ${names.join(" ")} are installed`);
  return paths;
}

const STUB_TOOLS = [
  ...["chmod", "gzip", "head", "id", "mkdir", "mktemp", "mv", "rm", "sha256sum", "stat", "sync"],
  "tail",
];

/** A root with dash and coreutils, and one with busybox. */
const MINIMAL_SYSTEMS: Record<string, (root: string) => Promise<void>> = {
  async coreutils(root) {
    await putTools(root, await which("dash", ...STUB_TOOLS));
    await Deno.rename(`${root}/bin/dash`, `${root}/bin/sh`);
  },
  async busybox(root) {
    await putTools(root, await which("busybox"));
    for (const name of ["sh", "find", ...STUB_TOOLS]) {
      await Deno.symlink("busybox", `${root}/bin/${name}`);
    }
  },
};

/** Makes a root folder with a system and the executable in it; returns its path. */
async function makeRoot(
  root: string,
  ossp: string,
  make: (root: string) => Promise<void>,
): Promise<string> {
  for (const name of ["bin", "dev", "proc", "tmp", "home"]) {
    await Deno.mkdir(`${root}/${name}`, { recursive: true });
  }
  await make(root);
  await putLibraries(root, Deno.execPath());
  await Deno.copyFile(ossp, `${root}/bin/ossp`);
  return root;
}

/** The words that run the executable in such a root, in its folder /home. */
async function inRoot(root: string, args: string[]): Promise<string[]> {
  const script = `mount --bind ${root} ${root} && mount --rbind /proc ${root}/proc &&
    mount --rbind /dev ${root}/dev && exec chroot ${root} /bin/sh -c 'cd /home && exec ossp "$@"' sh "$@"`;
  const unshare = ["unshare", "--mount", ...(IS_ROOT ? [] : ["--map-root-user"])];
  return [...unshare, (await which("sh"))[0], "-c", script, "sh", ...args];
}

const HAS_BUSYBOX = (await run(["sh", "-c", "command -v busybox"])).code === 0;

Deno.test({
  name: "the program runs where there is no Deno and no Node",
  async fn(test) {
    await using scratch = await Scratch.create();
    const ossp = await scratch.build(Deno.execPath());
    for (const [system, make] of Object.entries(MINIMAL_SYSTEMS)) {
      await test.step({
        name: system,
        ignore: system === "busybox" && !HAS_BUSYBOX && Deno.env.get("CI") !== "true",
        async fn() {
          const root = await makeRoot(`${scratch.path}/${system}`, ossp, make);
          const { code, stdout, stderr, pid } = await run(
            await inRoot(root, ["--a b", "--", "-c"]),
            { stdin: "input" },
          );
          assertEquals([code, stderr], [7, ""]);
          const said = JSON.parse(stdout);
          const folder = "/tmp/ossp-0";
          assertMatch(said.execPath, new RegExp(`^${folder}/[0-9a-f]{32}/deno$`));
          assertMatch(said.mainModule, new RegExp(`^file://${folder}/[0-9a-f]{32}/main.js$`));
          assertEquals([said.args, said.cwd, said.pid, said.reply, said.stdin], [
            ["--a b", "--", "-c"],
            "/home",
            pid,
            "from the worker",
            "input",
          ]);
          assert(!(await filesUnder(`${root}/bin`)).some((name) => /deno|node/.test(name)));
        },
      });
    }
  },
});

Deno.test("ossp runs a program where there is no Deno and no Node, and hears it", async () => {
  await using scratch = await Scratch.create();
  const ossp = await scratch.build(Deno.execPath(), `${import.meta.dirname}/../..`);
  const root = await makeRoot(`${scratch.path}/root`, ossp, async (root) => {
    await MINIMAL_SYSTEMS.coreutils(root);
    await putTools(root, await which("cat", "setpriv", "unshare"));
  });
  const sound = crypto.getRandomValues(new Uint8Array(8000));
  await Deno.writeFile(`${root}/home/sound`, sound);
  const { code, stdout, stderr } = await run(
    await inRoot(root, [
      ...["run", "--frontend", "fuse", "--clock", "free", "--sink", "raw:heard-%n.raw", "--"],
      ...["sh", "-c", "cat sound >/dev/dsp; echo done; exit 5"],
    ]),
  );
  assertEquals([code, stdout, stderr], [5, "done\n", ""]);
  assertEquals(await Deno.readFile(`${root}/home/heard-1.raw`), sound);
  assertEquals(await filesUnder(`${root}/home`), ["heard-1.raw", "sound"]);
});
