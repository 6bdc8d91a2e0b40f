// The control plane's handle on the engine: starts its thread, hears its events, tells it to stop.

import { MessageChannel } from "node:worker_threads";
import { close, eventFd, write } from "../../ffi/libc.ts";
import type { EngineCommand, EngineConfig, EngineEvent, LogLevel } from "./messages.ts";
import type { WorkerStart } from "./worker.ts";

// The bundle has the worker beside it, compiled.
const WORKER_URL = new URL(
  import.meta.url.endsWith(".js") ? "./worker.js" : "./worker.ts",
  import.meta.url,
);

/** A running engine. */
export class Daemon {
  /** Settles when the devices exist: their paths; or rejects with why they do not. */
  readonly ready: Promise<readonly string[]>;
  /** Settles when the engine has ended, by itself or because it was told to. */
  readonly ended: Promise<void>;

  readonly #worker: Worker;
  readonly #port: MessageChannel["port1"];
  readonly #wakeFd = eventFd();
  #released = false;

  /** @param log takes what the engine has to say to its user */
  constructor(
    config: Omit<EngineConfig, "wakeFd">,
    log: (level: LogLevel, message: string) => void,
  ) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#worker = new Worker(WORKER_URL, { type: "module", name: "engine" });
    const ready = Promise.withResolvers<readonly string[]>();
    const ended = Promise.withResolvers<void>();
    let isReady = false;
    this.ready = ready.promise;
    this.ended = ended.promise;
    this.#worker.onmessage = ({ data }: MessageEvent<EngineEvent>) => {
      if (data.type === "log") return log(data.level, data.message);
      if (data.type === "ready") {
        isReady = true;
        return ready.resolve(data.paths);
      }
      if (data.type === "failed") {
        if (isReady) log("error", data.message);
        ready.reject(new Error(data.message));
      }
      this.#release();
      ended.resolve();
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      const error = new Error(`engine: ${event.message}`);
      this.#release();
      ready.reject(error);
      ended.reject(error);
    };
    const start = { config: { ...config, wakeFd: this.#wakeFd }, port: port2 } as WorkerStart;
    this.#worker.postMessage(start, [port2 as unknown as Transferable]);
  }

  /**
   * Ends the engine when what programs have closed is played; a second call ends it at once. One
   * that has ended already stays so.
   */
  stop(): void {
    if (this.#released) return;
    const command: EngineCommand = { type: "stop" };
    this.#port.postMessage(command);
    write(this.#wakeFd, new Uint8Array(new BigUint64Array([1n]).buffer), 8);
  }

  #release(): void {
    this.#released = true;
    this.#port.close();
    close(this.#wakeFd);
  }
}
