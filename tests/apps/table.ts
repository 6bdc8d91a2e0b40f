// Programs of Debian 12 that use OSS, a row each: how it plays or records, and what must come of it.
// The README's table is made of these rows and of those that other tests run.

/** What comes of a program's run. */
export type Outcome =
  /** The sink gets to the bit what the WAV file `noise.wav` holds; silence around it is allowed. */
  | { readonly kind: "noise" }
  /**
   * The sink gets to the bit what the same program writes to the file `wanted.wav` by `decode`;
   * `endMs` of it may be missing where the program drops what it has not heard to its end.
   */
  | {
    readonly kind: "own";
    readonly decode: string;
    readonly endMs?: number;
  }
  /** The sink gets a tone; `seconds` at least, all that is not the tone below `residueDb`. */
  | {
    readonly kind: "tone";
    readonly hz: number;
    readonly level?: number;
    readonly seconds: number;
    readonly residueDb: number;
  }
  /** `recorded.wav` begins as the source does, `noise.wav`, for so many bytes. */
  | { readonly kind: "recorded"; readonly bytes: number }
  /** It prints this, whatever else. */
  | { readonly kind: "prints"; readonly text: RegExp };

/** A program, and one way to use it. */
export interface Row {
  /** As the README has it. */
  readonly name: string;
  /** Debian's package that has its version. */
  readonly package: string;
  /** Debian 12's, upstream's part. */
  readonly version: string;
  /** Debian's other packages that it needs. */
  readonly needs?: string;
  /** The shell's words that run it in a folder of inputs (`makeInputs`). */
  readonly script: string;
  /** The exit statuses that are right for it, if not 0. */
  readonly status?: number;
  /** Whether its source has no clock: what it is too late for on a busy machine is not lost. */
  readonly free?: true;
  /** What ossp's source is, for a program that records: a file of the inputs. */
  readonly source?: string;
  readonly outcome: Outcome;
  /** What the README says beside. */
  readonly note?: string;
}

const SOUNDFONT = "/usr/share/sounds/sf2/TimGM6mb.sf2";
const TIMIDITY = `timidity --quiet -x 'soundfont ${SOUNDFONT}'`;
const GST_PLAY = "gst-launch-1.0 -q filesrc location=noise.wav ! wavparse";

// GStreamer leaves out what comes late; with room for all of it nothing does, however slow the machine.
const GST_AHEAD = "buffer-time=1500000";

const GST_RECORD = "num-buffers=60 ! audio/x-raw,format=S16LE,rate=44100,channels=2 ! wavenc ! " +
  "filesink location=recorded.wav";

/** Of the tone in tone.mp3: ffmpeg takes 3 dB to make two channels of one, and LAME 3 %. */
const MP3_LEVEL = 0.343;

