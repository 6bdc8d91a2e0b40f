// A call of a program as statements of the script language, with the names that soundcard.h has for
// its values.

import {
  errnoName,
  O_ACCMODE,
  O_EXCL,
  O_NONBLOCK,
  O_RDONLY,
  O_WRONLY,
  POLLERR,
  POLLIN,
  POLLOUT,
  POLLRDNORM,
  POLLWRNORM,
} from "../../ffi/libc.ts";
import { INFO_ROWS } from "../oss/info_calls.ts";
import { MIXER_EXTENSION_ROWS } from "../oss/mixer_extension_calls.ts";
import { getField, setField } from "../script/layout.ts";
import { type Row, rowOf, shortName } from "../script/names.ts";
import type { Action, Content, Expectation, Mode, PollEvents } from "../script/statement.ts";
import { quote } from "../script/words.ts";
import type { StructDescription } from "../struct.ts";
import type { Request, TracedCall, TracedFile, TracedStream, Transfer } from "./traced_call.ts";

/** How calls are put down. */
export interface Style {
  /** Whether what depends on the time is a range, for a script, or what it was. */
  readonly ranges: boolean;
  /** Where a script finds what was written. */
  content(data: Uint8Array<ArrayBuffer> | undefined): Content;
}

/** A call in the script's words. */
export interface Written {
  /** None where a script cannot say it. */
  readonly action?: Action;
  readonly expected?: Expectation;
  /** What is to be said beside it. */
  readonly comment?: string;
}

// What depends on the time is told to a fragment, or to this, if that is more.
const LEAST_TOLERANCE_SECONDS = 0.005;

// How long a script's poll waits for what came: what the program would have waited, nobody knows.
const POLL_LIMIT = "1s";

const IN = POLLIN | POLLRDNORM;
const OUT = POLLOUT | POLLWRNORM;

/** The device's name in a script, which has one card, with the names that OSS gives. */
export function scriptDevice(file: TracedFile): string {
  const name = file.device.replace(/\d+$/, "");
  return ["dsp", "adsp", "audio", "dspW", "mixer", "sndstat"].includes(name) ? name : file.kind;
}

/** Puts a call that has ended into words. */
export function writeCall(call: TracedCall, name: string, style: Style): Written {
  const { request, result } = call;
  switch (request.kind) {
    case "open":
      return { action: openAction(call.file, name), expected: outcome(result) };
    case "close":
      return { action: { do: "close" }, expected: outcome(result) };
    case "fsync":
      return { comment: `fsync -> ${result < 0 ? errnoName(-result) : "0"}` };
    case "flush":
      return { comment: "close of a descriptor of several" };
    case "read":
      return {
        action: { do: "read", length: String(request.length) },
        expected: transferred(call, request, style),
      };
    case "write": {
      // A signal has cut it short; what it had written is what a script can write.
      const cut = call.interrupted && result > 0 ? result : request.length;
      return {
        action: {
          do: "write",
          content: style.content(request.data?.subarray(0, cut)),
          length: String(cut),
        },
        expected: transferred(call, request, style),
        comment: cut < request.length
          ? `interrupted: ${request.length} were to be written`
          : undefined,
      };
    }
    case "ioctl":
      return writeIoctl(call, request, style);
    case "poll":
      return writePoll(call, request);
    case "touch":
      return { comment: `touches ${request.length} bytes of its mapping at ${request.offset}` };
  }
}

function openAction(file: TracedFile, name: string): Action {
  const device = scriptDevice(file);
  const modes: Record<number, Mode> = { [O_RDONLY]: "rdonly", [O_WRONLY]: "wronly" };
  return {
    do: "open",
    device,
    mode: modes[file.flags & O_ACCMODE] ?? "rdwr",
    nonblock: (file.flags & O_NONBLOCK) !== 0,
    excl: (file.flags & O_EXCL) !== 0,
    as: name === device ? undefined : name,
  };
}

