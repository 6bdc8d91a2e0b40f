// Real programs that play through OSS: how each is called, what it must be heard to play, and how to
// run them under ossp.

import { formatByName } from "../lib/pcm/format.ts";
import { parseWav, wavHeader, wavSizes } from "../lib/pcm/wav.ts";

const MAIN = new URL("../main.ts", import.meta.url).pathname;

/** When a run is killed and the test fails. The longest takes 3 s, in a user-mode kernel 20 s. */
const RUN_LIMIT_MS = 120_000;

const [MAJOR, MINOR] = Deno.osRelease().split(".").map(Number);

/** Whether this kernel lets a device of the fuse front end be mapped; under CI=true it has to. */
export const KERNEL_MAPS = Deno.env.get("CI") === "true" || MAJOR > 6 ||
  (MAJOR === 6 && MINOR >= 6);

/** Sound as a WAV file holds it. */
export interface Sound {
  /** The name of a `SampleFormat`. */
  readonly format: string;
  readonly rateHz: number;
  readonly channels: number;
  /** Whole frames. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A WAV file's sound. The file must end where its header says. */
export async function readWav(path: string): Promise<Sound> {
  const file = await Deno.readFile(path);
  const { format, rateHz, channels, dataOffset, dataBytes } = parseWav(file);
  if (file.length !== dataOffset + dataBytes) {
    throw new Error(
      `${path}: ${file.length} bytes, but the header says ${dataOffset}+${dataBytes}`,
    );
  }
  return { format: format.name, rateHz, channels, bytes: file.slice(dataOffset) };
}

/** Writes sound to a WAV file. */
export async function writeWav(path: string, sound: Sound): Promise<void> {
  const { format, rateHz, channels, bytes } = sound;
  const header = wavHeader(formatByName(format)!, rateHz, channels);
  wavSizes(header, bytes.length);
  await Deno.writeFile(path, header.bytes);
  await Deno.writeFile(path, bytes, { append: true });
}

/** What is wrong with what was heard; undefined if it is the wanted sound to the bit. */
export function difference(heard: Sound, wanted: Sound): string | undefined {
  const text = ({ format, rateHz, channels }: Sound) => `${format} ${rateHz} Hz × ${channels}`;
  if (text(heard) !== text(wanted)) return `${text(heard)} in place of ${text(wanted)}`;
  const at = wanted.bytes.findIndex((byte, i) => byte !== heard.bytes[i]);
  const sizes = `${heard.bytes.length} bytes heard, ${wanted.bytes.length} wanted`;
  if (at >= 0) return `${sizes}, not the same from byte ${at} on`;
  return heard.bytes.length > wanted.bytes.length ? sizes : undefined;
}

/** Bytes that look like noise, always the same for one seed (xorshift, 32 bit). */
export function noise(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = Math.imul(seed + 1, 0x9e3779b1);
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, length);
}

/**
 * What a program is given to play:
 * - `stereo`, `u8`: a WAV file of 0.9 s, S16 in stereo at 48 kHz, and of 1.5 s, U8 at 22050 Hz
 * - `mp3`: a second in stereo at 44.1 kHz
 * - `bytes`: bytes as they are, 1.3 s in the format that OSS opens a dsp in
 *
 * The WAV files hold a multiple of 16384 bytes: sox's OSS driver reads past its own buffer at the end
 * of any other and may crash, and ffmpeg's never writes a last block of less than 4096 bytes.
 */
export type InputKind = "stereo" | "u8" | "mp3" | "bytes";

const INPUTS: Readonly<Record<Exclude<InputKind, "mp3">, Omit<Sound, "bytes"> & { size: number }>> =
  {
    stereo: { format: "s16le", rateHz: 48000, channels: 2, size: 10 * 16384 },
    u8: { format: "u8", rateHz: 22050, channels: 1, size: 2 * 16384 },
    bytes: { format: "u8", rateHz: 8000, channels: 1, size: 10_007 },
  };

/** A program and one way to play with it. */
export interface Program {
  readonly name: string;
  /** What it must find in PATH. */
  readonly executable: string;
  readonly input: InputKind;
  /** The words that play a file on /dev/dsp. */
  command(input: string): string[];
  /** The words with which it decodes an mp3 file into a WAV file. */
  decode?(input: string, output: string): string[];
}

