// Real programs that map the device, and never write or read: whatever plays through SDL 1.2's dma
// driver, PulseAudio and QEMU.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { compile } from "../compile.ts";
import { available, KERNEL_MAPS, noise, readWav, runOssp, Scratch, writeWav } from "../programs.ts";
import { Pulse, PULSE_RING_BYTES, PULSE_SOUND } from "./pulse.ts";

const FRAME_BYTES = 4;

/** What PulseAudio says of a device that it has mapped. */
const MAPPED = 'device.access_mode = "mmap"';

/** The words by which its clients play and record what it need not convert. */
const PULSE_RAW = [
  "--raw",
  `--format=${PULSE_SOUND.format}`,
  `--rate=${PULSE_SOUND.rateHz}`,
  `--channels=${PULSE_SOUND.channels}`,
];

/** The words by which the compiler makes a boot sector of a program. */
const BOOT_SECTOR = [
  ...["-m32", "-nostdlib", "-static"],
  ...["-Wl,--oformat=binary", "-Wl,-Ttext=0x7c00", "-Wl,--build-id=none"],
];

/** The sound from its first frame that is not silent. */
function fromFirstSound(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0);
  assert(first >= 0, "nothing was heard");
  return bytes.subarray(first - first % FRAME_BYTES);
}

/** Asserts that a sound was heard over and over, the first time from `start` on. */
function assertRepeated(heard: Uint8Array, sound: Uint8Array, start = 0): void {
  assert(heard.length > sound.length, `${heard.length} bytes were heard`);
  assertEquals(heard.findIndex((byte, i) => byte !== sound[(start + i) % sound.length]), -1);
}

Deno.test({
  name: "plaympeg through SDL's dma driver is heard to the bit",
  ignore: !KERNEL_MAPS,
  fn: plaympeg,
});

async function plaympeg(): Promise<void> {
  if (!available("plaympeg", "ffmpeg")) return;
  await using scratch = await Scratch.create();
  const place = (name: string) => `${scratch.path}/${name}`;
  const tone = ["-f", "lavfi", "-i", "aevalsrc=0.5*sin(2000*t*t)|0.4*sin(3000*t):s=48000:d=3"];
  const encoded = await new Deno.Command("ffmpeg", {
    args: ["-v", "error", ...tone, "-b:a", "128k", place("tone.mp3")],
  }).output();
  assertEquals(new TextDecoder().decode(encoded.stderr), "");

  // SDL's disk driver writes what a device would be given.
  const player = ["plaympeg", "--novideo", place("tone.mp3")];
  await new Deno.Command(player[0], {
    args: player.slice(1),
    env: {
      SDL_AUDIODRIVER: "disk",
      SDL_DISKAUDIOFILE: place("wanted"),
      SDL_DISKAUDIODELAY: "10",
    },
  }).output();
  const { status } = await runOssp({
    options: ["--frontend", "fuse", "--sink", `wav:${place("heard.wav")}-%n`],
    command: player,
    env: { SDL_AUDIODRIVER: "dma" },
  });
  assertEquals(status, 0);

  const sound = await readWav(`${place("heard.wav")}-1`);
  assertEquals([sound.format, sound.rateHz, sound.channels], ["s16le", 48000, 2]);
  const heard = fromFirstSound(sound.bytes);
  const wanted = fromFirstSound(await Deno.readFile(place("wanted")));
  // It stops when it has decoded the last frame, not when that is heard: SDL 1.2 drops its buffers.
  const end = heard.findLastIndex((byte) => byte !== 0) + 1;
  assert(end > 2.5 * 48000 * FRAME_BYTES, `${end} bytes were heard`);
  const same = heard.findIndex((byte, i) => byte !== wanted[i] && i < end);
  assertEquals(same, -1);
}

Deno.test({
  name: "what PulseAudio's module-oss plays from a mapping is heard to the bit",
  ignore: !KERNEL_MAPS,
  fn: pulsePlays,
});

