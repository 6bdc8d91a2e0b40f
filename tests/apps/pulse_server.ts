// A sound server of a test's own that speaks PulseAudio's protocol, without hardware: what is played is
// heard at the monitor of its sink "out", what is recorded comes from the monitor of its sink "in".

import { assert, assertEquals } from "@std/assert";
import { exists, Run, sleep, until } from "../native/ossp.ts";

/** What its sinks take without conversion. */
export const SERVER_SOUND = { format: "s16le", rateHz: 48000, channels: 2 } as const;

/** The words by which its clients play and record just that. */
const RAW = [
  "--raw",
  `--format=${SERVER_SOUND.format}`,
  `--rate=${SERVER_SOUND.rateHz}`,
  `--channels=${SERVER_SOUND.channels}`,
];

const NULL_SINK = [
  "module-null-sink",
  `format=${SERVER_SOUND.format}`,
  `rate=${SERVER_SOUND.rateHz}`,
  `channels=${SERVER_SOUND.channels}`,
];

// How long a session manager may take to find its default sink.
const START_MS = 20_000;

/** How a kind of server is started. */
interface Kind {
  /** What must be in PATH, the programs of the test included. */
  readonly executables: readonly string[];
  /** Its sockets, in its folder; clients of PulseAudio's use the first. */
  readonly sockets: readonly string[];
  /** The words that start it, with no device; it ends when they end. */
  words(folder: string): string[];
  /** Beside a format's parameters, of a null sink. */
  readonly sinkOptions: readonly string[];
  /** Files that it reads, by their names in its folder. */
  readonly files: Readonly<Record<string, string>>;
}

const PULSEAUDIO: Kind = {
  executables: ["pulseaudio", "pactl", "parec", "pacat"],
  sockets: ["socket"],
  words: (folder) => [
    ...["pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1"],
    // Realtime scheduling is asked of the machine's D-Bus, shared memory lies in its /dev/shm.
    ...["--realtime=no", "--high-priority=no", "--disable-shm=yes"],
    ...["-L", `module-native-protocol-unix socket=${folder}/socket auth-anonymous=1`],
  ],
  // A monitor cannot take back what it has told, as a rewind does to the sink.
  sinkOptions: ["norewinds=1"],
  files: {},
};

const PIPEWIRE: Kind = {
  executables: ["pipewire", "wireplumber", "pipewire-pulse", "pactl", "parec", "pacat"],
  sockets: ["pulse/native", "pipewire-0"],
  words: (folder) => {
    const session = "wireplumber & pipewire-pulse & wait";
    const script = `pipewire & until test -e ${folder}/pipewire-0; do sleep 0.01; done; ${session}`;
    return ["sh", "-c", script];
  },
  sinkOptions: [],
  files: {
    // Without real-time priority a client that is not given the processor for a cycle loses it.
    "pipewire/pipewire.conf.d/test.conf": "context.properties = {\n" +
      "  default.clock.quantum = 4096\n" +
      "  default.clock.min-quantum = 4096\n" +
      "}\n",
    // The session manager is not to look for devices, nor to need a session bus.
    "wireplumber/main.lua.d/80-test.lua": "alsa_monitor.enabled = false\n" +
      "v4l2_monitor.enabled = false\n" +
      "libcamera_monitor.enabled = false\n" +
      'default_access.properties["enable-flatpak-portal"] = false\n',
    "wireplumber/bluetooth.lua.d/80-test.lua": "bluez_monitor.enabled = false\n",
  },
};

/** The kinds, by what a test calls them. */
export const SERVER_KINDS = { PulseAudio: PULSEAUDIO, PipeWire: PIPEWIRE } as const;

/** A server that runs, unless it was killed. */
export class PulseServer implements AsyncDisposable {
  /** What makes a program its client. */
  readonly env: Readonly<Record<string, string>>;
  readonly #kind: Kind;
  readonly #folder: string;
  readonly #own: Record<string, string>;
  #run: Run | undefined;

  /** @param folder where its files go, its own; not started yet */
  constructor(kind: Kind, folder: string) {
    this.#kind = kind;
    this.#folder = folder;
    this.#own = {
      HOME: folder,
      XDG_CONFIG_HOME: folder,
      XDG_RUNTIME_DIR: folder,
      XDG_STATE_HOME: folder,
      PIPEWIRE_RUNTIME_DIR: folder,
      PULSE_RUNTIME_PATH: `${folder}/pulse`,
      PULSE_STATE_PATH: `${folder}/state`,
      // There may be a session on this machine that has a server of its own.
      DBUS_SESSION_BUS_ADDRESS: `unix:path=${folder}/no-bus`,
    };
    const socket = `${folder}/${kind.sockets[0]}`;
    this.env = { PULSE_SERVER: `unix:${socket}`, PULSE_SINK: "out", PULSE_SOURCE: "in.monitor" };
    for (const [name, text] of Object.entries(kind.files)) {
      const path = `${folder}/${name}`;
      Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      Deno.writeTextFileSync(path, text);
    }
  }

  /** Starts it, and resolves when clients can play and record. */
  async start(): Promise<void> {
    const { words, sinkOptions, sockets } = this.#kind;
    this.#run = new Run(words(this.#folder), { env: this.#own });
    await until(() => exists(`${this.#folder}/${sockets[0]}`), "the server's socket");
    for (const name of ["in", "out"]) {
      await this.client("pactl", "load-module", ...NULL_SINK, `sink_name=${name}`, ...sinkOptions);
    }
    // A session manager takes its time; before that there is no default.
    const startMs = performance.now();
    while (!/^Default Sink: (in|out)$/m.test(await this.client("pactl", "info"))) {
      const { stderr } = this.#run;
      assert(performance.now() - startMs < START_MS, `no default sink: ${stderr}`);
      await sleep(20);
    }
  }

  /** Runs a client to its end; returns what that printed. */
  async client(...words: string[]): Promise<string> {
    await using run = new Run(words, { env: { ...this.#own, ...this.env } });
    assertEquals([await run.end(), run.stderr], [0, ""], words.join(" "));
    return run.stdout;
  }

  /** A client that writes to a file what is played to a sink, from now on. */
  hear(path: string, sink = "out"): Run {
    return this.#raw(
      `exec parec --device=${sink}.monitor --latency-msec=100 ${RAW.join(" ")} >"$1"`,
      path,
    );
  }

  /** A client that lets a file be recorded, once. */
  say(path: string): Run {
    return this.#raw(
      `exec pacat --playback --device=in --latency-msec=200 ${RAW.join(" ")} "$1"`,
      path,
    );
  }

  #raw(script: string, path: string): Run {
    return new Run(["sh", "-c", script, "sh", path], { env: { ...this.#own, ...this.env } });
  }

  /** Sends a signal to all of it. */
  signal(signal: Deno.Signal): void {
    for (const pid of this.#run!.family()) Deno.kill(pid, signal);
  }

  /** Kills it; it can be started again. */
  async kill(): Promise<void> {
    await this.#run?.[Symbol.asyncDispose]();
    this.#run = undefined;
    for (const socket of this.#kind.sockets) {
      await Deno.remove(`${this.#folder}/${socket}`).catch(() => {});
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}