/** Debian's package of each executable that the tests run. */
const PACKAGES: Readonly<Record<string, string>> = {
  aucat: "sndio-tools",
  aumix: "aumix",
  cat: "coreutils",
  cc: "gcc",
  dd: "coreutils",
  ffmpeg: "ffmpeg",
  "gst-launch-1.0": "gstreamer1.0-tools gstreamer1.0-plugins-good",
  jackd: "jackd2 libjack-jackd2-dev",
  mpg123: "mpg123",
  mplayer: "mplayer",
  pacat: "pulseaudio-utils",
  pactl: "pulseaudio-utils",
  parec: "pulseaudio-utils",
  pipewire: "pipewire",
  "pipewire-pulse": "pipewire-pulse",
  plaympeg: "smpeg-plaympeg",
  play: "sox libsox-fmt-oss",
  pulseaudio: "pulseaudio",
  "qemu-system-i386": "qemu-system-x86",
  setpriv: "util-linux",
  sndiod: "sndiod",
  sox: "sox libsox-fmt-oss",
  wireplumber: "wireplumber",
};

/** mplayer, playing a file to one of its outputs. It makes a folder of its own, beside the file. */
const mplayerWords = (path: string, output: string) => [
  ...["env", `MPLAYER_HOME=${path}-mplayer`, "mplayer", "-noconfig", "all", "-really-quiet"],
  ...["-noconsolecontrols", "-nolirc", "-ao", output, path],
];

function mplayer(name: string, input: InputKind): Program {
  return {
    name,
    executable: "mplayer",
    input,
    command: (path) => mplayerWords(path, "oss:/dev/dsp"),
    decode: (path, output) => mplayerWords(path, `pcm:file=${output}`),
  };
}

/** The programs: ten, for the tests that run them all at once. */
export const PROGRAMS: readonly Program[] = [
  {
    name: "sox",
    executable: "sox",
    input: "stereo",
    command: (path) => ["sox", "-q", path, "-t", "oss", "/dev/dsp"],
  },
  {
    name: "sox with 8 bit",
    executable: "sox",
    input: "u8",
    command: (path) => ["sox", "-q", path, "-t", "ossdsp", "/dev/dsp"],
  },
  {
    name: "play",
    executable: "play",
    input: "stereo",
    command: (path) => ["env", "AUDIODRIVER=oss", "AUDIODEV=/dev/dsp", "play", "-q", path],
  },
  {
    name: "ffmpeg",
    executable: "ffmpeg",
    input: "stereo",
    command: (path) => ["ffmpeg", "-v", "error", "-nostdin", "-i", path, "-f", "oss", "/dev/dsp"],
  },
  {
    name: "mpg123",
    executable: "mpg123",
    input: "mp3",
    command: (path) => ["mpg123", "-q", "-o", "oss", "-a", "/dev/dsp", path],
    decode: (path, output) => ["mpg123", "-q", "-w", output, path],
  },
  mplayer("mplayer", "stereo"),
  mplayer("mplayer with 8 bit", "u8"),
  mplayer("mplayer with mp3", "mp3"),
  {
    name: "cat",
    executable: "cat",
    input: "bytes",
    command: (path) => ["sh", "-c", 'cat "$1" >/dev/dsp', "sh", path],
  },
  {
    name: "dd",
    executable: "dd",
    input: "bytes",
    command: (path) => ["dd", `if=${path}`, "of=/dev/dsp", "bs=1000", "status=none"],
  },
];

/** The program of `PROGRAMS` that has this name. */
export function programNamed(name: string): Program {
  const program = PROGRAMS.find((candidate) => candidate.name === name);
  if (!program) throw new Error(`no program "${name}" in the table`);
  return program;
}

/**
 * Whether a test can run here; if not, says what is missing.
 *
 * @param executables some of those that the tests run
 * @throws {Error} instead of returning false under CI=true
 */
