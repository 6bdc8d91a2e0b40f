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
import { type Row, rowOf, shortName } from "../script/names.ts";
import type { Action, Content, Expectation, Mode, PollEvents } from "../script/statement.ts";
import { quote } from "../script/words.ts";
import type { FieldType, StructDescription } from "../struct.ts";
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

const IOC_WRITE = 1 << 30;
const IOC_READ = 1 << 31;

function writeIoctl(
  { result, stream, file }: TracedCall,
  { command, input, output }: Extract<Request, { kind: "ioctl" }>,
  { ranges }: Style,
): Written {
  const failed = outcome(result);
  const row = rowOf(command);
  const named = row && namedAction(row, command, input);
  if (!row || !named) {
    const number = `0x${(command >>> 0).toString(16).toUpperCase().padStart(8, "0")}`;
    const known = row ? `${row.name} of ${file.command}` : undefined;
    return {
      action: { do: "ioctl", command: number, bytes: input.toHex() },
      expected: failed,
      comment: known,
    };
  }
  if (failed || (command & IOC_READ) === 0 || row.argument === "none") {
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
  for (const [field, value] of fieldsOf(row.argument, output)) {
    if (typeof value === "string") fields[field] = quote(value);
    else fields[field] = near(field, value, String(value));
  }
  return { action: named, expected: { fields } };
}

/** The statement of a call that the table has; undefined where its argument cannot be said. */
function namedAction(row: Row, command: number, input: Uint8Array): Action | undefined {
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
  return undefined;
}

/** The ints and the text of a struct, by field; what is for later versions is not among them. */
function* fieldsOf(
  { $fields, $types, ...struct }: StructDescription,
  bytes: Uint8Array,
): Generator<[string, number | string]> {
  const offsets = struct as unknown as Readonly<Record<string, number>>;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const [i, field] of $fields.entries()) {
    const value = fieldValue(view, offsets[field], $types[i]);
    if (value !== undefined && !/^(?:filler|fillers|unused|dummy)\d*$/.test(field)) {
      yield [field, value];
    }
  }
}

const READERS: Readonly<Record<string, (view: DataView, at: number) => number>> = {
  u8: (view, at) => view.getUint8(at),
  i16: (view, at) => view.getInt16(at, true),
  u16: (view, at) => view.getUint16(at, true),
  u32: (view, at) => view.getUint32(at, true),
  i32: (view, at) => view.getInt32(at, true),
  u64: (view, at) => Number(view.getBigUint64(at, true)),
  i64: (view, at) => Number(view.getBigInt64(at, true)),
  long: (view, at) => Number(view.getBigInt64(at, true)),
};

function fieldValue(view: DataView, at: number, type: FieldType): number | string | undefined {
  if (typeof type === "number") return textAt(view, at, type);
  if (typeof type !== "string") return undefined;
  const value = READERS[type]?.(view, at);
  return value !== undefined && Number.isSafeInteger(value) ? value : undefined;
}

/** Text up to its NUL; what cannot be printed becomes a star, which stands for anything. */
function textAt(view: DataView, at: number, length: number): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, length);
  const end = bytes.indexOf(0);
  return Array.from(
    end < 0 ? bytes : bytes.subarray(0, end),
    (byte) => byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "*",
  ).join("");
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
