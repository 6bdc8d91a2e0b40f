// The control plane's handle on the thread that opens connections for a server's thread. It is started
// from here: a thread that another thread than the main one starts takes Deno a second.

import { MessageChannel } from "node:worker_threads";
import { close, eventFd } from "../../ffi/libc.ts";
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
