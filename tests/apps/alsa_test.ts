// Sound to and from ALSA, without a sound card: the plug-in `file` plays to a file and records from
// one. It keeps no time, so the PCMs here have none of their own; a card is in
// tests/oracle/alsa_test.ts.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { O_RDWR, O_WRONLY, write } from "../../ffi/libc.ts";
import { OssDevice } from "../../lib/cli/oss_device.ts";
import { AudioBufInfo, IO, IOR } from "../../lib/oss/soundcard.ts";
import { formatByName } from "../../lib/pcm/format.ts";
import { probe } from "../../lib/server/alsa.ts";
import { compile } from "../compile.ts";
import { exists, Run, Scratch, sleep, until } from "../native/ossp.ts";
import { KERNEL_MAPS, noise, osspWords, readWav, runOssp } from "../programs.ts";

const FUSE = ["--frontend", "fuse"];

/** No call on a device may take longer, whatever happens behind it. */
const CALL_LIMIT_MS = 50;

/** How soon there must be sound again once there can be. */
const BACK_LIMIT_MS = 2000;

/** A format of ours, ALSA's name for it, rate and channels. */
const SOUNDS: readonly [string, string, number, number][] = [
  ["u8", "U8", 8000, 1],
  ["s8", "S8", 11025, 2],
  ["s16le", "S16_LE", 48000, 2],
  ["s16be", "S16_BE", 44100, 6],
  ["u16le", "U16_LE", 22050, 1],
  ["s24packed", "S24_3LE", 96000, 2],
  ["s32le", "S32_LE", 48000, 8],
  ["s32be", "S32_BE", 96000, 1],
  ["alaw", "A_LAW", 8000, 2],
];

/** A folder with a configuration of ALSA's in which there are only the PCMs of the test. */
class Alsa implements AsyncDisposable {
  readonly scratch = new Scratch();
  readonly env = { ALSA_CONFIG_PATH: this.path("asound.conf") };

  constructor(...pcms: string[]) {
    this.configure(...pcms);
  }

  /** Replaces the PCMs. In them, FOLDER is the test's own folder. */
  configure(...pcms: string[]): void {
    const text = pcms.join("\n").replaceAll("FOLDER", this.scratch.path);
    Deno.writeTextFileSync(this.path("new.conf"), text + "\n");
    Deno.renameSync(this.path("new.conf"), this.env.ALSA_CONFIG_PATH);
  }

  path(name: string): string {
    return `${this.scratch.path}/${name}`;
  }

  /** Devices in a folder of their own, which are there when it resolves. */
  async serve(...options: string[]): Promise<Run> {
    const run = Run.ossp(["--dir", this.path("dev"), ...options], { env: this.env });
    await run.printed("serving", "stderr");
    return run;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.scratch[Symbol.asyncDispose]();
  }
}

/** A PCM that plays to a file; in its name %f, %r and %c stand for the stream's parameters. */
const playsTo = (name: string, file: string) =>
  `pcm.${name} { type file slave.pcm { type null } file "FOLDER/${file}" format raw }`;

/** A PCM that records from a file. */
const recordsFrom = (name: string, file: string) =>
  `pcm.${name} { type file slave.pcm { type null } file "/dev/null" infile "FOLDER/${file}" }`;

/** Where one array lies in another; -1 if nowhere. */
function indexIn(whole: Uint8Array, part: Uint8Array): number {
  return Buffer.from(whole.buffer, whole.byteOffset, whole.length).indexOf(part);
}

/** The words of `ossp play` with bare samples. */
const play = (
  device: string,
  file: string,
  format = "s16le",
  rateHz = 48000,
  channels = 2,
): string[] => [
  ...[...osspWords(), "play", "--device", device, "--format", format],
  ...["--rate", String(rateHz), "--channels", String(channels), file],
];

const quote = (words: readonly string[]) => words.map((word) => `'${word}'`).join(" ");

/** Calls a device all the time until `done`; returns the milliseconds of the slowest call. */
async function callAlways(path: string, done: Promise<unknown>): Promise<number> {
  using device = new OssDevice(path, O_RDWR);
  let goesOn = true;
  const stop = () => {
    goesOn = false;
  };
  done.then(stop, stop);
  let slowestMs = 0;
  while (goesOn) {
    const startMs = performance.now();
    device.call("SNDCTL_DSP_GETOSPACE", IOR("P", 12, AudioBufInfo.$size));
    slowestMs = Math.max(slowestMs, performance.now() - startMs);
    await sleep(5);
  }
  return slowestMs;
}