async function pulsePlays(): Promise<void> {
  if (!available("pulseaudio", "pacat")) return;
  await using scratch = await Scratch.create();
  const place = (name: string) => `${scratch.path}/${name}`;
  const sound = noise(2 * PULSE_SOUND.rateHz * FRAME_BYTES, 1);
  await Deno.writeFile(place("sound"), sound);
  // For PulseAudio a sound has ended when its end lies in the ring: silence, until that is heard.
  await Deno.writeFile(place("sound"), new Uint8Array(2 * PULSE_RING_BYTES), { append: true });

  // On Linux it maps the device for playing only if it opens it for recording too.
  const sink = ["--sink", `wav:${place("heard")}-%n`];
  await using pulse = await Pulse.start(scratch.path, sink, "playback=1 record=1");
  assertStringIncludes(await pulse.client("pactl", "list", "sinks"), MAPPED);
  await pulse.client("pacat", ...PULSE_RAW, place("sound"));
  await pulse.end();

  const { bytes, ...parameters } = await readWav(`${place("heard")}-1`);
  assertEquals(parameters, PULSE_SOUND);
  const heard = fromFirstSound(bytes);
  assertEquals(sound.findIndex((byte, i) => byte !== heard[i]), -1);
  assertEquals(heard.subarray(sound.length).findIndex((byte) => byte !== 0), -1);
}

Deno.test({
  name: "what PulseAudio's module-oss records from a mapping is the source to the bit",
  ignore: !KERNEL_MAPS,
  fn: pulseRecords,
});

async function pulseRecords(): Promise<void> {
  if (!available("pulseaudio", "parec")) return;
  await using scratch = await Scratch.create();
  const place = (name: string) => `${scratch.path}/${name}`;
  // Not as long as the ring is: what that held a round ago would be heard.
  const sound = noise(PULSE_SOUND.rateHz * FRAME_BYTES, 3);
  await writeWav(place("source.wav"), { ...PULSE_SOUND, bytes: sound });

  const source = ["--source", `wav:${place("source.wav")}`];
  await using pulse = await Pulse.start(scratch.path, source, "playback=0 record=1");
  assertStringIncludes(await pulse.client("pactl", "list", "sources"), MAPPED);
  const parec = ["parec", ...PULSE_RAW, place("heard")];
  await pulse.client("timeout", "--preserve-status", "2.5", ...parec);
  await pulse.end();

  // It has recorded since it started, and parec is given what comes from now on.
  const heard = await Deno.readFile(place("heard"));
  const first = heard.subarray(0, 4 * FRAME_BYTES);
  const start = sound.findIndex((_, i) => first.every((byte, j) => byte === sound[i + j]));
  assert(start >= 0, "what was recorded first is not in the source");
  assertRepeated(heard, sound, start);
}

Deno.test({
  name: "what QEMU's guest plays is heard to the bit from QEMU's mapping",
  ignore: !KERNEL_MAPS,
  fn: qemuPlays,
});

async function qemuPlays(): Promise<void> {
  if (!available("qemu-system-i386", "cc")) return;
  await using scratch = await Scratch.create();
  const heard = `${scratch.path}/heard`;
  const disk = await compile("apps/sb16_guest.s", scratch.path, ...BOOT_SECTOR);
  const sound = noise(128 * 1024, 2);
  await Deno.writeFile(disk, sound, { append: true });

  // What the card is given goes to the device as it is. The ring lasts 0.56 s, and is not as long as
  // the sound: what it held a round ago would be heard.
  const audio = "oss,id=audio,try-mmap=on,out.format=s16,out.channels=2,out.frequency=44100";
  const { status, stderr } = await runOssp({
    options: ["--frontend", "fuse", "--sink", `wav:${heard}-%n`],
    command: [
      ...["qemu-system-i386", "-nodefaults", "-display", "none", "-accel", "tcg", "-m", "8"],
      ...["-drive", `file=${disk},format=raw,if=ide`],
      ...["-audiodev", `${audio},out.buffer-count=24`, "-device", "sb16,audiodev=audio"],
      ...["-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
    ],
  });
  // isa-debug-exit makes 2 n + 1 of the guest's 1; that it could not map, QEMU would say.
  assertEquals([status, stderr], [3, ""]);

  const { bytes, ...parameters } = await readWav(`${heard}-1`);
  assertEquals(parameters, { format: "s16le", rateHz: 44100, channels: 2 });
  assertRepeated(fromFirstSound(bytes), sound);
}
