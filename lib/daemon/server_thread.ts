// The control plane's handle on the thread of a sound server.

import { MessageChannel } from "node:worker_threads";
import { close, eventFd, write } from "../../ffi/libc.ts";
import type { Finding, ServerSpec, ServerThreadStart } from "../server/orders.ts";
import { AsideThread } from "./aside_thread.ts";
import type { EngineEvent, LineEnd, LogLevel } from "./messages.ts";
import { Prober } from "./prober.ts";
import { WORKER_URL } from "./worker_url.ts";

// A thread that is stuck in its server is left behind.
const END_MS = 1000;

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
    const findings = new MessageChannel();
    const worker = new Worker(WORKER_URL, { type: "module", name: spec.kind });
    const prober = spec.kind === "auto" ? new Prober() : undefined;
    const asides: AsideThread[] = [];
    let isOver = false;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ended = promise.then(() => {
      isOver = true;
      close(wakeFd);
      prober?.end();
      for (const aside of asides) aside.end();
    });
    const one = new Uint8Array(new BigUint64Array([1n]).buffer);
    const tell = (finding: Finding) => {
      if (isOver) return;
      findings.port1.postMessage(finding);
      write(wakeFd, one, one.length);
    };
    worker.onmessage = ({ data }: MessageEvent<EngineEvent>) => {
      if (data.type === "log") log(data.level, data.message);
      else if (data.type === "aside") asides.push(new AsideThread(data.line));
      else if (data.type === "look") {
        const { kind } = data;
        void prober?.probe(kind).then((refusal) => tell({ kind, refusal }));
      } else resolve();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      log("error", `${spec.kind}: ${event.message}`);
      resolve();
    };
    const start: ServerThreadStart = { spec, port: port2, findings: findings.port2, wakeFd };
    worker.postMessage(start, [start.port, start.findings] as unknown as Transferable[]);
  }

  /** Waits for the end, which the engine has asked for, but not for long. */
  async end(): Promise<void> {
    const tooLong = Promise.withResolvers<void>();
    const timer = setTimeout(tooLong.resolve, END_MS);
    await Promise.race([this.#ended, tooLong.promise]);
    clearTimeout(timer);
  }
}
