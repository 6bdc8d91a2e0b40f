// ossp status: what a running ossp serves at this moment, as its status file tells it.

import {
  close,
  ENOTTY,
  ioctl,
  lastErrno,
  O_RDONLY,
  open,
  read,
  SystemError,
} from "../../ffi/libc.ts";
import { type Status, STATUS_JSON, type StreamStatus } from "../oss/status.ts";
import { EX_UNAVAILABLE, Failure, unavailable, usage } from "./failure.ts";
import { helpText, parseOptions, type Subcommand } from "./options.ts";

export const STATUS: Subcommand = {
  name: "status",
  operands: "",
  about: "List the cards of a running ossp and their streams: format, how full the buffer is, " +
    "latency, and xruns since the open.",
  options: [
    {
      name: "device",
      value: "PATH",
      about: "the status file [/dev/sndstat; else $XDG_RUNTIME_DIR/ossp/sndstat or " +
        "/run/ossp/sndstat]",
    },
    { name: "json", about: "all that is known, as one JSON object" },
  ],
  notes:
    "An ossp that runs a COMMAND has its status file in the /dev of that command, and can be " +
    "asked from there.",
  run: status,
};

const MEND = "is ossp running? Say where with --device";

function status(args: string[]): number {
  const { values, operands } = parseOptions(STATUS, args);
  if (values.help) {
    console.log(helpText(STATUS));
    return 0;
  }
  if (operands.length > 0) throw usage("status", `${operands[0]}: no operand is wanted`);
  const text = readStatus(values.device ?? presetPath());
  if (values.json) console.log(text);
  else for (const line of lines(JSON.parse(text))) console.log(line);
  return 0;
}

function presetPath(): string {
  const folder = Deno.env.get("XDG_RUNTIME_DIR") ?? "/run";
  const paths = ["/dev/sndstat", `${folder}/ossp/sndstat`];
  return paths.find((path) => {
    try {
      return Deno.statSync(path) !== undefined;
    } catch {
      return false;
    }
  }) ?? paths[0];
}

/** Asks a status file for its JSON. */
function readStatus(path: string): string {
  let fd: number | undefined;
  try {
    fd = open(path, O_RDONLY);
    if (ioctl(fd, STATUS_JSON, new Uint8Array(0)) < 0) {
      if (lastErrno() === ENOTTY) {
        throw new Failure(EX_UNAVAILABLE, `${path}: not ossp's (${MEND})`);
      }
      throw new SystemError(lastErrno(), "ioctl", path);
    }
    return readAll(fd, path);
  } catch (error) {
    if (error instanceof Failure) throw error;
    const why = error instanceof SystemError ? error.code : String(error);
    throw unavailable(path, why, MEND);
  } finally {
    if (fd !== undefined) close(fd);
  }
}

function readAll(fd: number, path: string): string {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(4096);
  let text = "";
  for (;;) {
    const length = read(fd, buffer, buffer.length);
    if (length < 0) throw new SystemError(lastErrno(), "read", path);
    if (length === 0) return text;
    text += decoder.decode(buffer.subarray(0, length), { stream: true });
  }
}

/** What is shown of a status: the cards, then a line for each half of each stream. */
function lines({ version, cards, audios, streams }: Status): string[] {
  const rows = streams.flatMap(halves);
  const title = ["DEVICE", "PID", "COMMAND", "WAY", "FORMAT", "FILL", "LATENCY", "XRUNS"];
  const table = rows.length > 0 ? columns([title, ...rows]) : ["no streams"];
  return [
    `ossp ${version}`,
    ...cards.map(({ name, about }, i) => {
      const paths = audios.filter(({ card }) => card === i).map(({ path }) => path);
      return `card ${i}: ${name}: ${about}: ${paths.join(" ")}`;
    }),
    ...table,
  ];
}

function halves(stream: StreamStatus): string[][] {
  const { device, pid, command, format, rateHz, channels, bufferBytes, play, record } = stream;
  const half = (way: string, bytes: number, ms: number, xruns: number) => [
    device,
    String(pid),
    command,
    way,
    `${format} ${rateHz} Hz ${channels} ch`,
    `${Math.round(bytes * 100 / bufferBytes)} %`,
    `${ms} ms`,
    String(xruns),
  ];
  return [
    ...(play ? [half("out", play.queuedBytes, play.queuedMs, play.underruns)] : []),
    ...(record ? [half("in", record.waitingBytes, record.waitingMs, record.overruns)] : []),
  ];
}

/** Rows as lines whose columns stand below each other. */
function columns(rows: readonly string[][]): string[] {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return rows.map((row) => row.map((text, i) => text.padEnd(widths[i])).join("  ").trimEnd());
}