/** Success, which needs no words, or an errno. */
function outcome(result: number): Expectation | undefined {
  return result < 0 ? { errnos: [errnoName(-result)] } : undefined;
}

/** What a read or a write has moved. How much there is room for when it may not wait, time decides. */
function transferred(
  { result, stream }: TracedCall,
  { nonblocking }: Transfer,
  { ranges }: Style,
): Expectation {
  const isCount = result >= 0 || errnoName(-result) === "EAGAIN";
  if (!ranges || !nonblocking || !isCount || stream.fragmentBytes === 0) {
    return outcome(result) ?? { value: String(result) };
  }
  const tolerance = toleranceBytes(stream);
  if (result > tolerance) return { value: `${result}~${tolerance}` };
  return { errnos: ["EAGAIN"], value: `0..${Math.max(0, result) + tolerance}` };
}

function toleranceBytes({ fragmentBytes, bytesPerSecond }: TracedStream): number {
  return Math.max(fragmentBytes, Math.ceil(bytesPerSecond * LEAST_TOLERANCE_SECONDS));
}

function writePoll(
  { startMs, endMs, result }: TracedCall,
  { events, revents }: Extract<Request, { kind: "poll" }>,
): Written {
  const asked = pollWord(events);
  if (asked === "-") return { comment: `poll of events 0x${events.toString(16)}` };
  const ready = revents & (events | POLLERR);
  const timeout = ready ? POLL_LIMIT : `${Math.floor(endMs - startMs)}ms`;
  return {
    action: { do: "poll", events: asked, timeout },
    expected: outcome(result) ?? { events: ready & POLLERR ? "error" : pollWord(ready) },
  };
}

function pollWord(events: number): PollEvents | "-" {
  const [input, output] = [(events & IN) !== 0, (events & OUT) !== 0];
  if (input && output) return "both";
  return input ? "in" : output ? "out" : "-";
}

// What depends on who has asked, and on all that was before.
const OF_THE_MOMENT = /counter$|^(?:timestamp|pid|cmd)$/;

// What a machine has is not what another one has.
const OF_THE_MACHINE = new Set(
  [...INFO_ROWS, ...MIXER_EXTENSION_ROWS.filter(({ name }) => name === "SNDCTL_MIXERINFO")]
    .map(({ command }) => command),
);

type Ioctl = Extract<Request, { kind: "ioctl" }>;

const IOC_WRITE = 1 << 30;
const IOC_READ = 1 << 31;

function writeIoctl(
  { result, stream }: TracedCall,
  request: Ioctl,
  { ranges }: Style,
): Written {
  const { command, input, output } = request;
  const failed = outcome(result);
  const row = rowOf(command);
  const named = row && namedAction(row, request);
  if (!row || !named) {
    const number = `0x${(command >>> 0).toString(16).toUpperCase().padStart(8, "0")}`;
    return {
      action: { do: "ioctl", command: number, bytes: input.toHex() },
      expected: failed,
      comment: row && [row.name, row.variant].filter((word) => word !== undefined).join(", "),
    };
  }
  const isAsked = (command & IOC_READ) !== 0 && !(ranges && OF_THE_MACHINE.has(command));
  if (failed || !isAsked || row.argument === "none") {
    return { action: named, expected: failed };
  }
  const near = (field: string, value: number, text: string) =>
    ranges && row.timed?.includes(field) ? withTolerance(field, value, stream) : text;
  if (row.argument === "int") {
    if (output.length < 4) return { action: named };
    const value = new DataView(output.buffer, output.byteOffset).getInt32(0, true);
    return {
      action: named,
      expected: { value: near("value", value, intText(value, row)) },
    };
  }
  if (output.length < row.argument.$size) return { action: named };
  const fields: Record<string, string> = {};
  const view = new DataView(output.buffer, output.byteOffset, output.length);
  for (const [field, value] of fieldsOf(row.argument, view)) {
    if (/^(?:filler|unused)/.test(field)) continue;
    if (ranges && OF_THE_MOMENT.test(field)) fields[field] = "*";
    else if (typeof value === "string") fields[field] = pattern(value);
    else fields[field] = near(field, value, String(value));
  }
  return { action: named, expected: { fields } };
}

