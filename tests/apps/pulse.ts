// A PulseAudio of a test's own, started under ossp, whose only device is /dev/dsp: Debian's
// module-oss maps it.

import { assertEquals } from "@std/assert";
import { exists, Run, until } from "../native/ossp.ts";

/** What it asks the device for, and its clients have to use if nothing is to be converted. */
export const PULSE_SOUND = { format: "s16le", rateHz: 48000, channels: 2 } as const;

// It is late, and does not say so, when it is not given the processor for as long as the ring lasts.
const FRAGMENTS = 32;
const FRAGMENT_BYTES = 4096;

/** The size of its ring, which lasts 0.68 s. */
export const PULSE_RING_BYTES = FRAGMENTS * FRAGMENT_BYTES;

const DEVICE = "module-oss device=/dev/dsp mmap=1 " +
  `fragments=${FRAGMENTS} fragment_size=${FRAGMENT_BYTES} ` +
  `format=${PULSE_SOUND.format} rate=${PULSE_SOUND.rateHz} channels=${PULSE_SOUND.channels}`;

// The exit status of `ossp run` when a signal has ended COMMAND.
const KILLED = 128 + 9;

/** The daemon. */
export class Pulse implements AsyncDisposable {
  readonly #run: Run;
  readonly #env: Record<string, string>;

  private constructor(run: Run, env: Record<string, string>) {
    this.#run = run;
    this.#env = env;
  }

  /**
   * Starts it, and resolves when clients can connect.
   *
   * @param folder where its files go
   * @param options of `ossp run`
   * @param halves module-oss's arguments that say which halves of the device it opens
   */
  static async start(folder: string, options: readonly string[], halves: string): Promise<Pulse> {
    const socket = `${folder}/pulse-socket`;
    const daemon = ["pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no"];
    // Realtime scheduling is asked of the machine's D-Bus, shared memory lies in its /dev/shm.
    const apart = ["--realtime=no", "--high-priority=no", "--disable-shm=yes"];
    const modules = [
      ...["-L", `${DEVICE} ${halves}`],
      ...["-L", `module-native-protocol-unix socket=${socket} auth-anonymous=1`],
    ];
    const env = {
      HOME: folder,
      XDG_CONFIG_HOME: folder,
      XDG_RUNTIME_DIR: folder,
      PULSE_RUNTIME_PATH: `${folder}/pulse-runtime`,
      PULSE_STATE_PATH: `${folder}/pulse-state`,
      // There may be a session on this machine that has a PulseAudio of its own.
      DBUS_SESSION_BUS_ADDRESS: "disabled:",
    };
    const run = Run.ossp([...options, "--", ...daemon, ...apart, ...modules], { env });
    const pulse = new Pulse(run, { ...env, PULSE_SERVER: `unix:${socket}` });
    try {
      await until(() => exists(socket), "PulseAudio's socket");
    } catch (error) {
      await pulse[Symbol.asyncDispose]();
      throw new Error(run.stderr, { cause: error });
    }
    return pulse;
  }

  /** Runs a program that is its client; returns what that printed. */
  async client(...words: string[]): Promise<string> {
    await using run = new Run(words, { env: this.#env });
    assertEquals([await run.end(), run.stderr], [0, ""], words.join(" "));
    return run.stdout;
  }

  /**
   * Kills it, and waits until ossp has gone too. If it were asked to go it might never do so: when
   * module-oss's thread is not in poll(2) at that moment, it takes the message that it is to end, and
   * then waits for that message.
   */
  async end(): Promise<void> {
    Deno.kill(this.#run.member("pulseaudio"), "SIGKILL");
    assertEquals(await this.#run.end(), KILLED, this.#run.stderr);
  }

  /** Ends what is left of it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#run[Symbol.asyncDispose]();
  }
}
