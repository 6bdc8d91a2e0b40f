// --loopback: a pair of devices, each of which records what is played to the other.

import { assert, assertEquals } from "@std/assert";
import { noise } from "../programs.ts";
import { LACKING, Run, Scratch } from "./ossp.ts";

const MIX = ["--format", "u8", "--rate", "8000", "--channels", "1"];

/** Where a sound begins in what was heard, and how much of it follows there. */
function find(heard: Uint8Array, sound: Uint8Array): [start: number, length: number] {
  const head = sound.subarray(0, 32);
  const start = heard.findIndex((_, at) => head.every((byte, i) => heard[at + i] === byte));
  let length = 0;
  while (start >= 0 && length < sound.length && heard[start + length] === sound[length]) length++;
  return [start, length];
}

Deno.test({
  name: "each device of a loopback records what the other plays, to the bit",
  ignore: LACKING,
  async fn() {
    await using scratch = new Scratch();
    const { path } = scratch;
    const sounds = [noise(8000, 1), noise(8000, 2)];
    for (const [i, sound] of sounds.entries()) Deno.writeFileSync(`${path}/sound${i}`, sound);
    const record = (i: number) => `dd if=/dev/lb${i} of=${path}/heard${i} bs=800 count=25 & `;
    const play = (i: number) => `cat ${path}/sound${i} >/dev/lb${i} & `;
    const script = `exec 2>/dev/null; ${record(0)}${record(1)}sleep 0.3; ${play(0)}${play(1)}wait`;
    await using run = Run.ossp(["--loopback", "lb", ...MIX, "--", "sh", "-c", script]);
    assertEquals([await run.end(), run.stderr], [0, ""]);
    for (const [i, sound] of sounds.entries()) {
      const heard = Deno.readFileSync(`${path}/heard${1 - i}`);
      const [start, length] = find(heard, sound);
      assert(start > 0, `what lb${i} plays is not heard`);
      assertEquals(length, sound.length, `from ${start} on`);
      const around = [...heard.subarray(0, start), ...heard.subarray(start + length)];
      assertEquals(around.find((byte) => byte !== 0x80), undefined, "silence before and after");
    }
  },
});

Deno.test({
  name: "a name that another device has is refused",
  ignore: LACKING,
  async fn() {
    await using run = Run.ossp(["--loopback", "dsp", "--adsp", "dsp1", "--", "true"]);
    assertEquals(await run.end(), 64);
    assert(run.stderr.includes("two devices have the same name"), run.stderr);
  },
});
