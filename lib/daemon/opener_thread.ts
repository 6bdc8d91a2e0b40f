// The control plane's handles on the threads that open connections for a server's thread, or ask the
// server in its place. They are started from here: a thread that another thread than the main one starts takes Deno a second.

import { MessageChannel } from "node:worker_threads";
import { close, eventFd } from "../../ffi/libc.ts";
import type { RequestLine } from "../server/jack_requests.ts";
import type { OpenerLine } from "../server/orders.ts";
import { WORKER_URL } from "./worker_url.ts";

/** A thread that may be stuck in a server's library, and is left behind then. */
export class OpenerThread {
  /** The end for who asks it. */
  readonly line: OpenerLine;
  readonly #worker = new Worker(WORKER_URL, { type: "module", name: "opener" });

  constructor() {
    const { port1, port2 } = new MessageChannel();
    const answerFd = eventFd();
    this.line = { port: port1, answerFd };
    const far: OpenerLine = { port: port2, answerFd };
    this.#worker.postMessage(far, [port2 as unknown as Transferable]);
  }

  /** Ends it. */
  end(): void {
    this.#worker.terminate();
    close(this.line.answerFd);
  }
}

/** A thread that asks a JACK server, and is left behind when that does not answer. */
export class AskerThread {
  readonly #worker = new Worker(WORKER_URL, { type: "module", name: "asker" });
  readonly #answerFd: number;

  /** @param line the end that is to be served */
  constructor(line: RequestLine) {
    this.#answerFd = line.answerFd;
    this.#worker.postMessage(line, [line.port as unknown as Transferable]);
  }

  /** Ends it. */
  end(): void {
    this.#worker.terminate();
    close(this.#answerFd);
  }
}
