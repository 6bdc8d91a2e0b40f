// Sound servers behind real character devices: what a program plays is heard there to the bit, and what
// the server has is recorded to the bit.

import { assert, assertEquals } from "@std/assert";
import { JackServer } from "../../apps/jack_server.ts";
import { indexIn } from "../../apps/jack_sound.ts";
import { PulseServer, SERVER_KINDS } from "../../apps/pulse_server.ts";
import { Sndiod } from "../../apps/sndio.ts";
import { exists, sleep, until } from "../../native/ossp.ts";
import { makeTake, noise, programNamed, runOssp, Scratch } from "../../programs.ts";

/** S16 in stereo at 48 kHz, which all of them take as it is. */
const FRAME_BYTES = 4;
const SECOND_BYTES = 48000 * FRAME_BYTES;

/** Who must be in time for each cycle, and is not given the only processor, leaves a gap. */
const MOST_TAKES = 5;

/** What is heard reaches a recorder's file by then, and a recording has begun. */
const RECORDER_MS = 500;

type Sound = Uint8Array<ArrayBuffer>;

/** A server, and what is at its ends. */
interface Bench extends AsyncDisposable {
  /** For `--sink` and `--source`. */
  readonly sink: string;
  readonly source: string;
  readonly env: Readonly<Record<string, string>>;
  /** What is heard at the server while something is done. */
  heardDuring(act: () => Promise<void>): Promise<Sound>;
  /** Lets be recorded what it was made with; resolves when that was. */
  say(): Promise<void>;
}

/** Plays or records until it is whole. */
async function takes(
  what: string,
  most: number,
  take: () => Promise<boolean>,
): Promise<void> {
  for (let takes = 1; !await take(); takes++) {
    assert(takes < most, `${what}: ${takes} takes, and all of them have gaps`);
  }
}

/** Whether a sound is what is heard first. */
function begins(heard: Sound, sound: Sound): boolean {
  const first = heard.findIndex((byte) => byte !== 0);
  const start = first - first % FRAME_BYTES;
  return first >= 0 && indexIn(heard.subarray(start, start + sound.length), sound) === 0;
}

function test(
  name: string,
  most: number,
  create: (folder: string, said: Sound) => Promise<Bench>,
): void {
  Deno.test(`cuse: ${name} hears and is recorded to the bit`, async () => {
    await using scratch = await Scratch.create();
    const said = noise(SECOND_BYTES, 2);
    await using bench = await create(scratch.path, said);
    const { command, sound } = await makeTake(programNamed("sox"), scratch.path, 1);
    await takes("heard", most, async () => {
      const heard = await bench.heardDuring(async () => {
        const options = ["--frontend", "cuse", "--sink", bench.sink];
        const { status, stderr } = await runOssp({ options, command, env: bench.env });
        assertEquals([status, stderr], [0, ""]);
      });
      return begins(heard, sound.bytes);
    });
    const recorded = `${scratch.path}/recorded`;
    await takes("recorded", most, async () => {
      const options = ["--frontend", "cuse", "--source", bench.source];
      const running = runOssp({ options, command: recordWords(recorded), env: bench.env });
      await until(() => exists(recorded), "the recording's start");
      await sleep(RECORDER_MS);
      await bench.say();
      const { status, stderr } = await running;
      assertEquals([status, stderr], [0, ""]);
      const whole = indexIn(await Deno.readFile(recorded), said) >= 0;
      await Deno.remove(recorded);
      return whole;
    });
  });
}

function recordWords(file: string): string[] {
  const input = ["-t", "oss", "-e", "signed", "-b", "16", "-c", "2", "-r", "48000", "/dev/dsp"];
  return ["sox", "-q", ...input, "-t", "raw", file, "trim", "0", "3"];
}

test("PulseAudio", 1, async (folder, said) => {
  await Deno.mkdir(`${folder}/server`);
  await Deno.writeFile(`${folder}/said`, said);
  const server = new PulseServer(SERVER_KINDS.PulseAudio, `${folder}/server`);
  await server.start();
  const file = `${folder}/heard`;
  const heardBytes = () => exists(file) ? Deno.statSync(file).size : 0;
  return {
    sink: "pulse",
    source: "pulse",
    env: server.env,
    async heardDuring(act) {
      await using hearing = server.hear(file);
      await until(() => heardBytes() > 0, "the monitor");
      await act();
      const end = heardBytes() + SECOND_BYTES; // what was played is still on its way
      await until(() => heardBytes() > end, "the end");
      hearing.kill("SIGKILL");
      await hearing.end();
      const heard = await Deno.readFile(file);
      await Deno.remove(file);
      return heard;
    },
    async say() {
      await using speaker = server.say(`${folder}/said`);
      assertEquals([await speaker.end(), speaker.stderr], [0, ""]);
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
});

test("JACK", MOST_TAKES, async (folder, said) => {
  const source = `${folder}/said`;
  const floats = Float32Array.from(new Int16Array(said.buffer), (sample) => sample / 32768);
  await Deno.writeFile(source, new Uint8Array(floats.buffer));
  const server = await JackServer.start(folder, { cycleFrames: 2048, source });
  const name = `jack:${server.name}`;
  return {
    sink: name,
    source: name,
    env: {},
    async heardDuring(act) {
      await act();
      const { bytes } = await server.end();
      await server.restart();
      return bytes;
    },
    say: () => Promise.resolve(), // its card says it over and over
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
});

test("sndio", MOST_TAKES, async (folder, said) => {
  await Deno.writeFile(`${folder}/said`, said);
  const sndiod = Sndiod.create(folder);
  await sndiod.start();
  return {
    sink: `sndio:${sndiod.device()}`,
    source: `sndio:${sndiod.device("mon")}`,
    env: sndiod.env,
    async heardDuring(act) {
      sndiod.card.heard.length = 0;
      await act();
      await sleep(RECORDER_MS);
      return sndiod.card.bytes;
    },
    async say() {
      const sound = ["-e", "s16", "-c", "0:1", "-r", "48000", "-h", "raw"];
      await using player = sndiod.client(
        ...["aucat", "-f", sndiod.device(), ...sound, "-i", `${folder}/said`],
      );
      assertEquals(await player.end(), 0, player.stderr);
    },
    [Symbol.asyncDispose]: () => sndiod[Symbol.asyncDispose](),
  };
});
