// Traces without a kernel: what is recorded is what passed, what a script says is what was called,
// and other programs' and threads' calls run beside.

import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  EAGAIN,
  EINTR,
  EINVAL,
  ENODEV,
  O_NONBLOCK,
  O_RDWR,
  O_WRONLY,
  POLLIN,
  POLLOUT,
} from "../../ffi/libc.ts";
import { evaluate, NO_SCOPE } from "../../lib/script/amount.ts";
import { setField } from "../../lib/script/layout.ts";
import { matches } from "../../lib/script/matcher.ts";
import { allRows, rowNamed, rowOf } from "../../lib/script/names.ts";
import { unquote } from "../../lib/script/words.ts";
import type { Statement } from "../../lib/script/statement.ts";
import { ioctlGroup } from "../../lib/oss/soundcard.ts";
import { Listing } from "../../lib/trace/listing.ts";
import { RecordRing } from "../../lib/trace/record_ring.ts";
import type { Request, TracedCall, TracedFile } from "../../lib/trace/traced_call.ts";
import { Transcript } from "../../lib/trace/transcript.ts";
import { fuzzCount, fuzzRandom, type Random } from "../random.ts";
import { parseTranscript, recordsOf } from "./traced.ts";

const CALLS = 8_000;

Deno.test("records come out as they went in, and what does not fit is refused", () => {
  const random = fuzzRandom();
  const ring = new RecordRing(RecordRing.allocate(1000));
  const inside: number[][] = [];
  let [refused, taken] = [0, 0];
  for (let i = 0; i < 20_000; i++) {
    if (random.chance(0.6)) {
      const bytes = Array.from({ length: random.below(200) }, () => random.below(256));
      const spare = random.below(100);
      const at = ring.reserve(4 + bytes.length, spare);
      const used = inside.reduce((sum, record) => sum + record.length + 4, 0);
      if (at < 0) refused++;
      else {
        assert(used + bytes.length + spare < 1000);
        ring.bytes.set(bytes, at + 4);
        ring.commit(at, 4 + bytes.length);
        inside.push(bytes);
      }
      // At a quarter there is room wherever the records lie.
      assert(at >= 0 || used + bytes.length + spare > 250, `${used} used`);
    } else if (inside.length > 0) {
      const [record] = recordsOf(ring);
      assertEquals([...record.subarray(4)], inside.shift());
      taken++;
    }
  }
  assert(refused > 100 && taken > 1000);
});

/** Calls made by hand, in the order of their ends. */
class Play {
  readonly transcript = new Transcript(
    "a test",
    (data) => data ? { file: "data", offset: String(data[0]) } : { signal: "zeros" },
  );
  text = "";

  file(process: number, device = "dsp", flags = O_WRONLY): TracedFile {
    const kind = device.startsWith("mixer") ? "mixer" : "dsp";
    return { device, kind, flags, process, command: `p${process}` };
  }

  begin(file: TracedFile, request: Request, startMs: number, pid = file.process): TracedCall {
    const stream = { fragmentBytes: 1024, bufferBytes: 8192, bytesPerSecond: 48000 };
    const call = { file, pid, stream, request, startMs, endMs: NaN, result: 0, interrupted: false };
    this.transcript.began(call);
    return call;
  }

  end(call: TracedCall, endMs: number, result = 0): void {
    call.endMs = endMs;
    call.result = result;
    this.transcript.ended(call);
    this.text += this.transcript.take();
  }

  make(file: TracedFile, request: Request, startMs: number, result = 0, pid = file.process): void {
    this.end(this.begin(file, request, startMs, pid), startMs + 0.1, result);
  }

