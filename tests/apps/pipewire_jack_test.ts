// Under PipeWire's libjack, which programs of JACK's are given on most desktops: what is written is
// heard at a sink of PipeWire's to the bit, and what is played there is recorded.

import { assert, assertEquals } from "@std/assert";
import { exists, Run, Scratch, sleep, until } from "../native/ossp.ts";
import { available, noise, osspWords, readWav } from "../programs.ts";
import { indexIn, playWords, SECOND_BYTES } from "./jack_sound.ts";
import { PulseServer, SERVER_KINDS } from "./pulse_server.ts";

/** Where Debian has it: a folder that the linker is told of by `pw-jack`. */
const LIBRARIES = `/usr/lib/${Deno.build.arch}-linux-gnu/pipewire-0.3/jack`;

/** Who is not given the processor in time leaves a gap. */
const TRIES = 4;

const LACKING = !exists(`${LIBRARIES}/libjack.so.0`) && Deno.env.get("CI") !== "true";

/** Tries with a PipeWire until it holds. */
async function assertHolds(
  take: (server: PulseServer, env: Record<string, string>, path: string) => Promise<boolean>,
): Promise<void> {
  if (!available(...SERVER_KINDS.PipeWire.executables)) return;
  await using scratch = new Scratch();
  const { path } = scratch;
  await Deno.mkdir(`${path}/server`);
  await using server = new PulseServer(SERVER_KINDS.PipeWire, `${path}/server`);
  await server.start();
  const env = { LD_LIBRARY_PATH: LIBRARIES, PIPEWIRE_RUNTIME_DIR: `${path}/server` };
  for (let tries = 1; !await take(server, env, path); tries++) {
    assert(tries < TRIES, `not once in ${TRIES} tries`);
  }
}

Deno.test({
  name: "PipeWire's libjack: what is written is heard to the bit",
  ignore: LACKING,
  async fn() {
    const sound = noise(2 * SECOND_BYTES, 20);
    await assertHolds(async (server, env, path) => {
      await Deno.writeFile(`${path}/sound`, sound);
      await using recorder = server.hear(`${path}/heard`);
      await until(
        () => exists(`${path}/heard`) && Deno.statSync(`${path}/heard`).size > 0,
        "parec",
      );
      const options = ["--sink", "jack", "--jack-connect", "out .*:playback"];
      await using run = Run.ossp([...options, "--", ...playWords(`${path}/sound`)], { env });
      assertEquals([await run.end(), run.stderr], [0, ""]);
      await sleep(500);
      recorder.kill("SIGINT");
      await recorder.end();
      return indexIn(await Deno.readFile(`${path}/heard`), sound) >= 0;
    });
  },
});

Deno.test({
  name: "PipeWire's libjack: what is played to a sink is recorded to the bit",
  ignore: LACKING,
  async fn() {
    const sound = noise(12 * SECOND_BYTES, 21);
    await assertHolds(async (server, env, path) => {
      await Deno.writeFile(`${path}/sound`, sound);
      await using _player = server.say(`${path}/sound`);
      await sleep(500);
      const record = ["record", "--seconds", "1", "--format", "s16le", `${path}/recorded.wav`];
      const options = ["--source", "jack", "--jack-connect", "in .*:monitor"];
      await using run = Run.ossp([...options, "--", ...osspWords(), ...record], { env });
      assertEquals([await run.end(), run.stderr], [0, ""]);
      return indexIn(sound, (await readWav(`${path}/recorded.wav`)).bytes) >= 0;
    });
  },
});
