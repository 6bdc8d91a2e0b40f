// The command `ossp run`: what COMMAND gets and what becomes of its status; and the daemon that
// serves without one.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { copyOssp } from "../programs.ts";
import {
  AS_USER,
  assertGone,
  exists,
  LACKING,
  OSSP,
  Run,
  type RunOptions,
  Scratch,
  sleep,
  until,
} from "./ossp.ts";

/** Makes /dev/fuse as udev makes it until disposed of. */
function fuseForAll(): Disposable {
  const mode = Deno.statSync("/dev/fuse").mode! & 0o777;
  if ((mode & 0o666) === 0o666) return { [Symbol.dispose]() {} };
  Deno.chmodSync("/dev/fuse", 0o666);
  return { [Symbol.dispose]: () => Deno.chmodSync("/dev/fuse", mode) };
}

/** A folder that an ordinary user's Deno may keep its compiled sources in. */
function userCache(scratch: Scratch): Record<string, string> {
  const path = `${scratch.path}/deno`;
  Deno.mkdirSync(path);
  Deno.chownSync(path, 1000, 1000);
  return { DENO_DIR: path, HOME: scratch.path };
}

/** Words that run a program where some files have others bound over them. */
function binding(over: Record<string, string>): string[] {
  const binds = Object.entries(over).map(([path, file]) => `mount --bind ${file} ${path}`);
  return ["unshare", "--mount", "--", "sh", "-c", [...binds, 'exec "$@"'].join(" && "), "sh"];
}

async function assertEnds(run: Run, status: number, stderr: RegExp) {
  assertEquals(await run.end(), status, run.stderr);
  assertMatch(run.stderr, stderr);
  assert(run.stderr.split("\n").length <= 2, `more than one line: ${run.stderr}`);
}

/** Runs checks at the same time, each a step. */
async function together(test: Deno.TestContext, steps: Record<string, () => Promise<void>>) {
  await Promise.all(
    Object.entries(steps).map(([name, fn]) =>
      test.step({ name, fn, sanitizeOps: false, sanitizeResources: false, sanitizeExit: false })
    ),
  );
}

