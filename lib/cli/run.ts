// ossp run: serves the devices, for one command or until a signal.

import { resolve } from "node:path";
import { sendDatagram } from "../../ffi/libc.ts";
import { SINK_KINDS, SOURCE_KINDS } from "../backend/spec.ts";
import { runCommand } from "../daemon/command.ts";
import { CONTROL_NAME } from "../device/control.ts";
import { Daemon } from "../daemon/daemon.ts";
import { Log, LOG_LEVELS, type LogFormat } from "../daemon/log.ts";
import type { LogLevel } from "../daemon/messages.ts";
import { MountPoint } from "../daemon/mount_point.ts";
import { commandWords, enterNamespace, findProgram, replaceDev } from "../daemon/namespace.ts";
import { JACK_CLIENTS } from "../server/orders.ts";
import { MIXER_SCOPES } from "../oss/mixer.ts";
import { DEFAULT_LEAD_MS } from "../oss/mapped_playback.ts";
import { FORMATS } from "../pcm/format.ts";
import { DEFAULT_QUALITY, QUALITIES, qualityRefusal } from "../pcm/resample.ts";
import { SYSTEM_CONFIG, withConfig } from "./config.ts";
import { EX_UNAVAILABLE, Failure, NOT_FOUND, unavailable } from "./failure.ts";
import { demand, fuse, namespaces, utility } from "./needs.ts";
import { Recorder } from "../trace/recorder.ts";
import { helpText, type Parsed, parseOptions, type Subcommand } from "./options.ts";
import { deviceLinks, type Plan, planOf, quality } from "./plan.ts";
import { selfCommand } from "./self.ts";

// The folder in a private /dev that the devices are mounted on.
const DEV_FOLDER = "ossp";

