// A trace as a test in the script language. A program is a lane of statements, one after the other
// as they were made. What was done meanwhile by another program, or by another thread while a call of
// this one waited, is a lane of its own: a fork: block, which runs beside what follows it.

import { O_ACCMODE, O_NONBLOCK, O_RDONLY } from "../../ffi/libc.ts";
import { printStatement } from "../script/printer.ts";
import type { Action } from "../script/statement.ts";
import type { CallListener } from "./assembler.ts";
import { Descriptors } from "./descriptors.ts";
import { type Style, writeCall, type Written } from "./statement.ts";
import type { TracedCall, TracedFile, Transfer } from "./traced_call.ts";

// A pause that a program makes between two calls is told if it is this long, before a call whose
// result depends on the time if it is only so long.
const PAUSE_MS = 1;
const TIMED_PAUSE_MS = 0.05;

// From here on it is said how long a call has taken.
const LONG_CALL_MS = 1;

const LOST = "# missing here:";

/** Statements that follow one another. */
class Lane {
  readonly lines: (string | Lane)[] = [];
  /** The descriptor that statements without a name are about. */
  current: string | undefined;
  /** When the last of them had ended. */
  nowMs = 0;
  /** The files that were opened in it and are open. */
  readonly open = new Set<TracedFile>();
  /** Of a lane that is done there will be no more. */
  done = false;

  /** @param number lanes and files are numbered in the order in which they came to be */
  constructor(readonly number: number, readonly parent: Lane | undefined) {}

  /** Whether nothing is done in it. */
  get isEmpty(): boolean {
    return this.lines.every((line) =>
      typeof line === "string" ? line.startsWith("#") : line.isEmpty
    );
  }

  /** Whether its process has a file that was opened in `lane`. */
  inherits(lane: Lane): boolean {
    return this.parent === lane || (this.parent?.inherits(lane) ?? false);
  }
}

interface FileState {
  readonly lane: Lane;
  readonly number: number;
  /** Whether it has O_NONBLOCK. */
  nonblock: boolean;
  /** The bytes of its mapping, once it is known that there is one. */
  mappedBytes: number;
}

/** Writes calls down as one test, in pieces that follow one another. */
export class Transcript implements CallListener {
  readonly #style: Style;
  readonly #title: string;
  readonly #descriptors = new Descriptors();
  readonly #root = new Lane(0, undefined);
  /** The lanes of programs: the root, and blocks in it. */
  readonly #programs: Lane[] = [this.#root];
  /** The lanes of threads that have made a call while another one waited. */
  readonly #threads = new Map<number, Lane>();
  readonly #files = new Map<TracedFile, FileState>();
  readonly #waiting = new Set<TracedCall>();
  #numbers = 1;
  /** Whose the root's calls are. */
  #who = "";
  #originMs: number | undefined;
  #titled = false;
  #forked = false;

  /** @param title what the test is called */
  constructor(title: string, content: Style["content"]) {
    // A name ends where a comment begins, and a quote has an end.
    this.#title = title.replaceAll(/[^\w.,=+/@-]+/g, " ").trim();
    this.#style = { ranges: true, content };
  }

  began(call: TracedCall): void {
    this.#originMs ??= call.startMs;
    this.#waiting.add(call);
  }

  ended(call: TracedCall): void {
    this.#waiting.delete(call);
    switch (call.request.kind) {
      case "open":
        return this.#opened(call);
      case "close":
        return this.#closed(call);
      case "touch":
        return this.#touched(call, call.request);
      case "flush":
      case "fsync":
        return this.#tell(this.#laneOf(call), call);
      case "read":
      case "write":
        return this.#transferred(call, call.request);
      default:
        return this.#tell(this.#laneBeside(call), call);
    }
  }

  lost(count: number): void {
    this.#root.lines.push(`${LOST} ${count} (calls that came too fast to be written down)`);
  }

  /** What can be written by now and has not been. */
  take(): string {
    let text = "";
    for (let [first] = this.#root.lines; first !== undefined; [first] = this.#root.lines) {
      if (typeof first !== "string" && !first.done) break;
      text += this.#text(first, "  ");
      this.#root.lines.shift();
    }
    return text;
  }