/** The programs that this table's tests run. */
export const ROWS: readonly Row[] = [
  {
    name: "`ogg123 -d oss` (libao)",
    package: "vorbis-tools",
    version: "1.4.2",
    script: "ogg123 -q -d oss noise.flac",
    outcome: { kind: "noise" },
  },
  {
    name: "`mpg321 -o oss` (libao)",
    package: "mpg321",
    version: "0.3.2",
    script: "mpg321 -q -o oss noise.mp3",
    outcome: { kind: "own", decode: "mpg321 -q -w wanted.wav noise.mp3" },
  },
  {
    name: "`aplay` with ALSA's `type oss`",
    package: "alsa-utils",
    version: "1.2.8",
    needs: "libasound2-plugins",
    script: "aplay -q -D ossp noise.wav",
    outcome: { kind: "noise" },
  },
  {
    name: "`arecord` with the same",
    package: "alsa-utils",
    version: "1.2.8",
    needs: "libasound2-plugins",
    free: true,
    script: "arecord -q -D ossp -f cd -s 22050 recorded.wav",
    source: "noise.wav",
    outcome: { kind: "recorded", bytes: 88_200 },
  },
  {
    name: "`bplay`",
    package: "bplay",
    version: "0.991",
    script: "bplay noise.wav",
    status: 255,
    outcome: { kind: "noise" },
    note: "ends with status 255 in any case",
  },
  {
    name: "`brec`",
    package: "bplay",
    version: "0.991",
    free: true,
    script: "brec -S -s 44100 -b 16 -t 1 -w recorded.wav",
    status: 255,
    source: "noise.wav",
    outcome: { kind: "recorded", bytes: 163_840 },
  },
  {
    name: "`ecasound -o /dev/dsp`",
    package: "ecasound",
    version: "2.9.3",
    script: "ecasound -q -i noise.wav -o /dev/dsp",
    outcome: { kind: "noise" },
  },
  {
    name: "`ecasound -i /dev/dsp`",
    package: "ecasound",
    version: "2.9.3",
    script: "ecasound -q -f:s16_le,2,44100 -i /dev/dsp -o recorded.wav -t:0.5",
    source: "noise.wav",
    outcome: { kind: "recorded", bytes: 65_536 },
  },
  {
    name: "`sndfile-play`",
    package: "sndfile-programs",
    version: "1.2.0",
    script: "sndfile-play noise.wav",
    outcome: { kind: "noise" },
  },
  {
    name: "`mocp`",
    package: "moc",
    version: "2.6.0",
    script: `export MOC="mocp -M moc"; mkdir moc; $MOC -O SoundDriver=OSS -S; $MOC -l noise.wav
      for i in $(seq 100); do sleep .1; $MOC -i | grep -q STOP && break; done; sleep 1; $MOC -x`,
    outcome: { kind: "noise" },
  },
  {
    name: "Python's `ossaudiodev`",
    package: "libpython3.11-stdlib",
    version: "3.11.2",
    needs: "python3-minimal",
    script: `python3 -W ignore -c '
import ossaudiodev, wave
sound = wave.open("noise.wav")
device = ossaudiodev.open("w")
device.setparameters(ossaudiodev.AFMT_S16_LE, 2, 44100)
device.writeall(sound.readframes(sound.getnframes()))
device.close()'`,
    outcome: { kind: "noise" },
  },
  {
    name: "GStreamer's `osssink`",
    package: "gstreamer1.0-plugins-good",
    version: "1.22.0",
    needs: "gstreamer1.0-tools",
    script: `${GST_PLAY} ! osssink ${GST_AHEAD}`,
    outcome: { kind: "noise" },
  },
  {
    name: "GStreamer's `oss4sink`",
    package: "gstreamer1.0-plugins-good",
    version: "1.22.0",
    needs: "gstreamer1.0-tools",
    script: `${GST_PLAY} ! oss4sink device=/dev/dsp ${GST_AHEAD}`,
    outcome: { kind: "noise" },
  },
  {
    name: "GStreamer's `osssrc`",
    package: "gstreamer1.0-plugins-good",
    version: "1.22.0",
    needs: "gstreamer1.0-tools",
    script: `gst-launch-1.0 -q osssrc ${GST_RECORD}`,
    source: "noise.wav",
    outcome: { kind: "recorded", bytes: 61_440 },
  },
  {
    name: "GStreamer's `oss4src`",
    package: "gstreamer1.0-plugins-good",
    version: "1.22.0",
    needs: "gstreamer1.0-tools",
    script: `gst-launch-1.0 -q oss4src device=/dev/dsp ${GST_RECORD}`,
    source: "noise.wav",
    outcome: { kind: "recorded", bytes: 61_440 },
  },
  {
    name: "`plaympeg` with SDL 1.2's `dsp`",
    package: "smpeg-plaympeg",
    version: "0.4.5",
    needs: "ffmpeg",
    script: "SDL_AUDIODRIVER=dsp plaympeg --novideo tone.mp3",
    outcome: {
      kind: "own",
      decode: "SDL_AUDIODRIVER=disk SDL_DISKAUDIOFILE=wanted.raw SDL_DISKAUDIODELAY=10 plaympeg " +
        "--novideo tone.mp3; ffmpeg -v error -f s16le -ar 44100 -ac 2 -i wanted.raw wanted.wav",
      endMs: 500,
    },
    note: "drops its last buffers itself",
  },
  {
    name: "`ffplay` with SDL 2's `dsp`",
    package: "libsdl2-2.0-0",
    version: "2.26.5",
    needs: "ffmpeg",
    script: "SDL_AUDIODRIVER=dsp SDL_VIDEODRIVER=dummy ffplay -v error -nodisp -autoexit noise.wav",
    outcome: { kind: "noise" },
  },
  {
    name: "`rec`",
    package: "sox",
    version: "14.4.2",
    needs: "libsox-fmt-oss",
    script: "AUDIODRIVER=oss AUDIODEV=/dev/dsp rec -q -r 44100 -c 2 -b 16 recorded.wav trim 0 0.5",
    source: "noise.wav",
    outcome: { kind: "recorded", bytes: 88_200 },
  },
  {
    name: "`timidity -Od`",
    package: "timidity",
    version: "2.14.0",
    needs: "timgm6mb-soundfont",
    script: `${TIMIDITY} -Od tone.mid`,
    outcome: { kind: "own", decode: `${TIMIDITY} -Ow -o wanted.wav tone.mid` },
  },
  {
    name: "`xmp -d oss`",
    package: "xmp",
    version: "4.1.0",
    script: "xmp -q -d oss tone.mod",
    outcome: { kind: "own", decode: "xmp -q -d wav -o wanted.wav tone.mod", endMs: 200 },
    note: "drops its last fragments itself",
  },
  {
    name: "`espeak-ng` by ALSA's `type oss`",
    package: "espeak-ng",
    version: "1.51",
    needs: "libasound2-plugins",
    script: "espeak-ng one",
    outcome: { kind: "own", decode: "espeak-ng -w wanted.wav one" },
  },
  {
    name: "`mpg123 -o openal` with OpenAL's `oss`",
    package: "libopenal1",
    version: "1.19.1",
    needs: "mpg123",
    script: "ALSOFT_DRIVERS=oss mpg123 -q -o openal tone.mp3",
    outcome: { kind: "tone", hz: 1000, level: MP3_LEVEL, seconds: 0.8, residueDb: -60 },
    note: "opens the device three times",
  },
  {
    name: "`splay`",
    package: "splay",
    version: "0.9.5.2",
    script: "splay tone.mp3",
    outcome: { kind: "tone", hz: 1000, level: MP3_LEVEL, seconds: 0.95, residueDb: -60 },
  },
  {
    name: "`cw -s o`",
    package: "cw",
    version: "3.6.0",
    script: "echo T | cw -s o -w 5 -t 800 -d /dev/dsp",
    outcome: { kind: "tone", hz: 800, seconds: 0.6, residueDb: -40 },
  },
  {
    name: "`multimon`",
    package: "multimon",
    version: "1.0",
    script: "timeout 2 multimon -a DTMF; true",
    source: "digits.wav",
    outcome: { kind: "prints", text: /DTMF: 1\nDTMF: 5\nDTMF: 9\n/ },
    note: "it hears the telephone's digits that are recorded",
  },
  {
    name: "`aumix`",
    package: "aumix",
    version: "2.9.1",
    script: "aumix -v40 && aumix -q",
    outcome: { kind: "prints", text: /^vol 40, 40$/m },
  },
  {
    name: "`rexima`",
    package: "rexima",
    version: "1.4",
    script: "rexima vol 70 && rexima -v",
    outcome: { kind: "prints", text: /^vol\s+70, ?70$/m },
  },
];

