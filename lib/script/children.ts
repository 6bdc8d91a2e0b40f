// The processes that a script's `fork:` starts: each is this program again, which has inherited the
// descriptors, carries the block out and says what failed.

import type { Inherited } from "./descriptor.ts";
import type { Statement } from "./statement.ts";

/** What such a process is to do. */
export interface Order {
  readonly body: readonly Statement[];
  readonly descriptors: readonly Inherited[];
  readonly captured: readonly [string, number][];
  /** What is given to it of how the script runs. */
  readonly place: Place;
  /** When the test has begun; its meaning is that of the clock. */
  readonly startMs: number;
}

/** Where a script runs. */
export interface Place {
  /** The dsp; other devices are beside it. */
  readonly device: string;
  /** The control device, where the time is the script's. */
  readonly control?: string;
  /** The script's file: others are found from its folder. */
  readonly path: string;
  /** The ends of a loop. */
  readonly loop?: readonly string[];
  /** How much more time a statement may take where times are real. */
  readonly slackMs: number;
}

/** A line of a script that did not do what was expected. */
export interface Failing {
  readonly path: string;
  /** 0 for what is no line's. */
  readonly line: number;
  /** The line. */
  readonly source: string;
  readonly expected: string;
  readonly got: string;
  /** The call as it was made, where that says more than the line. */
  readonly call?: string;
}

const READY = "ready";

/** One process. */
export class Child {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #killed = false;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /**
   * Starts one; it is ready when this resolves.
   *
   * @param words the program and its arguments
   */
  static async start(words: readonly string[], order: Order): Promise<Child> {
    const child = new Deno.Command(words[0], {
      args: words.slice(1),
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const started = new Child(child);
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(JSON.stringify(order)));
    await writer.close();
    const { value } = await started.#lines.read();
    if (!value?.startsWith(READY)) {
      throw new Error(`a process did not start: ${value ?? "it ended"}`);
    }
    return started;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Sends a signal, and waits for the end. */
  async kill(signal: Deno.Signal): Promise<void> {
    this.#killed = true;
    this.#child.kill(signal);
    await this.#child.status;
  }

  /** Waits for the end: what failed. */
  async end(): Promise<Failing[]> {
    let text = "";
    for (;;) {
      const { value, done } = await this.#lines.read();
      if (done) break;
      text += value;
    }
    const { code } = await this.#child.status;
    if (this.#killed) return [];
    if (code === 0) return text ? JSON.parse(text) : [];
    const got = `a process ended with status ${code}`;
    return [{ path: "", line: 0, source: "fork:", expected: "the block's end", got }];
  }
}

/** The child's side: reads its order, says that it is ready, and later what failed. */
export class Parent {
  static async order(): Promise<Order> {
    return JSON.parse(await new Response(Deno.stdin.readable).text());
  }

  static ready(): void {
    Deno.stdout.writeSync(new TextEncoder().encode(`${READY}\n`));
  }

  static tell(failings: readonly Failing[]): void {
    const bytes = new TextEncoder().encode(failings.length > 0 ? JSON.stringify(failings) : "");
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  }
}
