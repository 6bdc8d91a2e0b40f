// osspd, the proxy that ossp is measured against, with a PulseAudio server that plays to nothing. For
// the guest of tests/device/uml.ts, where it may be root and has /dev/cuse. Its devices have other
// names and numbers than ossp's, so both can be up at once.
//
// osspd starts a slave for every open, with the environment of the program that opened. So the server
// is where every program looks for one by itself: the folder pulse of XDG_RUNTIME_DIR.

/** How long each of the programs may take to be ready. */
const START_TIMEOUT_MS = 30_000;
const POLL_MS = 20;

/** Names in /dev and minor numbers (of major 14) of osspd's devices. */
export interface OsspdDevices {
  readonly dsp: string;
  readonly dspMinor: number;
  readonly mixer: string;
  readonly mixerMinor: number;
}

/** Those of a second sound card in OSS's numbering: card × 16 + 3 and card × 16. */
const SECOND_CARD: OsspdDevices = {
  dsp: "osspd_dsp",
  dspMinor: 19,
  mixer: "osspd_mixer",
  mixerMinor: 16,
};

/** A running osspd; disposing of it stops it. */
export interface Osspd extends AsyncDisposable {
  /** Path of the device to play to. */
  readonly dsp: string;
  readonly mixer: string;
  /** Process of the daemon; its slaves, one an open stream, are its children. */
  readonly pid: number;
  readonly pulsePid: number;
}

/** A daemon in the foreground, with what it says kept for the error that may be needed. */
class Service implements AsyncDisposable {
  readonly #name: string;
  readonly #child: Deno.ChildProcess;
  readonly #log: Promise<string>;
  #ended = false;

  constructor(name: string, args: string[]) {
    this.#name = name;
    this.#child = new Deno.Command(name, {
      args,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#log = new Response(this.#child.stderr).text();
    this.#child.status.then(() => this.#ended = true);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Waits for the file that the daemon makes when it is ready. Rejects if it ends or takes long. */
  async ready(path: string): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (!exists(path)) {
      const late = performance.now() > deadline;
      if (this.#ended || late) {
        await this[Symbol.asyncDispose]();
        const what = late ? `no ${path} after ${START_TIMEOUT_MS} ms` : `ended before ${path} was`;
        throw new Error(`${this.#name}: ${what}:\n${await this.#log}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) this.#child.kill("SIGTERM");
    await this.#child.status;
    // Its children hold the other end too: osspd's slaves until they have seen it go.
    await this.#log;
  }
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * Starts PulseAudio and osspd and waits until the devices are there. PulseAudio is this user's usual
 * server, and must not run yet. Its only sink is `null`, 48 kHz stereo of 16 bits; the sink's source
 * `null.monitor` gives what was played.
 *
 * @throws {Error} if one of them ends or takes too long, with what it said
 */
export async function startOsspd(devices: OsspdDevices = SECOND_CARD): Promise<Osspd> {
  const runtime = Deno.env.get("XDG_RUNTIME_DIR");
  if (!runtime) {
    throw new Error("osspd: XDG_RUNTIME_DIR is not set: nowhere for PulseAudio to listen");
  }

  await using started = new AsyncDisposableStack();
  const pulse = started.use(
    new Service("pulseaudio", [
      "-n",
      "--daemonize=no",
      "--use-pid-file=no",
      "--exit-idle-time=-1",
      // The kernel kills a real-time thread that runs for 200 ms without a pause, which in a
      // user-mode kernel on a busy machine takes little.
      "--realtime=no",
      "--high-priority=no",
      "-L",
      "module-native-protocol-unix auth-anonymous=1",
      "-L",
      "module-null-sink sink_name=null format=s16le rate=48000 channels=2",
    ]),
  );
  await pulse.ready(`${runtime}/pulse/native`);
  const osspd = started.use(
    new Service("osspd", [
      "-f",
      `--dsp=${devices.dsp}`,
      `--dsp-min=${devices.dspMinor}`,
      "--adsp=",
      `--mixer=${devices.mixer}`,
      `--mixer-min=${devices.mixerMinor}`,
    ]),
  );
  const dsp = `/dev/${devices.dsp}`;
  await osspd.ready(dsp);

  const running = started.move();
  return {
    dsp,
    mixer: `/dev/${devices.mixer}`,
    pid: osspd.pid,
    pulsePid: pulse.pid,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
