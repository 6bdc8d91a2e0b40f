// A sound server behind real character devices: what a program plays is heard there to the bit.

import { assert, assertEquals } from "@std/assert";
import { PulseServer, SERVER_KINDS } from "../../apps/pulse_server.ts";
import { exists, until } from "../../native/ossp.ts";
import { makeTake, programNamed, runOssp, Scratch } from "../../programs.ts";

const FRAME_BYTES = 4;

Deno.test("cuse: what a program plays is heard at PulseAudio to the bit", async () => {
  await using scratch = await Scratch.create();
  const { path } = scratch;
  await Deno.mkdir(`${path}/server`);
  await using server = new PulseServer(SERVER_KINDS.PulseAudio, `${path}/server`);
  await server.start();
  const { command, sound } = await makeTake(programNamed("sox"), path, 1);
  await using hearing = server.hear(`${path}/heard`);
  const heardBytes = () => exists(`${path}/heard`) ? Deno.statSync(`${path}/heard`).size : 0;
  await until(() => heardBytes() > 0, "the monitor");
  const options = ["--frontend", "cuse", "--sink", "pulse"];
  const { status, stderr } = await runOssp({ options, command, env: server.env });
  assertEquals([status, stderr], [0, ""]);
  const end = heardBytes() + 48000 * FRAME_BYTES; // what was played is still on its way
  await until(() => heardBytes() > end, "the end");
  hearing.kill("SIGKILL");
  await hearing.end();
  const heard = await Deno.readFile(`${path}/heard`);
  const first = heard.findIndex((byte) => byte !== 0);
  assert(first >= 0, `nothing but silence in ${heard.length} bytes`);
  const start = first - first % FRAME_BYTES;
  assertEquals(sound.bytes.findIndex((byte, i) => byte !== heard[start + i]), -1);
});
