// Carries a test out: each statement is a system call, or a few, and what comes of it is compared with
// what was expected. The first statement that fails ends the test.

import { ERRNO_NAMES } from "../../ffi/errno.ts";
import {
  dup,
  lastErrno,
  POLLERR,
  POLLIN,
  POLLOUT,
  read,
  setNonBlocking,
  SystemError,
  write,
} from "../../ffi/libc.ts";
import { durationMs, evaluate, parseDuration, type Scope } from "./amount.ts";
import { Child, type Failing, type Order, type Place } from "./children.ts";
import type { ScriptClock } from "./clock.ts";
import { Descriptor } from "./descriptor.ts";
import { getField, setField } from "./layout.ts";
import { Mappings, type Part } from "./mappings.ts";
import { rowNamed } from "./names.ts";
import { Needs } from "./needs.ts";
import { compare, type Mismatch, type Outcome } from "./outcome.ts";
import { printStatement } from "./printer.ts";
import { findSamples, makeSamples } from "./samples.ts";
import {
  type Action,
  type Content,
  type Fault,
  FAULTS,
  type PollEvents,
  type Statement,
  type Test,
} from "./statement.ts";
import { unquote } from "./words.ts";

/** How a test ended. */
export type Verdict =
  | { readonly verdict: "passed" }
  | { readonly verdict: "skipped"; readonly why: string }
  | { readonly verdict: "failed"; readonly failings: readonly Failing[] };

/** What a runner needs of its surroundings. */
export interface Surroundings {
  readonly place: Place;
  /** The words that start this program as a child (children.ts). */
  readonly childWords: readonly string[];
  /** A process was started that must not outlive the run. */
  started?(pid: number): void;
}

/** Ends a test without a failure. */
class Skip extends Error {}

/** Ends a test by a statement that failed. */
class Fail extends Error {
  constructor(readonly mismatch: Mismatch, readonly call?: string) {
    super(mismatch.got);
  }
}

// Samples are compared and written in steps of this, so that a mistake in a script takes no memory.
const MOST_BYTES = 64 << 20;

// Between two tests, what the last one has left in the device is played.
const PAUSE_MS = 1000;

/** The state of one process of a test. */
export class Runner {
  readonly #clock: ScriptClock;
  readonly #surroundings: Surroundings;
  readonly #needs: Needs;
  readonly #descriptors: Descriptor[] = [];
  readonly #mappings = new Mappings();
  readonly #captured = new Map<string, number>();
  readonly #children: Child[] = [];
  readonly #failings: Failing[] = [];
  #startMs = 0;
  #faulty = false;

  constructor(clock: ScriptClock, surroundings: Surroundings) {
    this.#clock = clock;
    this.#surroundings = surroundings;
    this.#needs = new Needs(surroundings.place, clock.exact);
  }

  /** Runs a test, from nothing open to nothing open. */
  async run(test: Test): Promise<Verdict> {
    this.#startMs = this.#clock.now();
    try {
      await this.#block(test.body);
      await this.#join();
    } catch (error) {
      if (error instanceof Skip) return { verdict: "skipped", why: error.message };
      throw error;
    } finally {
      await this.#end();
    }
    const failings = this.#failings.splice(0);
    return failings.length > 0 ? { verdict: "failed", failings } : { verdict: "passed" };
  }

