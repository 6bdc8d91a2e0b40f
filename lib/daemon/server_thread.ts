// The control plane's handle on the thread of a sound server.

import { MessageChannel } from "node:worker_threads";
import { close, eventFd } from "../../ffi/libc.ts";
import type { ServerKind, ServerSpec, ServerThreadStart } from "../server/orders.ts";
import type { EngineEvent, LineEnd, LogLevel } from "./messages.ts";
import { AskerThread, OpenerThread } from "./opener_thread.ts";
import { WORKER_URL } from "./worker_url.ts";

// A thread that is stuck in its server is left behind.
const END_MS = 1000;

// The servers whose connections are opened by a thread of its own.
const OPENED_ASIDE: readonly ServerKind[] = ["auto", "sndio"];

/** A thread that drives one server. The engine, which has the other end of its line, ends it. */
export class ServerThread {
  /** The engine's end. */
  readonly line: LineEnd;
  /** Settles when the thread has ended, or is not waited for any more. */
  readonly #ended: Promise<void>;

  /** @param log takes what the thread has to say to its user */
  constructor(spec: ServerSpec, log: (level: LogLevel, message: string) => void) {
    const { port1, port2 } = new MessageChannel();
    const wakeFd = eventFd();
    this.line = { port: port1, wakeFd };
    const worker = new Worker(WORKER_URL, { type: "module", name: spec.kind });
    const opener = OPENED_ASIDE.includes(spec.kind) ? new OpenerThread() : undefined;
    const askers: AskerThread[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ended = promise.then(() => {
      close(wakeFd);
      opener?.end();
      for (const asker of askers) asker.end();
    });
    worker.onmessage = ({ data }: MessageEvent<EngineEvent>) => {
      if (data.type === "log") log(data.level, data.message);
      else if (data.type === "ask") askers.push(new AskerThread(data.line));
      else resolve();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      log("error", `${spec.kind}: ${event.message}`);
      resolve();
    };
    const start: ServerThreadStart = { spec, port: port2, wakeFd, opener: opener?.line };
    const ports = opener ? [port2, opener.line.port] : [port2];
    worker.postMessage(start, ports as unknown as Transferable[]);
  }

  /** Waits for the end, which the engine has asked for, but not for long. */
  async end(): Promise<void> {
    const tooLong = Promise.withResolvers<void>();
    const timer = setTimeout(tooLong.resolve, END_MS);
    await Promise.race([this.#ended, tooLong.promise]);
    clearTimeout(timer);
  }
}
