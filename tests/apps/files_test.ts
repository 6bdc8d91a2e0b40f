// Real programs whose sound goes to a file of each one's own: what they play is in it, to the bit.

import { assertEquals, assertMatch } from "@std/assert";
import {
  availablePrograms,
  difference,
  makeTake,
  playToFiles,
  programNamed,
  PROGRAMS,
  readWav,
  runOssp,
  Scratch,
  type Take,
} from "../programs.ts";

const FUSE = ["--frontend", "fuse"];

Deno.test("each program alone is heard to the bit, in its own format", async () => {
  await using scratch = await Scratch.create();
  const results = await Promise.all(
    availablePrograms(PROGRAMS).map(async (program, seed) => {
      const folder = `${scratch.path}/${seed}`;
      await Deno.mkdir(folder);
      const take = await makeTake(program, folder, seed);
      const run = await runOssp({
        options: [...FUSE, "--clock", "real", "--sink", `wav:${folder}/heard-%n.wav`],
        command: take.command,
      });
      if (run.status !== 0) return `${take.name}: status ${run.status}: ${run.stderr}`;
      const heard = [...Deno.readDirSync(folder)].map(({ name }) => name)
        .filter((name) => name.startsWith("heard-"));
      if (heard.length !== 1 || heard[0] !== "heard-1.wav") return `${take.name}: in ${heard}`;
      const wrong = difference(await readWav(`${folder}/heard-1.wav`), take.sound);
      return wrong && `${take.name}: ${wrong}`;
    }),
  );
  assertEquals(results.filter((wrong) => wrong !== undefined), []);
});

for (const clock of ["real", "free"]) {
  Deno.test(`ten programs at once, a file each, clock ${clock}`, async () => {
    assertEquals(PROGRAMS.length, 10);
    await using scratch = await Scratch.create();
    const takes: Take[] = [];
    for (const [seed, program] of availablePrograms(PROGRAMS).entries()) {
      takes.push(await makeTake(program, scratch.path, seed));
    }
    const folder = `${scratch.path}/heard`;
    await Deno.mkdir(folder);
    assertEquals(await playToFiles(takes, [...FUSE, "--clock", clock], folder), []);
  });
}

Deno.test("%p is the program's process and %c its name", async () => {
  await using scratch = await Scratch.create();
  const { command, sound } = await makeTake(programNamed("dd"), scratch.path, 0);
  const { status, stdout, stderr } = await runOssp({
    options: [...FUSE, "--clock", "free", "--sink", `wav:${scratch.path}/%c-of-%p.wav`],
    command: ["sh", "-c", 'echo $$; "$@"; exec "$@"', "sh", ...command],
  });
  assertEquals([status, stderr], [0, ""]);
  assertMatch(stdout, /^\d+\n$/);
  const names = [...Deno.readDirSync(scratch.path)].map(({ name }) => name)
    .filter((name) => name.startsWith("dd-of-"));
  assertEquals(names.length, 2);
  assertEquals(names.includes(`dd-of-${stdout.trim()}.wav`), true);
  for (const name of names) {
    assertEquals(difference(await readWav(`${scratch.path}/${name}`), sound), undefined);
  }
});