export const RUN: Subcommand = {
  name: "run",
  operands: "[-- COMMAND ARG...]",
  about: "Serve OSS devices. With COMMAND, run it with them at /dev/dsp, /dev/audio, " +
    "/dev/mixer and so on, and exit with its status; without, serve until SIGINT or SIGTERM.",
  options: [
    {
      name: "frontend",
      value: "NAME",
      choices: ["auto", "cuse", "fuse"],
      default: "auto",
      about: "character devices, or files in a mounted folder",
    },
    {
      name: "dir",
      value: "DIR",
      about: "the folder that fuse mounts; made if it is missing [with COMMAND one of its own, " +
        "else $XDG_RUNTIME_DIR/ossp or /run/ossp]",
    },
    {
      name: "sink",
      value: "SINK",
      perCard: true,
      default: "auto",
      about: `where sound goes: ${
        Object.values(SINK_KINDS).map(({ form, about }) => `${form} (${about})`).join(", ")
      }`,
    },
    {
      name: "source",
      value: "SOURCE",
      perCard: true,
      about: `where recorded sound comes from: ${
        Object.values(SOURCE_KINDS).map(({ form, about }) => `${form} (${about})`).join(", ")
      } [the sink's server, or silence where that is none]`,
    },
    {
      name: "clock",
      value: "CLOCK",
      perCard: true,
      choices: ["real", "free"],
      default: "real",
      about: "of sinks and sources: at the sample rate, or as fast as the program goes",
    },
    {
      name: "jack-client",
      value: "WHICH",
      choices: JACK_CLIENTS,
      default: "program",
      about: "the clients that JACK sees: one a program, of its name, or one that all share",
    },
    {
      name: "jack-connect",
      value: "PORTS",
      default: "system",
      about:
        "what JACK's ports are connected to: system (the sound card's own), none, or a regular " +
        "expression that other ports' names match",
    },
    {
      name: "on-server-loss",
      value: "WHAT",
      choices: ["go-on", "error"],
      default: "go-on",
      about: "while a sound server is gone: programs play on, heard by nobody, or get EIO",
    },
    {
      name: "format",
      value: "FORMAT",
      perCard: true,
      choices: FORMATS.map(({ name }) => name),
      default: "s16le",
      about: "of a file that all streams share",
    },
    {
      name: "rate",
      value: "HZ",
      perCard: true,
      default: "48000",
      about: "of a file that all streams share",
    },
    {
      name: "channels",
      value: "N",
      perCard: true,
      default: "2",
      about: "of a file that all streams share",
    },
    {
      name: "resample",
      value: "QUALITY",
      choices: QUALITIES,
      about: "of the resampling that is ours to do: three of libsamplerate's, the better the " +
        `slower, or straight lines [${DEFAULT_QUALITY}; linear without libsamplerate]`,
    },
    {
      name: "mmap",
      about: "for programs that map the device on kernels before 6.6: an open for reading and " +
        "writing can be mapped, played and written, but not recorded from; takes the fuse front end",
    },
    {
      name: "mmap-lead",
      value: "MS",
      about: "how long before its time a fragment of a mapping is fetched, at most half the ring " +
        `[${DEFAULT_LEAD_MS}, or half a fragment if that is shorter]`,
    },
    {
      name: "mmap-silence",
      about: "what has been fetched from a mapping becomes silence, so that a program that stops " +
        "feeding it is not heard again (Linux 6.6 or newer)",
    },
    {
      name: "dsp",
      value: "NAME",
      perCard: true,
      default: "dsp",
      about: "name of the dsp; empty for none",
    },
    {
      name: "adsp",
      value: "NAME",
      perCard: true,
      default: "adsp",
      about: "name of the second dsp",
    },
    {
      name: "audio",
      value: "NAME",
      perCard: true,
      default: "audio",
      about: "name of the dsp that opens in mu-law, as Sun's did",
    },
    {
      name: "dspw",
      value: "NAME",
      perCard: true,
      default: "dspW",
      about: "name of the dsp that opens in 16 bit, little-endian",
    },
    { name: "mixer", value: "NAME", perCard: true, default: "mixer", about: "name of the mixer" },
    { name: "sndstat", value: "NAME", default: "sndstat", about: "name of the status file" },
    {
      name: "dsp-major",
      value: "N",
      perCard: true,
      default: "14",
      about: "its device number, for cuse",
    },
    { name: "dsp-minor", value: "N", perCard: true, default: "3", about: "likewise" },
    {
      name: "adsp-major",
      value: "N",
      perCard: true,
      default: "14",
      about: "likewise, of the second dsp",
    },
    { name: "adsp-minor", value: "N", perCard: true, default: "12", about: "likewise" },
    {
      name: "audio-major",
      value: "N",
      perCard: true,
      default: "14",
      about: "likewise, of the mu-law dsp",
    },
    { name: "audio-minor", value: "N", perCard: true, default: "4", about: "likewise" },
    {
      name: "dspw-major",
      value: "N",
      perCard: true,
      default: "14",
      about: "likewise, of the 16 bit dsp",
    },
    { name: "dspw-minor", value: "N", perCard: true, default: "5", about: "likewise" },
    {
      name: "mixer-major",
      value: "N",
      perCard: true,
      default: "14",
      about: "likewise, of the mixer",
    },
    { name: "mixer-minor", value: "N", perCard: true, default: "0", about: "likewise" },
    { name: "sndstat-major", value: "N", default: "14", about: "likewise, of the status file" },
    { name: "sndstat-minor", value: "N", default: "6", about: "likewise" },
    {
      name: "loopback",
      value: "NAME",
      perCard: true,
      about:
        "two more devices, NAME0 and NAME1: each records what is played to the other, in --rate " +
        "and --channels",
    },
    {
      name: "mixer-scope",
      value: "WHOSE",
      choices: MIXER_SCOPES,
      default: "stream",
      about:
        "whose levels a program moves by pcm and igain of the mixer: its own streams' and its " +
        "process group's, its user's, or all",
    },
    { name: "max", value: "N", default: "256", about: "the most streams at once" },
    {
      name: "trace",
      value: "FILE",
      about:
        "writes down what programs do with the devices, as a script for ossp script; - lists " +
        "it on standard error",
    },
    {
      name: "trace-data",
      value: "WHAT",
      choices: ["file", "none"],
      default: "file",
      about: "whether what they write is kept, as FILE.data",
    },
    {
      name: "log-level",
      value: "LEVEL",
      choices: LOG_LEVELS,
      about: "what to say on standard error [warn with COMMAND, else info]",
    },
    {
      name: "log-format",
      value: "FORMAT",
      choices: ["text", "json"],
      default: "text",
      about: "how to say it",
    },
    {
      name: "config",
      value: "FILE",
      onlyWords: true,
      about: "a file of further options, a line each: NAME VALUE, without the dashes [without " +
        `COMMAND ${SYSTEM_CONFIG}, where it exists]`,
    },
    { name: "namespace", about: "", hidden: true },
    { name: "scripted", about: "", hidden: true },
  ],
  notes: "PATH may hold %n (stream number), %p (process id) and %c (program name): each stream " +
    "then gets a file of its own, in its own format, bit for bit. Otherwise all streams are mixed " +
    "into one file of --format, --rate and --channels. The FILE of --config has comments (#), and for " +
    "each further card a section that begins with [card] or [card NAME]. A card has a --sink, " +
    "--source, --clock, --format, --rate, --channels, --loopback and names of its own (dsp1, mixer1 " +
    "and so on unless said); all else is said above the first section. The command line goes over " +
    "what is said there.",
  run,
};

