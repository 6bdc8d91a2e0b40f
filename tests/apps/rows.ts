// Runs the programs of the table under ossp, and judges what has come of it.

import { formatByName } from "../../lib/pcm/format.ts";
import { noise, readWav, runOssp, type Sound, writeWav } from "../programs.ts";
import { measureTone } from "../spectrum.ts";
import type { Row } from "./table.ts";

const CD = { format: "s16le", rateHz: 44100, channels: 2 };

/** Several of sox's and ffmpeg's blocks, see `InputKind`; 0.93 s. */
const NOISE_BYTES = 10 * 16384;

async function quietly(cwd: string, script: string): Promise<void> {
  const { success, stderr } = await new Deno.Command("sh", {
    args: ["-c", script],
    cwd,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`${script}: ${new TextDecoder().decode(stderr)}`);
}

/** A MIDI file: an A at 440 Hz for a second. */
function midi(): Uint8Array<ArrayBuffer> {
  const events = [0, 0xc0, 80, 0, 0x90, 69, 100, 0x81, 0x40, 0x80, 69, 0, 0, 0xff, 0x2f, 0];
  const text = (string: string) => [...new TextEncoder().encode(string)];
  const header = [...text("MThd"), 0, 0, 0, 6, 0, 0, 0, 1, 0, 96];
  return new Uint8Array([...header, ...text("MTrk"), 0, 0, 0, events.length, ...events]);
}

/** A ProTracker module: one pattern at the highest speed, one looped note. */
function tracker(): Uint8Array<ArrayBuffer> {
  const SAMPLE_BYTES = 1024;
  const file = new Uint8Array(1084 + 64 * 16 + SAMPLE_BYTES);
  const view = new DataView(file.buffer);
  view.setUint16(42, SAMPLE_BYTES / 2); // the first instrument's length, in words
  file[45] = 64; // its volume
  view.setUint16(48, SAMPLE_BYTES / 2); // its loop's length
  for (let i = 1; i < 31; i++) view.setUint16(20 + 30 * i + 28, 1);
  file[950] = 1; // one pattern
  file[951] = 127;
  file.set(new TextEncoder().encode("M.K."), 1080);
  // The period of C-2, the first instrument, and 3 ticks a line: 3.8 s.
  file.set([428 >> 8, 428 & 0xff, 0x1f, 3], 1084);
  for (let i = 0; i < SAMPLE_BYTES; i++) {
    view.setInt8(file.length - SAMPLE_BYTES + i, Math.round(100 * Math.sin(Math.PI * i / 16)));
  }
  return file;
}

/** A mono sound of a function of the time in seconds. */
function sound(rateHz: number, seconds: number, at: (time: number) => number): Sound {
  const samples = Int16Array.from(
    { length: rateHz * seconds },
    (_, i) => Math.round(32767 * at(i / rateHz)),
  );
  return { format: "s16le", rateHz, channels: 1, bytes: new Uint8Array(samples.buffer) };
}

const DIGITS = [[697, 1209], [770, 1336], [852, 1477]];

/** The telephone's 1, 5 and 9, 100 ms each with as much silence behind. */
function dialled(time: number): number {
  const place = time / 0.2;
  const digit = DIGITS[Math.floor(place)];
  if (place % 1 >= 0.5 || !digit) return 0;
  return digit.reduce((sum, hz) => sum + 0.4 * Math.sin(2 * Math.PI * hz * time), 0);
}

/**
 * Makes what the programs play and record.
 *
 * @param folder where it goes, with an .asoundrc: a program's working and home folder begins as a
 * copy of it
 */
export async function makeInputs(folder: string): Promise<void> {
  const place = (name: string) => `${folder}/${name}`;
  await writeWav(place("noise.wav"), { ...CD, bytes: noise(NOISE_BYTES, 7) });
  const tone = sound(44100, 1, (time) => 0.5 * Math.sin(2000 * Math.PI * time));
  await writeWav(place("tone.wav"), tone);
  await writeWav(place("digits.wav"), sound(22050, 1, dialled));
  await Deno.writeFile(place("tone.mid"), midi());
  await Deno.writeFile(place("tone.mod"), tracker());
  const pcm = "{ type oss device /dev/dsp }";
  await Deno.writeTextFile(place(".asoundrc"), `pcm.ossp ${pcm}\npcm.!default ${pcm}\n`);
  const ffmpeg = "ffmpeg -v error -nostdin -y -i";
  await quietly(folder, `${ffmpeg} noise.wav noise.flac && ${ffmpeg} noise.wav noise.mp3`);
  await quietly(folder, `${ffmpeg} tone.wav -ac 2 -b:a 192k tone.mp3`);
}

/** The place of what is not silence. */
function trimmed(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0);
  return first < 0 ? bytes.subarray(0, 0) : bytes.subarray(
    first,
    bytes.findLastIndex((byte) => byte !== 0) + 1,
  );
}

/** What is wrong with bytes, of which `missing` may be missing at the end. */
function unlike(heard: Uint8Array, wanted: Uint8Array, missing = 0): string | undefined {
  const at = heard.findIndex((byte, i) => byte !== wanted[i]);
  const lengths = `${heard.length} bytes, ${wanted.length} wanted`;
  if (at >= 0) return `${lengths}, other from byte ${at} on`;
  if (heard.length < Math.max(1, wanted.length - missing)) return lengths;
}

