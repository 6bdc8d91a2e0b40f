// The control plane's handle on a thread that waits in a server's library in place of the server's
// thread. It is started from here: a thread that another thread than the main one starts takes Deno a
// second.

import { close } from "../../ffi/libc.ts";
import type { AsideLine } from "../server/orders.ts";
import { WORKER_URL } from "./worker_url.ts";

/** A thread that may be stuck in the library, and is left behind then. */
export class AsideThread {
  readonly #worker: Worker;
  readonly #answerFd: number;

  /** @param line the end that is to be served */
  constructor(line: AsideLine) {
    this.#worker = new Worker(WORKER_URL, { type: "module", name: `aside ${line.serves}` });
    this.#answerFd = line.answerFd;
    this.#worker.postMessage(line, [line.port as unknown as Transferable]);
  }

  /** Ends it. */
  end(): void {
    this.#worker.terminate();
    close(this.#answerFd);
  }
}