Deno.test("every format is played to the bit, each stream on a PCM of its own", async () => {
  await using alsa = new Alsa(playsTo("out", "heard-%f-%r-%c"));
  const takes = SOUNDS.map(([format, name, rateHz, channels], i) => {
    const file = alsa.path(`sound-${i}`);
    const sound = noise(formatByName(format)!.bytes * channels * rateHz, i);
    Deno.writeFileSync(file, sound);
    const heard = alsa.path(`heard-${name}-${rateHz}-${channels}`);
    return { sound, heard, words: play("/dev/dsp", file, format, rateHz, channels) };
  });
  const startMs = performance.now();
  const { status, stderr } = await runOssp({
    options: [...FUSE, "--sink", "alsa:out"],
    command: ["sh", "-c", `${takes.map(({ words }) => `${quote(words)} &`).join(" ")} wait`],
    env: alsa.env,
  });
  assertEquals([status, stderr], [0, ""]);
  // They last a second, though the PCMs would take everything at once.
  assert(performance.now() - startMs > 1000);
  for (const [i, { sound, heard }] of takes.entries()) {
    assert(indexIn(await Deno.readFile(heard), sound) >= 0, SOUNDS[i].join(" "));
  }
});

Deno.test("a format that the PCM does not take is made into one that it takes", async () => {
  const s16 = `slave { pcm { type file slave.pcm { type null } file "FOLDER/heard" } `;
  await using alsa = new Alsa(`pcm.linear { type linear ${s16} format S16_LE } }`);
  const codes = noise(8000, 1);
  await Deno.writeFile(alsa.path("codes"), codes);
  const { status, stderr } = await runOssp({
    options: [...FUSE, "--sink", "alsa:linear"],
    command: play("/dev/dsp", alsa.path("codes"), "mulaw", 8000, 1),
    env: alsa.env,
  });
  assertEquals([status, stderr], [0, ""]);
  const decoded = new Float64Array(codes.length);
  formatByName("mulaw")!.decode(codes, 0, decoded, 0, codes.length);
  const sound = new Uint8Array(2 * codes.length);
  formatByName("s16le")!.encode(decoded, 0, sound, 0, codes.length);
  assert(indexIn(await Deno.readFile(alsa.path("heard")), sound) >= 0);
});

Deno.test({
  name: "what a program puts into a mapping is played to the bit",
  ignore: !KERNEL_MAPS,
  async fn() {
    await using alsa = new Alsa(playsTo("out", "heard"));
    const client = await compile("native/mmap_client.c", alsa.scratch.path);
    const sound = noise(2 * 48000 * 4, 1);
    await Deno.writeFile(alsa.path("sound"), sound);
    const { status, stdout, stderr } = await runOssp({
      options: [...FUSE, "--sink", "alsa:out"],
      command: [client, "/dev/dsp", ...["S16_LE", "48000", "2", "11", "16"], alsa.path("sound")],
      env: alsa.env,
    });
    assertEquals([status, stderr], [0, ""]);
    assertEquals(JSON.parse(stdout).late_refills, 0);
    // It ends when the pointer is at the end, which drops what is still on its way then.
    const whole = sound.subarray(0, sound.length - 0.1 * 48000 * 4);
    assert(indexIn(await Deno.readFile(alsa.path("heard")), whole) >= 0);
  },
});

Deno.test("what the PCM records is read to the bit from its start by three programs", async () => {
  await using alsa = new Alsa(recordsFrom("in", "sound"));
  const sound = noise(3 * 48000 * 4, 1);
  await Deno.writeFile(alsa.path("sound"), sound);
  const recorder = (name: string) =>
    quote([...osspWords(), "record", "--seconds", "1", "--format", "s16le", alsa.path(name)]);
  const dd = `dd if=/dev/dsp of=${alsa.path("raw")} bs=1000 count=8 status=none`;
  const { status, stderr } = await runOssp({
    options: [...FUSE, "--source", "alsa:in"],
    command: ["sh", "-c", `${recorder("a.wav")} & ${recorder("b.wav")} & ${dd}; wait`],
    env: alsa.env,
  });
  assertEquals([status, stderr], [0, ""]);
  for (const name of ["a.wav", "b.wav"]) {
    const { bytes } = await readWav(alsa.path(name));
    assertEquals(bytes.length, 48000 * 4);
    assertEquals(indexIn(sound, bytes), 0, name);
  }
  assertEquals(await Deno.readFile(alsa.path("raw")), sound.subarray(0, 8000));
});