/** The first channel. */
function firstChannel({ format, channels, bytes }: Sound): Float64Array {
  const coding = formatByName(format)!;
  const all = new Float64Array(bytes.length / coding.bytes);
  coding.decode(bytes, 0, all, 0, all.length);
  return all.filter((_, i) => i % channels === 0);
}

/** The longest stream of a run that is not silent: some programs open the device to try it first. */
async function longestSound(folder: string): Promise<Sound> {
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => name.startsWith("heard-"));
  const sounds = (await Promise.all(names.map((name) => readWav(`${folder}/${name}`))))
    .filter(({ bytes }) => bytes.some((byte) => byte !== 0))
    .sort((a, b) => b.bytes.length - a.bytes.length);
  if (sounds.length === 0) throw new Error(`${names.length} streams, none of them sounds`);
  return sounds[0];
}

async function judge({ outcome }: Row, folder: string, printed: string) {
  switch (outcome.kind) {
    case "prints":
      return outcome.text.test(printed) ? undefined : `printed ${printed}`;
    case "recorded": {
      // Its own header may be one that is not true any more when the program is stopped.
      const file = await Deno.readFile(`${folder}/recorded.wav`);
      const source = (await readWav(`${folder}/noise.wav`)).bytes;
      const heard = file.subarray(44, 44 + outcome.bytes);
      return heard.length < outcome.bytes
        ? `${heard.length} bytes recorded`
        : unlike(heard, source, source.length);
    }
    case "noise":
    case "own": {
      const wanted = await readWav(`${folder}/${outcome.kind === "own" ? "wanted" : "noise"}.wav`);
      const heard = await longestSound(folder);
      const text = ({ format, rateHz, channels }: Sound) => `${format} ${rateHz} × ${channels}`;
      if (text(heard) !== text(wanted)) return `${text(heard)} in place of ${text(wanted)}`;
      const bytesPerMs = wanted.rateHz * wanted.channels * 2 / 1000;
      const missing = outcome.kind === "own" ? (outcome.endMs ?? 0) * bytesPerMs : 0;
      return unlike(trimmed(heard.bytes), trimmed(wanted.bytes), missing);
    }
    case "tone": {
      const heard = await longestSound(folder);
      const tone = measureTone(firstChannel(heard), heard.rateHz, outcome.hz);
      const wrong = Math.abs(tone.hz - outcome.hz) > outcome.hz / 1000 ||
        Math.abs(tone.level - (outcome.level ?? tone.level)) > 0.01 ||
        tone.residueDb > outcome.residueDb || tone.quietestDb < -0.5 || tone.loudestDb > 0.5 ||
        tone.seconds < outcome.seconds;
      return wrong ? JSON.stringify(tone) : undefined;
    }
  }
}

/** How long a program may take; a user-mode kernel is slow. */
const PROGRAM_LIMIT_SECONDS = 100;

/** Programs that can share an ossp: those that record the same by the same clock. */
export function sharing(rows: readonly Row[]): Row[][] {
  return [...Map.groupBy(rows, ({ source, free }) => `${source} ${free}`).values()];
}

/**
 * Runs programs of the table one after the other, under one ossp.
 *
 * @param rows that can share it
 * @param inputs where `makeInputs` has made its files
 * @param folder their own, that is made here
 * @returns what is wrong with each, if anything
 */
export async function runRows(
  rows: readonly Row[],
  frontend: string,
  inputs: string,
  folder: string,
): Promise<(string | undefined)[]> {
  await Deno.mkdir(folder);
  const places = rows.map((_, i) => `${folder}/${i}`);
  for (const [i, { outcome }] of rows.entries()) {
    await quietly(".", `cp -r "${inputs}" "${places[i]}"`);
    await Deno.writeTextFile(`${places[i]}/script`, rows[i].script);
    if (outcome.kind === "own") await quietly(places[i], `export HOME="$PWD"; ${outcome.decode}`);
  }
  const { source, free } = rows[0];
  const { status, stderr } = await runOssp({
    options: [
      ...["--frontend", frontend, "--sink", `wav:${folder}/heard-%n.wav`],
      ...source ? ["--source", `wav:${inputs}/${source}`] : [],
      ...free ? ["--clock", "free"] : [],
    ],
    command: [
      "sh",
      "-c",
      `for place; do
        cd "$place"
        HOME="$place" timeout ${PROGRAM_LIMIT_SECONDS} sh script >printed 2>&1
        echo $? >status
        mv ../heard-*.wav . 2>/dev/null
      done; true`,
      "sh",
      ...places,
    ],
    limitMs: rows.length * PROGRAM_LIMIT_SECONDS * 1000,
  });
  if (status !== 0) return rows.map(() => `ossp's status ${status}: ${stderr}`);
  return await Promise.all(rows.map(async (row, i) => {
    const read = (name: string) => Deno.readTextFile(`${places[i]}/${name}`);
    const printed = await read("printed");
    const status = Number(await read("status"));
    try {
      if (status !== (row.status ?? 0)) throw new Error(`status ${status}`);
      return await judge(row, places[i], printed);
    } catch (error) {
      return `${error instanceof Error ? error.message : error}: ${printed}${stderr}`;
    }
  }));
}