  /** As a child: carries a block out with the descriptors of its parent. */
  async obey({ body, descriptors, captured, startMs }: Order): Promise<Failing[]> {
    this.#startMs = startMs;
    for (const { name, path, mode, fd } of descriptors) {
      this.#descriptors.push(new Descriptor(name, path, mode, fd));
    }
    for (const [name, value] of captured) this.#captured.set(name, value);
    // It begins when all others wait.
    if (this.#clock.exact) this.#clock.waitUntil(this.#clock.now());
    await this.#block(body);
    await this.#join();
    await this.#end();
    return this.#failings;
  }

  async #block(body: readonly Statement[]): Promise<void> {
    for (const statement of body) {
      try {
        if (statement.action.do === "fork") await this.#fork(statement.action.body);
        else if (statement.action.do === "join") await this.#join();
        else if (statement.action.do === "kill") await this.#kill(statement.action.signal);
        else this.#carryOut(statement);
        if (this.#failings.length > 0) return;
      } catch (error) {
        if (error instanceof Skip) throw error;
        const { mismatch, call } = error instanceof Fail
          ? error
          : new Fail({ expected: "success", got: (error as Error).message });
        const { line } = statement;
        const [source] = printStatement(statement);
        const { path } = this.#surroundings.place;
        this.#failings.push({ path, line, source, ...mismatch, call });
        return;
      }
    }
  }

  #carryOut(statement: Statement): void {
    const { on, action, expected, within, after } = statement;
    const timed = within !== undefined || after !== undefined;
    // A fragment is what it was before a close.
    const withinMs = within === undefined ? Infinity : this.#ms(within, on);
    const afterMs = after === undefined ? 0 : this.#ms(after, on);
    const beganMs = timed ? this.#clock.now() : 0;
    const scope = this.#scope(on);
    const outcome = this.#act(action, on, scope);
    const tookMs = timed ? this.#clock.now() - beganMs : 0;
    const mismatch = compare(expected, outcome, {
      scope,
      capture: (name, value) => this.#captured.set(name, value),
      differs: (content, bytes) =>
        this.#differs(this.#using(on), content, bytes, action.do === "read"),
    });
    if (action.do === "read" && outcome.bytes) this.#using(on).read += outcome.bytes.length;
    if (mismatch) throw new Fail(mismatch, outcome.shown);
    const slackMs = this.#clock.exact ? 0.01 : this.#surroundings.place.slackMs;
    if (tookMs > withinMs + slackMs) {
      throw new Fail({ expected: `within ${within}`, got: `${tookMs.toFixed(1)} ms` });
    }
    if (tookMs < afterMs - (this.#clock.exact ? 0.01 : 1)) {
      throw new Fail({ expected: `after ${after}`, got: `${tookMs.toFixed(1)} ms` });
    }
  }

  /** The descriptor of a name, or the latest that was opened. */
  #using(name: string | undefined): Descriptor {
    const found = name === undefined
      ? this.#descriptors.at(-1)
      : this.#descriptors.findLast((descriptor) => descriptor.name === name);
    if (found) return found;
    throw new Error(name === undefined ? "nothing is open" : `nothing is open as ${name}`);
  }