Deno.test("after a pause and after a RESET the first frame of what follows is heard", async () => {
  await using alsa = new Alsa(playsTo("out", "heard"));
  await using run = await alsa.serve("--sink", "alsa:out");
  const sounds = [1, 2, 3, 4].map((seed) => noise(4096, seed));
  {
    using device = new OssDevice(`${alsa.path("dev")}/dsp`, O_WRONLY);
    const play = (sound: Uint8Array<ArrayBuffer>) =>
      assertEquals(write(device.fd, sound, sound.length), sound.length);
    play(sounds[0]);
    device.call("SNDCTL_DSP_SYNC", IO("P", 1));
    await sleep(1500); // longer than the PCM goes on
    play(sounds[1]);
    await sleep(100);
    device.call("SNDCTL_DSP_RESET", IO("P", 0));
    play(sounds[2]);
    device.call("SNDCTL_DSP_RESET", IO("P", 0));
    play(sounds[3]);
  }
  run.kill("SIGTERM");
  assertEquals(await run.end(), 0, run.stderr);
  const heard = await Deno.readFile(alsa.path("heard"));
  const places = sounds.map((sound) => indexIn(heard, sound));
  assert(0 <= places[0] && places[0] < places[3], String(places));
  assertEquals(places.slice(1, 3), [-1, -1]);
  assert(indexIn(heard, sounds[1].subarray(0, 400)) > places[0]);
});

Deno.test("a stream plays on while there is no PCM, and is heard when there is one", async () => {
  await using alsa = new Alsa();
  await using run = await alsa.serve("--sink", "alsa:out");
  const sound = noise(4 * 48000 * 4, 1);
  await Deno.writeFile(alsa.path("sound"), sound);
  const startMs = performance.now();
  const dsp = `${alsa.path("dev")}/dsp`;
  await using player = new Run(play(dsp, alsa.path("sound")));
  const ended = player.end();
  const slowestMs = callAlways(dsp, ended);
  await run.printed("is lost", "stderr");
  await sleep(1000);
  alsa.configure(playsTo("out", "heard"));
  const heardBytes = () => exists(alsa.path("heard")) ? Deno.statSync(alsa.path("heard")).size : 0;
  await until(() => heardBytes() > 0, "sound", BACK_LIMIT_MS + 500);
  assertEquals([await ended, player.stderr], [0, ""]);
  assert(await slowestMs < CALL_LIMIT_MS, `${await slowestMs} ms`);
  const playedMs = performance.now() - startMs;
  assert(playedMs > 4000 && playedMs < 6000, `${playedMs} ms`);
  run.kill("SIGTERM");
  assertEquals(await run.end(), 0, run.stderr);
  assertEquals(run.stderr.match(/alsa.*/g)?.length, 2, run.stderr);
  assertMatch(run.stderr, /alsa: out is lost: snd_pcm_open: .*\n.*alsa: out is back\n/);
  const heard = await Deno.readFile(alsa.path("heard"));
  assert(indexIn(heard, sound.subarray(sound.length - 48000 * 4)) >= 0);
});

Deno.test("a PCM that hangs holds up nobody, and goes on when it can", async () => {
  await using alsa = new Alsa(playsTo("out", "fifo"));
  // Its open waits for a reader of the fifo, and its writes for what the reader takes.
  assert((await new Deno.Command("mkfifo", { args: [alsa.path("fifo")] }).output()).success);
  await using run = await alsa.serve("--sink", "alsa:out");
  const sound = noise(5 * 48000 * 4, 1);
  await Deno.writeFile(alsa.path("sound"), sound);
  const dsp = `${alsa.path("dev")}/dsp`;
  await using player = new Run(play(dsp, alsa.path("sound")));
  const ended = player.end();
  const slowestMs = callAlways(dsp, ended);
  await sleep(1000);
  await using reader = new Run(["dd", `if=${alsa.path("fifo")}`, `of=${alsa.path("heard")}`]);
  const heardBytes = () => exists(alsa.path("heard")) ? Deno.statSync(alsa.path("heard")).size : 0;
  await until(() => heardBytes() > 0, "the first sound", BACK_LIMIT_MS);
  reader.kill("SIGSTOP");
  await sleep(1500);
  const before = heardBytes();
  reader.kill("SIGCONT");
  // More than was waiting in the fifo.
  await until(() => heardBytes() > before + 100_000, "sound again", BACK_LIMIT_MS);
  assertEquals([await ended, player.stderr], [0, ""]);
  assert(await slowestMs < CALL_LIMIT_MS, `${await slowestMs} ms`);
  run.kill("SIGTERM");
  assertEquals(await run.end(), 0, run.stderr);
  assertEquals(await reader.end(), 0);
  const heard = await Deno.readFile(alsa.path("heard"));
  assert(indexIn(heard, sound.subarray(sound.length - 48000 * 4)) >= 0);
});

Deno.test("a probe says what is wrong with a PCM", () => {
  assertEquals(probe("null"), undefined);
  assertMatch(probe("no-such-pcm")!, /^no-such-pcm: snd_pcm_open: No such file or directory$/);
});