  /** The rest. */
  finish(): string {
    for (const call of this.#waiting) this.#unanswered(call);
    this.#waiting.clear();
    for (const lane of this.#programs) lane.done = true;
    for (const lane of this.#threads.values()) lane.done = true;
    return this.take() + (this.#forked ? "  join\n" : "");
  }

  /** A line, or the lines of a lane, which are already indented as those of the root are. */
  #text(line: string | Lane, indent: string): string {
    if (typeof line !== "string") {
      const inner = line.lines.map((line) => this.#text(line, `${indent}  `)).join("");
      return line.isEmpty ? inner : `${indent}fork:\n${inner}`;
    }
    // A test has a statement.
    if (!this.#titled && line.startsWith(LOST)) return `${line}\n`;
    const title = this.#titled ? "" : `test ${this.#title}\n`;
    this.#titled = true;
    return `${title}${indent}${line}\n`;
  }

  #opened(call: TracedCall): void {
    const { file } = call;
    const lane = this.#programLane(file);
    const name = this.#descriptors.opened(file);
    if (call.result >= 0) {
      this.#files.set(file, newState(lane, this.#numbers++, file));
      lane.open.add(file);
    }
    this.#put(lane, call, name, writeCall(call, name, this.#style));
    if (call.result >= 0) lane.current = name;
    else this.#descriptors.closed(file);
  }

  /** The lane of a process: the one it is in, or one that nobody is in. */
  #programLane(file: TracedFile): Lane {
    const isSame = (other: TracedFile) => other.process === file.process && file.process !== 0;
    const own = this.#programs.find(({ open }) => [...open].some(isSame));
    if (own) return own;
    const { command, process } = file;
    const who = `# ${command} (process ${process})`;
    if (this.#root.open.size === 0) {
      if (who !== this.#who) this.#root.lines.push(who);
      this.#who = who;
      return this.#root;
    }
    const lane = this.#fork(this.#root);
    this.#programs.push(lane);
    // Another program has no descriptors of this one's.
    lane.lines.push(
      who,
      ...[...this.#root.open].map((open) => {
        const on = this.#descriptors.nameOf(open);
        return printStatement({ line: 0, on, action: { do: "close" } })[0];
      }),
    );
    return lane;
  }

  #fork(parent: Lane): Lane {
    const lane = new Lane(this.#numbers++, parent);
    parent.lines.push(lane);
    this.#forked = true;
    return lane;
  }

  #laneOf({ file, pid }: TracedCall): Lane {
    const state = this.#stateOf(file);
    const thread = this.#threads.get(pid);
    // A process has what was open when it began.
    if (thread && !thread.done && thread.number > state.number && thread.inherits(state.lane)) {
      return thread;
    }
    return state.lane;
  }

  #stateOf(file: TracedFile): FileState {
    let state = this.#files.get(file);
    if (!state) {
      state = newState(this.#root, 0, file);
      this.#files.set(file, state);
    }
    return state;
  }

  /** The lane of a call, a new one if another thread's call was waiting in its lane. */
  #laneBeside(call: TracedCall): Lane {
    const lane = this.#laneOf(call);
    const isBusy = [...this.#waiting].some((other) =>
      other.pid !== call.pid && other.startMs < call.startMs && other.request.kind !== "open" &&
      this.#laneOf(other) === lane
    );
    if (!isBusy) return lane;
    const thread = this.#fork(lane);
    thread.lines.push(`# a thread of ${call.file.command} (${call.pid})`);
    this.#threads.set(call.pid, thread);
    return thread;
  }

  #tell(lane: Lane, call: TracedCall): void {
    const name = this.#descriptors.nameOf(call.file);
    this.#put(lane, call, name, writeCall(call, name, this.#style));
  }