  #scope(on: string | undefined): Scope {
    return {
      captured: (name) => this.#captured.get(name),
      bytesOf: (duration) => this.#using(on).bytesOf(duration),
    };
  }

  #ms(text: string, on?: string): number {
    return durationMs(parseDuration(text)!, () => this.#using(on).fragmentMs);
  }

  #act(action: Action, on: string | undefined, scope: Scope): Outcome {
    switch (action.do) {
      case "open":
        return this.#open(action);
      case "close": {
        const descriptor = this.#using(on);
        this.#descriptors.splice(this.#descriptors.indexOf(descriptor), 1);
        descriptor.close();
        return {};
      }
      case "dup": {
        const { path, mode, fd } = this.#using(on);
        this.#descriptors.push(new Descriptor(action.as, path, mode, dup(fd)));
        return {};
      }
      case "nonblock":
        setNonBlocking(this.#using(on).fd, action.on);
        return {};
      case "call":
        return this.#call(action, this.#using(on), scope);
      case "ioctl": {
        const bytes = Uint8Array.fromHex(action.bytes);
        // The kernel may write as much as the number says, whatever was given.
        const argument = new Uint8Array(Math.max(bytes.length, 1 << 14));
        argument.set(bytes);
        const result = this.#using(on).ioctl(evaluate(action.command, scope), argument);
        this.#using(on).forget();
        if (result < 0) return { errno: -result };
        return { value: result, shown: argument.subarray(0, bytes.length).toHex() || "success" };
      }
      case "write":
        return this.#write(action.content, evaluate(action.length, scope), this.#using(on));
      case "read":
        return this.#read(evaluate(action.length, scope), this.#using(on));
      case "poll":
        return this.#poll(action.events, this.#ms(action.timeout, on), this.#using(on));
      case "wait":
        this.#clock.waitUntil(this.#clock.now() + this.#ms(action.duration, on));
        return {};
      case "at":
        this.#clock.waitUntil(this.#startMs + this.#ms(action.duration, on));
        return {};
      case "needs": {
        const missing = action.needs.find((need) => !this.#needs.met(need));
        if (missing) throw new Skip(`needs ${missing}`);
        return {};
      }
      case "fault":
        this.#fault(action.fault, action.argument, on, scope);
        return {};
      case "mmap": {
        const [descriptor, length] = [this.#using(on), evaluate(action.length, scope)];
        return attempt(() => this.#mappings.map(action.as, descriptor, length));
      }
      case "munmap":
        this.#mappings.unmap(action.mapping);
        return {};
      case "peek": {
        const { bytes } = this.#part(action, scope);
        return { value: bytes.length, bytes: bytes.slice() };
      }
      case "poke": {
        const { bytes, of } = this.#part(action, scope);
        bytes.set(this.#samples(action.content, of, of.written, bytes.length, scope));
        of.written += bytes.length;
        return { value: bytes.length };
      }
      default:
        throw new Error(`${action.do}: not here`);
    }
  }

  #open({ device, mode, nonblock, excl, as }: Action & { do: "open" }): Outcome {
    const path = this.#needs.path(device);
    const name = as ?? device.replace(/.*\//, "");
    return attempt(() => {
      this.#descriptors.push(Descriptor.open(name, path, mode, { nonblock, excl }));
    });
  }

  #call(
    { name, value, fields }: Action & { do: "call" },
    descriptor: Descriptor,
    scope: Scope,
  ): Outcome {
    const { command, argument } = rowNamed(name);
    const struct = typeof argument === "string" ? undefined : argument;
    const bytes = new Uint8Array(struct?.$size ?? 8);
    const view = new DataView(bytes.buffer);
    if (value !== undefined) view.setInt32(0, evaluate(value, scope) | 0, true);
    for (const [field, text] of Object.entries(fields ?? {})) {
      setField(struct!, view, field, unquote(text) ?? evaluate(text, scope));
    }
    const result = descriptor.ioctl(command, bytes);
    descriptor.forget();
    if (result < 0) return { errno: -result };
    if (struct) {
      const field = (name: string) => getField(struct, view, name);
      const shown = struct.$fields.map((name) => `${name}=${field(name)}`).join(" ");
      return { field, shown };
    }
    // An int that goes one way comes back as it went; what the call itself returns says more.
    const IOC_READ = 0x8000_0000;
    const comesBack = argument === "int" && (command & IOC_READ) !== 0;
    const int = comesBack ? view.getInt32(0, true) : result;
    return {
      value: int,
      shown: Math.abs(int) > 9 ? `${int} (0x${(int >>> 0).toString(16)})` : `${int}`,
    };
  }

  #samples(
    content: Content,
    descriptor: Descriptor,
    position: number,
    length: number,
    scope: Scope,
  ): Uint8Array<ArrayBuffer> {
    if (length > MOST_BYTES) throw new Error(`${length} bytes: at most ${MOST_BYTES}`);
    if ("signal" in content) {
      return makeSamples(content.signal, descriptor.parameters, position, length);
    }
    const folder = this.#surroundings.place.path.replace(/[^/]*$/, "");
    const path = content.file.startsWith("/") ? content.file : folder + content.file;
    using file = Deno.openSync(path);
    file.seekSync(evaluate(content.offset, scope), Deno.SeekMode.Start);
    const bytes = new Uint8Array(length);
    let at = 0;
    while (at < length) {
      const count = file.readSync(bytes.subarray(at));
      if (count === null) throw new Error(`${path}: ends ${length - at} bytes before that`);
      at += count;
    }
    return bytes;
  }

  #write(content: Content, length: number, descriptor: Descriptor): Outcome {
    const { written } = descriptor;
    const bytes = this.#samples(content, descriptor, written, length, this.#scope(descriptor.name));
    const count = write(descriptor.fd, bytes, length);
    if (count < 0) return { errno: lastErrno() };
    descriptor.written += count;
    return { value: count };
  }

  #read(length: number, descriptor: Descriptor): Outcome {
    if (length > MOST_BYTES) throw new Error(`${length} bytes: at most ${MOST_BYTES}`);
    const bytes = new Uint8Array(length);
    const count = read(descriptor.fd, bytes, length);
    if (count < 0) return { errno: lastErrno() };
    return { value: count, bytes: bytes.subarray(0, count) };
  }

  /** How bytes differ from what they should be; what is read next goes on from there. */
  #differs(
    descriptor: Descriptor,
    content: Content,
    bytes: Uint8Array,
    isRead: boolean,
  ): string | undefined {
    const position = isRead ? descriptor.read : 0;
    if ("signal" in content) {
      const found = findSamples(content.signal, descriptor.parameters, position, bytes);
      if (found >= 0 && isRead) descriptor.read = found;
      if (found >= 0) return undefined;
    }
    const scope = this.#scope(descriptor.name);
    const wanted = this.#samples(content, descriptor, position, bytes.length, scope);
    const at = bytes.findIndex((byte, i) => byte !== wanted[i]);
    if (at < 0) return undefined;
    const hex = (from: Uint8Array) => from.slice(at, at + 8).toHex();
    return `${hex(bytes)}... for ${hex(wanted)}... from byte ${at} of ${bytes.length} on`;
  }

  #poll(asked: PollEvents, timeoutMs: number, { fd }: Descriptor): Outcome {
    const events = (asked === "out" ? 0 : POLLIN) | (asked === "in" ? 0 : POLLOUT);
    const come = this.#clock.poll(fd, events, timeoutMs);
    const ready = come & (POLLIN | POLLOUT);
    if (come & POLLERR || (come !== 0 && ready === 0)) return { events: "error" };
    if (ready === (POLLIN | POLLOUT)) return { events: "both" };
    return { events: ready === 0 ? "-" : ready === POLLIN ? "in" : "out" };
  }

  /** The part of a mapping that a statement is about. */
  #part(
    { mapping, offset, length }: { mapping: string; offset: string; length: string },
    scope: Scope,
  ): Part {
    return this.#mappings.part(mapping, evaluate(offset, scope), evaluate(length, scope));
  }

  #fault(
    fault: Fault,
    argument: string | undefined,
    on: string | undefined,
    scope: Scope,
  ): void {
    this.#faulty = true;
    const kind = FAULTS[fault];
    let value = 0;
    if (kind === "errno") value = errnoOf(argument!);
    else if (kind === "duration") value = this.#ms(argument!, on);
    else if (kind === "count") value = evaluate(argument!, scope);
    this.#clock.fault(fault, value);
  }

  async #fork(body: readonly Statement[]): Promise<void> {
    const { childWords, place, started } = this.#surroundings;
    const child = await Child.start(childWords, {
      body,
      descriptors: this.#descriptors.map(({ name, path, mode, fd }) => ({ name, path, mode, fd })),
      captured: [...this.#captured],
      place,
      startMs: this.#startMs,
    });
    started?.(child.pid);
    this.#children.push(child);
  }

  async #join(): Promise<void> {
    if (this.#children.length > 0) this.#clock.join();
    for (const child of this.#children.splice(0)) this.#failings.push(...await child.end());
  }

  async #kill(signal: string): Promise<void> {
    const child = this.#children.at(-1);
    if (!child) throw new Error("no process was started");
    await child.kill(`SIG${signal}` as Deno.Signal);
  }

  /** Closes everything and ends every child. */
  async #end(): Promise<void> {
    for (const child of this.#children.splice(0)) await child.kill("SIGKILL");
    this.#mappings.clear();
    for (const descriptor of this.#descriptors.splice(0)) descriptor.close();
    this.#captured.clear();
    if (!this.#clock.exact) return;
    if (this.#faulty) this.#clock.fault("none", 0);
    this.#faulty = false;
    this.#clock.waitUntil(this.#clock.now() + PAUSE_MS);
  }
}

/** What comes of a system call that throws what it is refused with. */
function attempt(call: () => void): Outcome {
  try {
    call();
    return {};
  } catch (error) {
    if (error instanceof SystemError) return { errno: error.errno };
    throw error;
  }
}

function errnoOf(name: string): number {
  return Number(Object.entries(ERRNO_NAMES).find(([, other]) => other === name)![0]);
}