export function available(...executables: string[]): boolean {
  const folders = Deno.env.get("PATH")!.split(":");
  const missing = executables.filter((executable) =>
    !folders.some((folder) => exists(`${folder}/${executable}`))
  );
  if (missing.length === 0) return true;
  const packages = new Set(missing.map((executable) => PACKAGES[executable]));
  const message = `${missing.join(", ")}: missing (apt-get install ${[...packages].join(" ")})`;
  if (Deno.env.get("CI") === "true") throw new Error(message);
  console.log(`skipped: ${message}`);
  return false;
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** The programs of these that this machine has, as `available` has it. */
export function availablePrograms(programs: readonly Program[]): Program[] {
  const executables = (program: Program) =>
    program.input === "mp3" ? [program.executable, "ffmpeg"] : [program.executable];
  return programs.filter((program) => available(...executables(program)));
}

/** A folder of a test's own, removed when disposed of. */
export class Scratch implements AsyncDisposable {
  private constructor(readonly path: string) {}

  static async create(): Promise<Scratch> {
    return new Scratch(await Deno.realPath(await Deno.makeTempDir({ prefix: "ossp-apps-" })));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** Something that is played: the words that do it, and what is then to be heard. */
export interface Take {
  readonly name: string;
  readonly command: readonly string[];
  readonly sound: Sound;
}

/**
 * Makes a program's input.
 *
 * @param folder where the input goes
 * @param seed makes the sound another one
 */
export async function makeTake(program: Program, folder: string, seed: number): Promise<Take> {
  const { name, input } = program;
  const path = `${folder}/input-${seed}`;
  if (input === "mp3") {
    const output = `${path}-decoded.wav`;
    await runQuietly([
      ...["ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi"],
      ...["-i", `anoisesrc=r=44100:d=1:seed=${seed},aformat=channel_layouts=stereo`],
      ...["-c:a", "libmp3lame", "-b:a", "128k", "-f", "mp3", path],
    ]);
    await runQuietly(program.decode!(path, output));
    return { name, command: program.command(path), sound: await readWav(output) };
  }
  const { size, ...parameters } = INPUTS[input];
  const sound = { ...parameters, bytes: noise(size, seed) };
  if (input === "bytes") await Deno.writeFile(path, sound.bytes);
  else await writeWav(path, sound);
  return { name, command: program.command(path), sound };
}

async function runQuietly([program, ...args]: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) {
    throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  }
}

/** How to run ossp. */
export interface OsspOptions {
  /** Of `ossp run`. */
  readonly options: readonly string[];
  readonly command: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The words that run ossp's main.ts, if not this test's own Deno and sources. */
  readonly ossp?: readonly string[];
  /** By default `RUN_LIMIT_MS`. */
  readonly limitMs?: number;
}

/** How a run has ended. */
export interface OsspRun {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The words that run ossp with some Deno from some folder. */
export function osspWords(deno = Deno.execPath(), main = MAIN): string[] {
  return [deno, "run", "--allow-all", "--no-lock", "--quiet", main];
}

/** What main.ts needs of the repository. */
const SOURCES = ["main.ts", "deno.json", "lib", "ffi", "std"];

/** The words of a copy of Deno and of ossp that another user can read: root's may lie in root's home. */
export async function copyOssp(folder: string): Promise<string[]> {
  await Deno.copyFile(Deno.execPath(), `${folder}/deno`);
  await Deno.mkdir(`${folder}/ossp`);
  const sources = SOURCES.map((name) => new URL(`../${name}`, import.meta.url).pathname);
  await runQuietly(["cp", "-r", ...sources, `${folder}/ossp`]);
  return osspWords(`${folder}/deno`, `${folder}/ossp/main.ts`);
}

/** What tests run without: whatever sound server this machine may have. */
export const NO_SERVER = ["--sink", "null", "--source", "silence"];

/**
 * Runs a command under `ossp run`.
 *
 * @throws {Error} if that has not ended in time
 */
export async function runOssp(run: OsspOptions): Promise<OsspRun> {
  const { options, command, cwd, env, ossp = osspWords(), limitMs = RUN_LIMIT_MS } = run;
  const [program, ...args] = [...ossp, "run", ...NO_SERVER, ...options, "--", ...command];
  const child = new Deno.Command(program, {
    args,
    cwd,
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, limitMs);
  const { code, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const text = new TextDecoder();
  const result = { status: code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
  if (late) throw new Error(`no end after ${limitMs} ms: ${command}\n${result.stderr}`);
  return result;
}

/** One command that runs several at once, says on standard error which failed, and how many did. */
export function together(takes: readonly Take[]): string[] {
  const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
  const started = takes.map(({ command }, i) => `${command.map(quote).join(" ")} & pids[${i}]=$!`);
  const awaited = takes.map(({ name }, i) =>
    `wait \${pids[${i}]} || { echo ${quote(name)}: status $? >&2; failed=$((failed + 1)); }`
  );
  return ["bash", "-c", ["failed=0", ...started, ...awaited, "exit $failed"].join("\n")];
}

/**
 * Runs takes at once, each to be heard in a file of its own.
 *
 * @param options of `ossp run`, without --sink
 * @param folder where the files go: it holds nothing else
 * @returns what is wrong, a line each
 */
export async function playToFiles(
  takes: readonly Take[],
  options: readonly string[],
  folder: string,
): Promise<string[]> {
  const { status, stderr } = await runOssp({
    options: [...options, "--sink", `wav:${folder}/%n-%c.wav`],
    command: together(takes),
  });
  if (status !== 0) return [`status ${status}: ${stderr}`];
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => name.endsWith(".wav"));
  const files = new Map<string, Sound>();
  for (const name of names) files.set(name, await readWav(`${folder}/${name}`));
  const lost = takes.filter(({ sound }) => {
    const found = [...files].find(([, heard]) => !difference(heard, sound));
    if (found) files.delete(found[0]);
    return !found;
  });
  const size = ({ bytes }: Sound) => `${bytes.length} bytes`;
  return [
    ...lost.map(({ name, sound }) => `${name}: its ${size(sound)} are in no file`),
    ...[...files].map(([name, heard]) => `${name}: ${size(heard)} that nobody played like this`),
  ];
}
