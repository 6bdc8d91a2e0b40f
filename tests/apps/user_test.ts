// The ordinary user: no root, no set-up, and still /dev/dsp.

import { assertEquals } from "@std/assert";
import {
  available,
  copyOssp,
  difference,
  makeTake,
  osspWords,
  programNamed,
  readWav,
  runOssp,
  Scratch,
} from "../programs.ts";

const FUSE = "/dev/fuse";

/** Any that is not root's; no account is needed. */
const USER = { uid: 1000, gid: 1000 };

/** Opens /dev/fuse to everybody, as udev does where there is one; disposing undoes it. */
function openFuse(): Disposable {
  const { mode } = Deno.statSync(FUSE);
  Deno.chmodSync(FUSE, 0o666);
  return {
    [Symbol.dispose]() {
      Deno.chmodSync(FUSE, mode! & 0o777);
    },
  };
}

Deno.test("an ordinary user's program keeps its user, folder and exit status, and is heard", async () => {
  if (!available("sox", "setpriv")) return;
  await using scratch = await Scratch.create();
  const root = Deno.uid() === 0;
  const { uid, gid } = root ? USER : { uid: Deno.uid()!, gid: Deno.gid()! };
  const home = `${scratch.path}/home`;
  await Deno.mkdir(home);
  const { command, sound } = await makeTake(programNamed("sox"), scratch.path, 0);
  const ossp = root ? await copyOssp(scratch.path) : osspWords();
  if (root) {
    await Deno.chmod(scratch.path, 0o755);
    await Deno.chown(home, uid, gid);
  }
  const asUser = ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--"];
  using _fuse = root ? openFuse() : undefined;
  const { status, stdout, stderr } = await runOssp({
    ossp: root ? [...asUser, ...ossp] : ossp,
    options: ["--frontend", "fuse", "--clock", "free", "--sink", "wav:heard-%n.wav"],
    command: ["sh", "-c", 'id -u; id -g; pwd; "$@" && exit 37', "sh", ...command],
    cwd: home,
    env: { HOME: home, DENO_DIR: `${home}/deno` },
  });
  assertEquals(stderr, "");
  assertEquals(stdout, `${uid}\n${gid}\n${home}\n`);
  assertEquals(status, 37);
  assertEquals(difference(await readWav(`${home}/heard-1.wav`), sound), undefined);
});