/** The statement of a call that the table has; undefined where its argument cannot be said. */
function namedAction(
  row: Row,
  { command, input, output }: Ioctl,
): Action | undefined {
  const name = shortName(row);
  if (row.variant !== undefined) return undefined;
  if ((command & IOC_WRITE) === 0 || row.argument === "none") return { do: "call", name };
  const view = new DataView(input.buffer, input.byteOffset, input.length);
  if (row.argument === "int") {
    if (input.length !== 4) return undefined;
    const value = view.getInt32(0, true);
    // What a question passes does not matter, unless it does.
    if (value === 0 && name.startsWith("GET")) return { do: "call", name };
    return { do: "call", name, value: intText(value, row) };
  }
  if (input.length !== row.argument.$size) return undefined;
  const fields: Record<string, string> = {};
  const said = new DataView(new ArrayBuffer(input.length));
  for (const [field, value] of fieldsOf(row.argument, view)) {
    if (value === 0 || value === "" || (typeof value === "string" && !isPlain(value))) continue;
    setField(row.argument, said, field, value);
    fields[field] = typeof value === "string" ? quote(value) : String(value);
  }
  // What cannot be said must not matter: the call has put something else in its place.
  const isSaid = input.every((byte, i) =>
    byte === said.getUint8(i) || (i < output.length && byte !== output[i])
  );
  return isSaid ? { do: "call", name, fields } : undefined;
}

/** The ints and the text of a struct, by field. */
function* fieldsOf(
  struct: StructDescription,
  view: DataView,
): Generator<[string, number | string]> {
  for (const [i, field] of struct.$fields.entries()) {
    if (typeof struct.$types[i] === "object") continue;
    const value = getField(struct, view, field);
    if (typeof value === "string" || Number.isSafeInteger(value)) yield [field, value];
  }
}

/** Whether a line can hold a text, which stands for nothing else. */
function isPlain(text: string): boolean {
  return /^[ !#-)+-~]*$/.test(text);
}

/** A text to be compared with: a star stands for all from what a line cannot hold on. */
function pattern(text: string): string {
  return quote(text.replace(/[^ -)+-~].*/s, "*"));
}

/** A value that depends on the time, as a range. */
function withTolerance(field: string, value: number, stream: TracedStream): string {
  // Counts of fragments, and of what has gone wrong.
  if (/^(?:fragments|blocks)$|runs$/.test(field)) return `${value}~1`;
  const tolerance = toleranceBytes(stream);
  // At the ring's ends a little earlier or later is far away.
  if (field === "ptr" && (value < tolerance || value + tolerance >= stream.bufferBytes)) return "*";
  return `${value}~${tolerance}`;
}

/** An int by the names of its values. */
function intText(value: number, { name, values }: Row): string {
  if (values?.kind === "level" && (value & ~0xffff) === 0) {
    return `${value & 0xff},${value >>> 8}`;
  }
  if (values?.kind === "one") {
    const name = Object.keys(values.names).find((name) => values.names[name] === value);
    if (name) return name;
  }
  if (values?.kind === "flags") {
    const names = Object.keys(values.names).filter((name) => {
      const flag = values.names[name];
      return flag !== 0 && (value & flag) === flag;
    });
    const sum = names.reduce((sum, name) => sum | values.names[name], 0);
    if (names.length > 0 && sum === value) return names.join("+");
  }
  // Two numbers in one.
  const isDecimal = value >= 0 && value <= 0xfffff && name !== "SNDCTL_DSP_SETFRAGMENT";
  if (isDecimal) return String(value);
  return `0x${(value >>> 0).toString(16)}`;
}
