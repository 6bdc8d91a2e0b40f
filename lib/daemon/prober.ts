// The control plane's question whether sound servers can be used, asked by threads of their own: the
// libraries wait as long as they please for a server that is stopped.

import type { FoundKind } from "../server/orders.ts";
import type { ProbeAnswer, ProbeStart } from "./worker.ts";
import { WORKER_URL } from "./worker_url.ts";

// How long a server has to answer once its library has been loaded.
const ANSWER_MS = 1000;

/** A question that has not been answered. */
interface Question {
  /** Settles when the library asks the server. */
  readonly asked: Promise<void>;
  readonly answered: Promise<string | undefined>;
}

/** Asks. A thread that is stuck in one question is not given another; at most one is, for each kind. */
export class Prober {
  readonly #threads = new Set<Worker>();
  readonly #idle: Worker[] = [this.#start()];
  readonly #questions = new Map<FoundKind, Question>();

  /**
   * Why the default server of a kind cannot be used now: one line; undefined if it can. Waits for a
   * second, and as long as it takes to load the library.
   */
  async probe(kind: FoundKind): Promise<string | undefined> {
    const { asked, answered } = this.#questions.get(kind) ?? this.#ask(kind);
    await asked;
    const tooLate = Promise.withResolvers<string>();
    const late = `no answer in ${ANSWER_MS} ms (is the server stopped?)`;
    const timer = setTimeout(() => tooLate.resolve(late), ANSWER_MS);
    const refusal = await Promise.race([answered, tooLate.promise]);
    clearTimeout(timer);
    return refusal;
  }

  #start(): Worker {
    const worker = new Worker(WORKER_URL, { type: "module", name: "prober" });
    this.#threads.add(worker);
    return worker;
  }

  #ask(kind: FoundKind): Question {
    const worker = this.#idle.pop() ?? this.#start();
    const asked = Promise.withResolvers<void>();
    const answered = Promise.withResolvers<string | undefined>();
    const answer = (refusal: string | undefined) => {
      this.#questions.delete(kind);
      asked.resolve();
      answered.resolve(refusal);
    };
    worker.onmessage = ({ data }: MessageEvent<ProbeAnswer>) => {
      if (data === "asked") return asked.resolve();
      this.#idle.push(worker);
      answer(data.refusal);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#threads.delete(worker);
      answer(event.message);
    };
    const question = { asked: asked.promise, answered: answered.promise };
    this.#questions.set(kind, question);
    worker.postMessage({ probe: kind } satisfies ProbeStart);
    return question;
  }

  /** Ends its threads, or leaves them behind. */
  end(): void {
    for (const worker of this.#threads) worker.terminate();
  }
}