  /** The whole script, whose statements are looked at with times and comments cut off. */
  finish(): string[] {
    this.text += this.transcript.finish();
    parseTranscript(this.text);
    return this.text.trimEnd().split("\n").map((line) => line.replace(/ *#.*$/, ""))
      .filter((line) => line !== "");
  }
}

const OPEN: Request = { kind: "open" };
const CLOSE: Request = { kind: "close" };
const write = (length: number, nonblocking = false): Extract<Request, { kind: "write" }> => ({
  kind: "write",
  length,
  flagged: nonblocking,
  nonblocking,
  data: undefined,
});

function ioctl(name: string, input: number[] = [], output: number[] = []): Request {
  const bytes = (words: number[]) => new Uint8Array(new Int32Array(words).buffer);
  return {
    kind: "ioctl",
    command: rowNamed(name).command,
    input: bytes(input),
    output: bytes(output),
  };
}

Deno.test("a program's calls are a test, with pauses where it paused", () => {
  const play = new Play();
  const dsp = play.file(1, "dsp", O_WRONLY | O_NONBLOCK);
  play.make(dsp, OPEN, 1000);
  play.make(dsp, ioctl("SETFMT", [16], [16]), 1000.2);
  play.make(dsp, ioctl("SETFMT", [16]), 1000.4, -EINVAL);
  play.make(dsp, ioctl("GETOSPACE", [], [4, 8, 1024, 4100]), 1000.5);
  play.make(dsp, ioctl("GETOPTR", [], [20_000, 2, 3616]), 1003);
  play.make(dsp, ioctl("GETOPTR", [], [20_000, 2, 100]), 1003.11);
  play.make(dsp, write(4096, true), 1005, 4096);
  play.make(dsp, write(4096, true), 1005.1, -EAGAIN);
  play.make(dsp, { kind: "poll", events: POLLOUT, revents: POLLOUT, slept: true }, 1005.2);
  play.make(dsp, { kind: "poll", events: POLLIN, revents: 0, slept: false }, 1005.25);
  play.make(dsp, CLOSE, 1005.35);
  assertEquals(play.finish(), [
    "test a test",
    "  open dsp wronly nonblock",
    "  SETFMT AFMT_S16_LE -> AFMT_S16_LE",
    "  SETFMT AFMT_S16_LE -> EINVAL",
    "  GETOSPACE -> fragments=4~1 fragstotal=8 fragsize=1024 bytes=4100~1024",
    "  at 3ms",
    "  GETOPTR -> bytes=20000~1024 blocks=2~1 ptr=3616~1024",
    "  GETOPTR -> bytes=20000~1024 blocks=2~1 ptr=*",
    "  at 5ms",
    "  write zeros 4096 -> 4096~1024",
    "  write zeros 4096 -> EAGAIN|0..1024",
    "  poll out 1s -> out",
    "  poll in 0ms -> -",
    "  close",
  ]);
});

Deno.test("what a signal has cut short is written as far as it came", () => {
  const play = new Play();
  const dsp = play.file(1);
  play.make(dsp, OPEN, 0);
  const data = new Uint8Array(4096).fill(7);
  const cut = play.begin(dsp, { ...write(4096), data }, 2);
  cut.interrupted = true;
  play.end(cut, 3, 1000);
  const none = play.begin(dsp, ioctl("SYNC"), 4);
  none.interrupted = true;
  play.end(none, 5, -EINTR);
  assertEquals(play.finish(), [
    "test a test",
    "  open dsp wronly",
    "  at 2ms",
    '  write "data" 7 1000 -> 1000',
  ]);
  assertMatch(play.text, /interrupted: 4096 were to be written/);
  assertMatch(play.text, /# interrupted by a signal: SYNC/);
});

Deno.test("files are told apart by their names, programs one after the other share a lane", () => {
  const play = new Play();
  const [one, two, mixer] = [play.file(1), play.file(1), play.file(1, "mixer1")];
  play.make(one, OPEN, 0);
  play.make(two, OPEN, 0.1);
  play.make(mixer, OPEN, 0.2);
  play.make(one, write(8), 0.3, 8);
  play.make(mixer, CLOSE, 0.4);
  play.make(two, CLOSE, 0.5);
  play.make(one, CLOSE, 0.6);
  const next = play.file(2, "adsp", O_RDWR);
  play.make(next, OPEN, 0.7);
  play.make(next, CLOSE, 0.8);
  play.make(play.file(3, "other"), OPEN, 0.9, -ENODEV);
  assertEquals(play.finish(), [
    "test a test",
    "  open dsp wronly",
    "  open dsp wronly as dsp2",
    "  open mixer wronly",
    "  dsp: write zeros 8 -> 8",
    "  close",
    "  dsp2: close",
    "  dsp: close",
    "  open adsp rdwr",
    "  close",
    "  open dsp wronly -> ENODEV",
  ]);
});

Deno.test("programs at the same time are lanes, and each is written when it is done", () => {
  const play = new Play();
  const [one, two] = [play.file(1), play.file(2)];
  play.make(one, OPEN, 0);
  const slow = play.begin(one, write(8192), 2);
  play.make(two, OPEN, 5);
  play.make(two, write(8), 5.1, 8);
  play.end(slow, 100, 8192);
  play.make(one, write(8), 100.1, 8);
  assert(!play.text.includes("fork"), "the block is not complete yet");
  play.make(two, CLOSE, 101);
  assert(play.text.includes("fork"), "the block is complete");
  play.make(one, CLOSE, 102);
  assertEquals(play.finish(), [
    "test a test",
    "  open dsp wronly",
    "  fork:",
    "    dsp: close",
    "    at 5ms",
    "    open dsp wronly as dsp2",
    "    write zeros 8 -> 8",
    "    at 101ms",
    "    close",
    "  at 2ms",
    "  write zeros 8192 -> 8192",
    "  write zeros 8 -> 8",
    "  at 102ms",
    "  close",
    "  join",
  ]);
});

Deno.test("a thread that calls while another one waits has a lane from then on", () => {
  const play = new Play();
  const dsp = play.file(1);
  play.make(dsp, OPEN, 0);
  play.make(dsp, ioctl("GETODELAY", [], [0]), 0.2, 0, 11); // nobody waits yet
  const first = play.begin(dsp, write(8192), 1);
  play.make(dsp, ioctl("GETODELAY", [], [5000]), 10, 0, 11);
  play.end(first, 20, 8192);
  play.make(dsp, ioctl("GETODELAY", [], [6000]), 20.5, 0, 11);
  play.make(dsp, write(8), 21, 8);
  play.make(dsp, CLOSE, 22);
  assertEquals(
    play.finish(),
    [
      "test a test",
      "  open dsp wronly",
      "  at 0.2ms",
      "  GETODELAY -> 0~1024",
      "  fork:",
      "    at 10ms",
      "    dsp: GETODELAY -> 5000~1024",
      "    at 20.5ms",
      "    dsp: GETODELAY -> 6000~1024",
      "  write zeros 8192 -> 8192",
      "  at 21ms",
      "  write zeros 8 -> 8",
      "  close",
      "  join",
    ].filter((line) => line !== "  at 0.2ms" || play.text.includes("at 0.2ms")),
  );
});

Deno.test("whether a descriptor waits is said when it changes", () => {
  const play = new Play();
  const dsp = play.file(1, "dsp", O_WRONLY | O_NONBLOCK);
  play.make(dsp, OPEN, 0);
  play.make(dsp, write(1), 0.1, 1);
  play.make(dsp, write(2), 0.2, 2);
  play.make(dsp, write(3, true), 0.3, 3);
  // SNDCTL_DSP_NONBLOCK is no flag of the descriptor.
  play.make(dsp, { ...write(4, true), flagged: false }, 0.4, 4);
  assertEquals(play.finish(), [
    "test a test",
    "  open dsp wronly nonblock",
    "  nonblock off",
    "  write zeros 1 -> 1",
    "  write zeros 2 -> 2",
    "  nonblock on",
    "  write zeros 3 -> EAGAIN|0..1027",
    "  nonblock off",
    "  write zeros 4 -> EAGAIN|0..1028",
  ]);
});

Deno.test("a mapping is known by its first touch, and goes before the file does", () => {
  const play = new Play();
  const [dsp, input] = [play.file(1, "dsp", O_RDWR), play.file(1, "dsp", 0)];
  play.make(dsp, OPEN, 0);
  play.make(dsp, { kind: "touch", offset: 0, length: 4096 }, 0.1);
  play.make(dsp, { kind: "touch", offset: 4096, length: 4096 }, 0.2);
  play.make(dsp, { kind: "touch", offset: 8192, length: 4096 }, 0.3); // not of this mapping
  play.make(input, OPEN, 0.4);
  play.make(input, { kind: "touch", offset: 0, length: 4096 }, 0.5);
  play.make(dsp, CLOSE, 0.6);
  assertEquals(play.finish(), [
    "test a test",
    "  open dsp rdwr",
    "  mmap 8192 as ring_of_dsp",
    "  poke ring_of_dsp 0 zeros 4096",
    "  poke ring_of_dsp 4096 zeros 4096",
    "  open dsp rdonly as dsp2",
    "  mmap 8192 as ring_of_dsp2",
    "  peek ring_of_dsp2 0 4096",
    "  dsp: munmap ring_of_dsp",
    "  dsp: close",
  ]);
});

Deno.test("calls that were lost, and those without an answer, are told in comments", () => {
  const play = new Play();
  play.transcript.lost(3);
  const dsp = play.file(1);
  play.make(dsp, OPEN, 0);
  play.transcript.lost(1);
  play.begin(dsp, ioctl("SYNC"), 1);
  assertEquals(play.finish(), ["test a test", "  open dsp wronly"]);
  assertMatch(play.text, /^# missing here: 3 /);
  assertMatch(play.text, /^ {2}# missing here: 1 /m);
  assertMatch(play.text, /# had no answer when the trace ended: dsp: SYNC/);
});

Deno.test("a listing says who made which call when, and how long it took", () => {
  const play = new Play();
  let text = "";
  const listing = new Listing((line) => text += line);
  const dsp = play.file(7);
  for (
    const [request, startMs] of [
      [OPEN, 500],
      [ioctl("GETOPTR", [], [20_000, 2, 3616]), 501.25],
      [write(512), 502],
      [CLOSE, 503],
    ] as const
  ) {
    const call = play.begin(dsp, request, startMs);
    listing.began(call);
    call.endMs = startMs + 0.125;
    listing.ended(call);
  }
  assertEquals(text.split("\n"), [
    "0.000000 p7[7] open dsp wronly <0.000125>",
    "0.001250 p7[7] dsp: GETOPTR -> bytes=20000 blocks=2 ptr=3616 <0.000125>",
    '0.002000 p7[7] dsp: write "..." 512 -> 0 <0.000125>',
    "0.003000 p7[7] dsp: close <0.000125>",
    "",
  ]);
});

/** An ioctl of the table, or any other, with an argument of its size or any other. */
function randomIoctl(random: Random): Extract<Request, { kind: "ioctl" }> {
  const rows = allRows();
  const command = random.chance(0.8) ? random.pick(rows).command : random.u32();
  const size = random.chance(0.9) ? command >>> 16 & 0x3fff : random.below(300);
  const bytes = (wanted: boolean) => {
    const length = wanted ? Math.min(size, 2000) : 0;
    // Text, numbers, or anything.
    const dice = random.below(3);
    return Uint8Array.from({ length }, () => {
      if (dice === 0) return 0x20 + random.below(0x60);
      return dice === 1 ? random.edge() : random.u32();
    });
  };
  const input = bytes((command & 1 << 30) !== 0);
  const output = bytes((command & 1 << 31) !== 0);
  // As programs have it: a few fields, and an answer that goes over some of them.
  if (random.chance(0.4)) {
    input.fill(0);
    for (let i = random.below(4); i > 0 && input.length > 0; i--) {
      input[random.below(Math.min(input.length, 100))] = random.edge();
    }
    if (random.chance(0.5)) output.set(input.subarray(0, Math.max(0, output.length - 8)));
  }
  return { kind: "ioctl", command, input, output };
}

/** How many structs have been told by their fields. */
let structs = 0;

/** Asserts that a statement says what a call was. */
function assertSays({ action, expected }: Statement, call: TracedCall): void {
  const { request, result } = call;
  if (request.kind !== "ioctl") return assertEquals(action.do, request.kind);
  const row = rowOf(request.command);
  if (action.do === "ioctl") {
    assertEquals(Number(action.command), request.command);
    assertEquals(action.bytes, request.input.toHex());
  } else {
    assert(action.do === "call" && row);
    assertEquals(rowNamed(action.name).command, request.command);
    const view = new DataView(request.input.buffer);
    if (action.fields) {
      assert(row && typeof row.argument === "object");
      const said = new DataView(new ArrayBuffer(view.byteLength));
      for (const [field, value] of Object.entries(action.fields)) {
        setField(row.argument, said, field, unquote(value) ?? evaluate(value, NO_SCOPE));
      }
      const wrong = request.input.findIndex((byte, i) =>
        byte !== said.getUint8(i) && (request.output[i] ?? byte) === byte
      );
      assertEquals(wrong, -1, `${action.name}: byte ${wrong} is not as it was`);
      structs++;
    } else if (action.value !== undefined) {
      assertEquals(evaluate(action.value, NO_SCOPE) | 0, view.getInt32(0, true));
    } else if (row.argument === "int" && view.byteLength === 4) {
      assertEquals(view.getInt32(0, true), 0);
    }
  }
  if (result < 0) return assertEquals(expected, { errnos: ["EINVAL"] });
  if (row?.argument === "int" && expected?.value !== undefined) {
    const value = new DataView(request.output.buffer).getInt32(0, true);
    assert(matches(expected.value, value, NO_SCOPE), `${value} for ${expected.value}`);
  }
  for (const [field, wanted] of Object.entries(expected?.fields ?? {})) {
    assert(row && typeof row.argument === "object");
    const at = (row.argument as unknown as Record<string, number>)[field];
    const type = row.argument.$types[row.argument.$fields.indexOf(field)];
    if (typeof type === "number") {
      const text = new TextDecoder("latin1").decode(request.output.subarray(at, at + type));
      assert(matches(wanted, text.replace(/\0.*$/s, ""), NO_SCOPE), `${field}: ${wanted}`);
      assert(wanted === "*" || unquote(wanted) !== undefined);
    } else if (type === "i32") {
      const value = new DataView(request.output.buffer).getInt32(at, true);
      assert(matches(wanted, value, NO_SCOPE), `${field}: ${value} for ${wanted}`);
    }
  }
}

Deno.test("whatever is traced parses again, and says what was called", () => {
  const random = fuzzRandom();
  const groups = new Set<string>();
  for (let left = fuzzCount(CALLS); left > 0; left -= 200) {
    const play = new Play();
    const dsp = play.file(1, random.pick(["dsp", "mixer", "audio", "dsp2", "?", ""]));
    const calls: TracedCall[] = [];
    play.make(dsp, OPEN, 0);
    for (let i = 0; i < 200; i++) {
      const request = randomIoctl(random);
      groups.add(ioctlGroup(request.command));
      const call = play.begin(dsp, request, i / 10);
      play.end(call, i / 10, random.chance(0.2) ? -EINVAL : 0);
      calls.push(call);
    }
    play.finish();
    const statements = parseTranscript(play.text).body.filter(({ action }) =>
      action.do !== "at" && action.do !== "open"
    );
    assertEquals(statements.length, calls.length);
    for (const [i, statement] of statements.entries()) assertSays(statement, calls[i]);
  }
  assert(groups.size > 2 && structs > fuzzCount(CALLS) / 1000, `${structs} structs`);
});
