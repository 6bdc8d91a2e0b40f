// Watches over the process that runs the tests: one that hangs, or ends, fails the test that it was
// at, and another goes on with the next.

import { TextLineStream } from "@std/streams";
import type { Report } from "./report.ts";
import type { Verdict } from "./runner.ts";

/** What the process that runs the tests says, a line of JSON each. */
export type Message =
  | { readonly type: "here"; readonly pid: number }
  /** It has started a process. */
  | { readonly type: "child"; readonly pid: number }
  | { readonly type: "begin"; readonly index: number }
  | { readonly type: "end"; readonly verdict: Verdict; readonly ms: number };

/** A test, as far as it is known here. */
export interface Planned {
  readonly path: string;
  readonly name: string;
  readonly line: number;
}

/** The exit status of a run that could not begin, or undefined after one that did. */
export type Refusal = number | undefined;

/** Runs tests in a process of its own, or in as many as it takes. */
export class Watch {
  /** Whether a test has failed. */
  failed = false;

  /** @param words the program that runs the tests from a number on, which follows */
  constructor(
    readonly tests: readonly Planned[],
    readonly words: (from: number) => readonly string[],
    readonly limitMs: number,
    readonly report: Report,
  ) {}

  /** Runs all. */
  async run(): Promise<Refusal> {
    this.report.begin(this.tests.length);
    for (let next = 0; next < this.tests.length;) {
      const process = new Process(this.words(next), this.limitMs);
      for await (const message of process.messages()) {
        if (message.type !== "end") continue;
        this.#add(next++, message.verdict, message.ms);
      }
      const { code, hung } = await process.ended();
      if (next >= this.tests.length) break;
      if (!process.began) return code;
      const { path, name, line } = this.tests[next];
      const got = hung
        ? `nothing for ${this.limitMs / 1000} s: it hangs`
        : `its process ended with status ${code}`;
      const failing = { path, line, source: `test ${name}`, expected: "the test's end", got };
      this.#add(next++, { verdict: "failed", failings: [failing] }, this.limitMs);
    }
    this.report.end();
  }

  #add(index: number, verdict: Verdict, ms: number): void {
    if (verdict.verdict === "failed") this.failed = true;
    const { path, name } = this.tests[index];
    this.report.add({ path, name, verdict, ms });
  }
}

// A machine that is busy takes long to bring a device up.
const START_LIMIT_MS = 120_000;

/** One process that runs tests, perhaps under others. */
class Process {
  /** Whether it has begun with a test. */
  began = false;
  readonly #child: Deno.ChildProcess;
  readonly #limitMs: number;
  readonly #family: number[] = [];
  #hung = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(words: readonly string[], limitMs: number) {
    this.#limitMs = limitMs;
    this.#child = new Deno.Command(words[0], {
      args: words.slice(1),
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
  }

  async *messages(): AsyncGenerator<Message> {
    const lines = this.#child.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream());
    this.#rewind();
    for await (const line of lines) {
      const message = JSON.parse(line) as Message;
      if (message.type === "begin") this.began = true;
      this.#rewind();
      if (message.type === "here" || message.type === "child") this.#family.push(message.pid);
      yield message;
    }
    clearTimeout(this.#timer);
  }

  #rewind(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#hung = true;
      // The children first: one that is left would hold our end of the pipe.
      for (const pid of this.#family.toReversed()) kill(pid);
      if (!this.began) kill(this.#child.pid);
    }, this.began ? this.#limitMs : Math.max(this.#limitMs, START_LIMIT_MS));
  }

  async ended(): Promise<{ code: number; hung: boolean }> {
    const { code } = await this.#child.status;
    return { code, hung: this.#hung };
  }
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