Deno.test({
  name: "the exit status",
  ignore: LACKING,
  async fn(test) {
    await using scratch = new Scratch();
    const command = (...words: string[]) => Run.ossp(["--", ...words]);
    const file = `${scratch.path}/file`;
    await Deno.writeTextFile(file, "");
    await Deno.chmod(file, 0o600);
    await together(test, {
      async "is COMMAND's own"() {
        await assertEnds(command("sh", "-c", "exit 7"), 7, /^$/);
        await assertEnds(command("true"), 0, /^$/);
      },
      async "is 128 and the signal that ended COMMAND"() {
        await assertEnds(command("sh", "-c", "kill -9 $$"), 137, /^$/);
      },
      async "is 127 for what cannot be found, 126 for what cannot be executed"() {
        await assertEnds(command("nosuch-program"), 127, /^ossp: nosuch-program: not found$/m);
        await assertEnds(command(file), 126, /file.*: Permission denied$/m);
      },
      async "is 64 for a command line that makes no sense"() {
        const usage: [words: string[], message: RegExp][] = [
          [["--bogus"], /^ossp: run: unknown option --bogus \(/],
          [["--rate", "fast"], /^ossp: run: --rate fast: a whole number/],
          [["--sink", "wave:x"], /^ossp: run: no sink "wave:x"/],
          [["--dsp", "a/b"], /^ossp: run: --dsp a\/b: not a device's name/],
          [["--adsp", "dsp"], /^ossp: run: two devices have the same name/],
        ];
        await Promise.all(
          usage.map(([words, message]) => assertEnds(Run.ossp(words), 64, message)),
        );
        await assertEnds(new Run([...OSSP, "walk"]), 64, /^ossp: walk: no such subcommand/);
      },
      async "is 69 for what is missing"() {
        const bin = `${scratch.path}/bin`;
        await Deno.mkdir(bin);
        await Deno.symlink("/usr/bin/true", `${bin}/true`);
        const lacking = (env: string) => Run.ossp(["--", "true"], { env: { PATH: env } });
        await assertEnds(lacking(bin), 69, /^ossp: .*unshare.*util-linux/);
        await Deno.symlink("/usr/bin/unshare", `${bin}/unshare`);
        await assertEnds(lacking(bin), 69, /^ossp: .*setpriv.*util-linux/);
        await assertEnds(
          Run.ossp([], { by: [...binding({ "/dev/fuse": file }), ...AS_USER] }),
          69,
          /^ossp: \/dev\/fuse: EACCES \(.*chmod 666/,
        );
        await assertEnds(
          Run.ossp(["--dir", file]),
          69,
          new RegExp(`^ossp: ${file}: .*(ENOTDIR|not a (folder|directory))`),
        );
        await assertEnds(
          Run.ossp(["--dir", `${scratch.path}/no/folder`]),
          69,
          /^ossp: .*no\/folder: .*No such file/,
        );
      },
    });
  },
});

Deno.test({
  name: "COMMAND",
  ignore: LACKING,
  async fn(test) {
    using _fuse = fuseForAll();
    await using scratch = new Scratch();

    const devices = `
      id -u; id -g
      for device in dsp adsp audio dspW; do printf sound > /dev/$device || echo "no $device"; done
      true < /dev/mixer || echo "no mixer"
      echo nothing > /dev/null; test -e /dev/stdout -a -c /dev/tty -a -w /dev/shm || echo "not all"
      cd /dev; ls dsp adsp audio dspW mixer sndstat
      stat -L -c "%F %t:%T" dsp mixer
      for i in $(seq 10); do test -c dsp || echo "not a device"; true > dsp; done
    `;
    const seen = async (id: number, options: RunOptions) => {
      await using run = Run.ossp(["--", "sh", "-c", devices], options);
      assertEquals([await run.end(), run.stdout, run.stderr], [
        0,
        `${id}\n${id}\nadsp\naudio\ndsp\ndspW\nmixer\nsndstat\n` +
        "character special file e:3\ncharacter special file e:0\n",
        "",
      ]);
      assertEquals(scratch.mounts(), []);
    };

    await together(test, {
      "sees the devices as root": () => seen(0, {}),
      async "sees them as an ordinary user, and stays that user"() {
        const folder = `${scratch.path}/user`;
        await Deno.mkdir(folder);
        const ossp = await copyOssp(folder);
        await seen(1000, { by: AS_USER, ossp, env: userCache(scratch) });
      },

      async "has the streams, the folder and the arguments it was given"() {
        const script = 'cat; pwd; echo "$# $*"; echo complaint >&2';
        for (const dashes of [["--"], []]) {
          await using run = Run.ossp([...dashes, "sh", "-c", script, "sh", "007", "--", "--dir"], {
            cwd: scratch.path,
            stdin: "from outside\n",
          });
          assertEquals(await run.end(), 0, run.stderr);
          assertEquals(run.stdout, `from outside\n${scratch.path}\n3 007 -- --dir\n`);
          assertEquals(run.stderr, "complaint\n");
        }
      },

      async "gets the signals that ossp gets, and leaves nothing behind"() {
        const names = ["USR1", "USR2", "HUP", "INT", "QUIT", "TERM"] as const;
        const traps = names.map((name) => `trap 'echo ${name}' ${name}`).join("; ");
        const temporary = `${scratch.path}/tmp`;
        await Deno.mkdir(temporary);
        const before = ours();
        await using run = Run.ossp(
          [
            "--",
            "sh",
            "-c",
            `${traps}; trap 'exit 3' ALRM; echo ready; while :; do sleep .01; done`,
          ],
          { env: { TMPDIR: temporary } },
        );
        await run.printed("ready\n");
        for (const name of names) {
          run.kill(`SIG${name}`);
          await run.printed(`${name}\n`);
        }
        const family = run.family();
        Deno.kill(run.member("sh"), "SIGALRM");
        assertEquals(await run.end(), 3, run.stderr);
        await assertGone(family);
        assertEquals(scratch.mounts(), []);
        assertEquals([...Deno.readDirSync(temporary)], []);
        assertEquals(ours().difference(before), new Set());
      },
    });
  },
});

/** What looks like a run's in the folders that one may leave things in. */
function ours(): Set<string> {
  const names = ["/dev", "/run"].flatMap((folder) =>
    [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`)
  );
  return new Set(names.filter((name) => name.includes("ossp")));
}

/** A service manager's socket: prints what it is sent. */
const MANAGER = `
  $| = 1;
  my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die;
  print "listening\\n";
  while (defined $socket->recv(my $state, 4096)) { print "$state\\n" }
`;

Deno.test({
  name: "without COMMAND",
  ignore: LACKING,
  async fn(test) {
    await using scratch = new Scratch();
    const place = (name: string) => `${scratch.path}/${name}`;

    await together(test, {
      async "serves until SIGTERM, says when, and removes the folder that it has made"() {
        const env = { NOTIFY_SOCKET: place("notify") };
        await using manager = new Run([
          "perl",
          "-MIO::Socket::UNIX",
          "-e",
          MANAGER,
          place("notify"),
        ]);
        await manager.printed("listening\n");
        await using run = Run.ossp(["--dir", place("made")], { env });
        await manager.printed("READY=1\n");
        assertEquals(
          [...Deno.readDirSync(place("made"))].map(({ name }) => name).sort(),
          ["adsp", "audio", "dsp", "dspW", "mixer", "sndstat"],
        );
        run.kill("SIGTERM"); // who is told that it is ready may stop it
        assertEquals(await run.end(), 0, run.stderr);
        await manager.printed("STOPPING=1\n");
        assert(!exists(place("made")));
        assertEquals(scratch.mounts().filter((line) => line.includes("/made ")), []);
      },

      async "serves until SIGINT, and leaves a folder that was there"() {
        await Deno.mkdir(place("there"));
        await using run = Run.ossp(["--dir", place("there")]);
        await run.printed("serving", "stderr");

        // A second run may not take the folder away from it.
        await assertEnds(Run.ossp(["--dir", place("there")]), 69, /^ossp: .*\/there: /);
        assert(exists(`${place("there")}/dsp`));

        run.kill("SIGINT");
        assertEquals(await run.end(), 0, run.stderr);
        assertEquals([...Deno.readDirSync(place("there"))], []);
      },

      async "a signal before it is ready leaves no more than one after"() {
        await using run = Run.ossp(["--dir", place("early")]);
        await until(() => exists(place("early")), "the folder");
        run.kill("SIGTERM");
        await run.end();
        assert(!exists(place("early")));
        assertEquals(scratch.mounts().filter((line) => line.includes("/early ")), []);
      },

      async "a manager that cannot be reached takes nothing away"() {
        const env = { NOTIFY_SOCKET: place("nobody") };
        await using run = Run.ossp(["--dir", place("unheard")], { env });
        await run.printed("serving", "stderr");
        await sleep(100); // it serves on, or has given up by now
        run.kill("SIGTERM");
        assertEquals(await run.end(), 0, run.stderr);
        assert(!exists(place("unheard")));
      },

      async "ends with a line when its folder is unmounted"() {
        await using run = Run.ossp(["--dir", place("taken"), "--log-level", "error"]);
        await until(() => exists(`${place("taken")}/dsp`), "the devices");
        await new Deno.Command("umount", { args: [place("taken")] }).output();
        await assertEnds(run, 69, /^ossp: .*ended/);
      },
    });
  },
});