async function run(args: string[]): Promise<number> {
  const words = parseOptions(RUN, args);
  if (words.values.help) {
    console.log(helpText(RUN));
    return 0;
  }
  const command = words.operands;
  const cards = withConfig(RUN, words, command.length > 0 ? undefined : SYSTEM_CONFIG);
  const [parsed] = cards;
  const log = new Log(
    (parsed.values["log-level"] ?? (command.length > 0 ? "warn" : "info")) as LogLevel,
    parsed.values["log-format"] as LogFormat,
  );
  if (command.length > 0) requirePrograms(command[0]);
  const config = planOf(RUN, cards);
  const isInNamespace = parsed.values.namespace !== undefined;
  if (config.frontend === "fuse") {
    demand(fuse());
    if (command.length > 0 && !isInNamespace) enterOwnNamespace(args);
  }
  tellOfResampling(parsed.values, log);
  const recorder = startTrace(parsed, log);
  let daemon: Daemon | undefined;
  let stopAsked = false;
  if (command.length === 0) {
    onStopSignal(() => {
      if (!stopAsked) notifyManager("STOPPING=1", log);
      stopAsked = true;
      daemon?.stop();
    });
  }
  const mountPoint = config.frontend === "fuse"
    ? prepareMountPoint(config, parsed.values.dir, isInNamespace, log)
    : undefined;
  try {
    daemon = new Daemon(
      {
        ...config,
        trace: recorder?.target,
        directory: mountPoint?.path ?? "",
        folder: isInNamespace ? "/dev" : mountPoint?.path ?? "/dev",
      },
      (level, message) => log.write(level, message),
    );
    const paths = await daemon.ready.catch((error: Error) => {
      throw new Failure(EX_UNAVAILABLE, error.message);
    });
    log.write("info", `serving ${paths.join(" ")}`);
    if (stopAsked) daemon.stop();
    if (command.length > 0) return await runUntilItEnds(command, daemon);
    notifyManager("READY=1", log);
    await daemon.ended;
    if (!stopAsked) throw new Failure(EX_UNAVAILABLE, "the devices have ended");
    return 0;
  } finally {
    daemon?.stop();
    await daemon?.ended.catch(() => {});
    await recorder?.end();
    mountPoint?.remove();
  }
}

// Who has asked for a quality has to know that it is not there.
function tellOfResampling(values: Parsed["values"], log: Log): void {
  const refusal = qualityRefusal(quality(values));
  if (refusal !== undefined) log.write(values.resample ? "warn" : "info", refusal);
}

/** Begins to write down what programs do, if that is wanted. */
function startTrace({ values, operands }: Parsed, log: Log): Recorder | undefined {
  const { trace } = values;
  if (trace === undefined) return undefined;
  const options = {
    path: trace === "-" ? undefined : trace,
    keepsData: values["trace-data"] === "file",
    title: operands.length > 0 ? operands.join(" ") : "what programs did",
  };
  try {
    return new Recorder(options, (message) => log.write("warn", message));
  } catch (error) {
    throw unavailable(trace, (error as Error).message, "choose another FILE");
  }
}

async function runUntilItEnds(
  command: readonly string[],
  daemon: Daemon,
): Promise<number> {
  const running = runCommand([...commandWords(), ...command]);
  const status = await Promise.race([running, daemon.ended.then(() => undefined)]);
  if (status === undefined) throw new Failure(EX_UNAVAILABLE, "the devices have ended");
  return status;
}

function onStopSignal(stop: () => void): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, stop);
  }
}

/** What running a command takes: the command, and util-linux's programs that put it in its place. */
function requirePrograms(command: string): void {
  if (!findProgram(command)) throw new Failure(NOT_FOUND, `${command}: not found`);
  demand(utility("unshare"));
  demand(utility("setpriv"));
}

/** Starts this command line again in a mount namespace of its own, as the same process. */
function enterOwnNamespace(args: string[]): never {
  demand(namespaces());
  enterNamespace([...selfCommand(), "run", "--namespace", ...args]);
}

function prepareMountPoint(
  plan: Plan,
  wanted: string | undefined,
  isInNamespace: boolean,
  log: Log,
): MountPoint {
  if (!isInNamespace && Deno.uid() !== 0) {
    throw unavailable("mount", "not permitted", "give a COMMAND to run, or be root");
  }
  const preset = isInNamespace
    ? `/dev/${DEV_FOLDER}`
    : `${Deno.env.get("XDG_RUNTIME_DIR") ?? "/run"}/ossp`;
  const path = resolve(wanted ?? preset);
  if (isInNamespace) {
    const links = deviceLinks(plan);
    if (plan.scripted) links.set(CONTROL_NAME, CONTROL_NAME);
    for (const [name, file] of links) links.set(name, `${path}/${file}`);
    replaceDev(links);
  }
  try {
    return new MountPoint(path, (message) => log.write("info", message));
  } catch (error) {
    throw new Failure(EX_UNAVAILABLE, `${(error as Error).message} (choose another --dir)`);
  }
}

/** Tells a service manager how we are: sd_notify(3). */
function notifyManager(state: string, log: Log): void {
  const socket = Deno.env.get("NOTIFY_SOCKET");
  try {
    if (socket) sendDatagram(socket, state);
  } catch (error) {
    log.write("warn", `service manager: ${(error as Error).message}`);
  }
}
