// The control plane's handle on the engine: starts its thread, hears its events, tells it to stop.

import { MessageChannel } from "node:worker_threads";
import { close, eventFd, write } from "../../ffi/libc.ts";
import type { EngineCommand, EngineConfig, EngineEvent, LineEnd, LogLevel } from "./messages.ts";
import type { ServerSpec } from "../server/orders.ts";
import { ServerThread } from "./server_thread.ts";
import type { EngineStart } from "./worker.ts";
import { WORKER_URL } from "./worker_url.ts";

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
    config: Omit<EngineConfig, "wakeFd" | "lines">,
    log: (level: LogLevel, message: string) => void,
  ) {
    const servers = new Servers(log);
    const cards = config.cards.map((card) => ({
      ...card,
      sinkLine: servers.lineOf(card.sink.server),
      sourceLine: servers.lineOf(card.source.server),
    }));
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
      servers.end().then(() => ended.resolve());
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      const error = new Error(`engine: ${event.message}`);
      this.#release();
      ready.reject(error);
      ended.reject(error);
    };
    const { lines } = servers;
    const start: EngineStart = {
      config: { ...config, cards, lines, wakeFd: this.#wakeFd },
      port: port2,
    };
    const ports = [port2, ...lines.map(({ port }) => port)];
    this.#worker.postMessage(start, ports as unknown as Transferable[]);
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

/** The threads of the servers that the cards name, one for all that name the same. */
class Servers {
  readonly #log: (level: LogLevel, message: string) => void;
  readonly #threads = new Map<string, ServerThread>();

  constructor(log: (level: LogLevel, message: string) => void) {
    this.#log = log;
  }

  /** The number of the line to a server, whose thread is started if need be; undefined for none. */
  lineOf(spec: ServerSpec | undefined): number | undefined {
    if (!spec) return undefined;
    const key = JSON.stringify(spec);
    if (!this.#threads.has(key)) this.#threads.set(key, new ServerThread(spec, this.#log));
    return [...this.#threads.keys()].indexOf(key);
  }

  get lines(): LineEnd[] {
    return [...this.#threads.values()].map(({ line }) => line);
  }

  async end(): Promise<void> {
    await Promise.all([...this.#threads.values()].map((thread) => thread.end()));
  }
}