/** What other tests of this folder run: a row of the README's table each. */
const ELSEWHERE: readonly (readonly [name: string, version: string, heard: string, on: string])[] =
  [
    [
      "`ffmpeg -f oss`",
      "5.1.9",
      "exactly; its driver never writes a last block under 4 KiB",
      "fuse, cuse",
    ],
    ["`mplayer -ao oss`", "1.5", "exactly", "fuse, cuse"],
    ["`mpg123 -o oss`", "1.31.2", "exactly", "fuse, cuse"],
    ["a 32-bit `mpg123`", "1.31.2", "exactly", "fuse, cuse, under QEMU"],
    [
      "`sox -t oss`, `play`",
      "14.4.2",
      "exactly; its driver reads beyond its own buffer at the end of a file that is not a multiple " +
      "of 16 KiB, and may crash",
      "fuse, cuse",
    ],
    ["`cat file > /dev/dsp`, `dd`", "9.1", "exactly, at 8 kHz unsigned 8 bit mono", "fuse, cuse"],
    [
      "`plaympeg` with `SDL_AUDIODRIVER=dma`",
      "0.4.5 + SDL 1.2.15",
      "exactly; it maps the device",
      "fuse",
    ],
    ["PulseAudio's `module-oss`", "16.1", "exactly, both ways; it maps the device", "fuse"],
    [
      "`qemu -audiodev oss,try-mmap=on`",
      "7.2",
      "exactly, what its guest's Sound Blaster plays; it maps the device",
      "fuse",
    ],
  ];

function heard({ outcome, note }: Row): string {
  const texts: Record<Outcome["kind"], string> = {
    noise: "exactly",
    own: "exactly, against its own file writer",
    tone: "by spectrum",
    recorded: "exactly what it records",
    prints: "by what it prints",
  };
  return texts[outcome.kind] + (note ? `; ${note}` : "");
}

/** The README's table, without the formatter's padding: the cells of each line. */
export function readmeTable(): string[][] {
  const rows = ROWS.map((row) => [row.name, row.version, heard(row), "fuse, cuse"]);
  return [
    ["program", "version", "heard", "tested on"],
    ...ELSEWHERE.map((row) => [...row]),
    ...rows,
  ];
}