  /** A program may have changed by fcntl(2) whether it waits. */
  #transferred(call: TracedCall, { flagged }: Transfer): void {
    const lane = this.#laneBeside(call);
    const state = this.#stateOf(call.file);
    if (flagged !== state.nonblock) {
      const name = this.#descriptors.nameOf(call.file);
      this.#putBefore(lane, call, name, { do: "nonblock", on: flagged });
    }
    state.nonblock = flagged;
    this.#tell(lane, call);
  }

  /** The first touch of a mapping tells that there is one; nobody has told how long: as the ring. */
  #touched(call: TracedCall, { offset, length }: { offset: number; length: number }): void {
    const { file, stream } = call;
    const state = this.#stateOf(file);
    const name = this.#descriptors.nameOf(file);
    const mapping = `ring_of_${name}`;
    if (state.mappedBytes === 0) {
      state.mappedBytes = stream.bufferBytes;
      const length = String(state.mappedBytes);
      this.#putBefore(state.lane, call, name, { do: "mmap", length, as: mapping });
    }
    const touched = Math.min(length, state.mappedBytes - offset);
    if (touched <= 0) return;
    const place = { mapping, offset: String(offset), length: String(touched) };
    const action: Action = isReadOnly(file)
      ? { do: "peek", ...place }
      : { do: "poke", content: { signal: "zeros" }, ...place };
    this.#putBefore(state.lane, call, name, action);
  }

  #closed(call: TracedCall): void {
    const { file } = call;
    const { lane, mappedBytes } = this.#stateOf(file);
    const name = this.#descriptors.nameOf(file);
    if (mappedBytes > 0) {
      this.#putBefore(lane, call, name, { do: "munmap", mapping: `ring_of_${name}` });
    }
    this.#tell(lane, call);
    if (lane.current === name) lane.current = undefined;
    this.#files.delete(file);
    this.#descriptors.closed(file);
    lane.open.delete(file);
    if (lane.open.size === 0) this.#end(lane);
  }

  /** A program that has closed everything is done, and its threads are. */
  #end(lane: Lane): void {
    for (const [pid, thread] of this.#threads) {
      if (!thread.inherits(lane)) continue;
      thread.done = true;
      this.#threads.delete(pid);
    }
    if (lane === this.#root) return;
    lane.done = true;
    this.#programs.splice(this.#programs.indexOf(lane), 1);
  }

  #put(lane: Lane, call: TracedCall, name: string, { action, expected, comment }: Written): void {
    const { startMs, endMs, request } = call;
    if (!action) {
      lane.lines.push(`# ${name}: ${comment}`);
      return;
    }
    const [text] = printStatement({
      line: 0,
      on: request.kind === "open" || lane.current === name ? undefined : name,
      action,
      expected,
    });
    if (call.interrupted && call.result < 0) {
      lane.lines.push(`# interrupted by a signal: ${text}`);
      return;
    }
    const isTimed = /[~*]/.test(JSON.stringify(expected ?? {})) || request.kind === "poll";
    this.#pause(lane, startMs, isTimed ? TIMED_PAUSE_MS : PAUSE_MS);
    const notes = [
      ...(comment ? [comment] : []),
      ...(endMs - startMs >= LONG_CALL_MS ? [`${(endMs - startMs).toFixed(1)} ms`] : []),
    ];
    lane.lines.push(notes.length > 0 ? `${text}  # ${notes.join(", ")}` : text);
    lane.nowMs = Math.max(lane.nowMs, endMs - this.#originMs!);
  }

  /** What must have been done for a call that follows, or that tells of it. */
  #putBefore(lane: Lane, { startMs }: TracedCall, name: string, action: Action): void {
    this.#pause(lane, startMs, PAUSE_MS);
    const on = lane.current === name ? undefined : name;
    lane.lines.push(...printStatement({ line: 0, on, action }));
  }

  /** Tells that the program has waited until a time, if that is long enough. */
  #pause(lane: Lane, untilMs: number, leastMs: number): void {
    const ms = untilMs - this.#originMs!;
    if (ms - lane.nowMs < leastMs) return;
    const duration = `${Number(ms.toFixed(3))}ms`;
    lane.lines.push(...printStatement({ line: 0, action: { do: "at", duration } }));
    lane.nowMs = ms;
  }

  #unanswered(call: TracedCall): void {
    if (call.request.kind === "open") return;
    const name = this.#descriptors.nameOf(call.file);
    const { action } = writeCall(call, name, this.#style);
    if (!action) return;
    const [text] = printStatement({ line: 0, on: name, action });
    this.#laneOf(call).lines.push(`# had no answer when the trace ended: ${text}`);
  }
}

function newState(lane: Lane, number: number, { flags }: TracedFile): FileState {
  return { lane, number, nonblock: (flags & O_NONBLOCK) !== 0, mappedBytes: 0 };
}

function isReadOnly({ flags }: TracedFile): boolean {
  return (flags & O_ACCMODE) === O_RDONLY;
}
