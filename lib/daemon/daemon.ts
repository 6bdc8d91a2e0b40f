// The control plane's handle on the engine: starts its thread, hears its events, tells it to stop.

import { MessageChannel } from "node:worker_threads";
import { close, eventFd, write } from "../../ffi/libc.ts";
import type { EngineCommand, EngineConfig, EngineEvent, LogLevel } from "./messages.ts";
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
    config: Omit<EngineConfig, "wakeFd" | "sinkLine" | "sourceLine">,
    log: (level: LogLevel, message: string) => void,
  ) {
    const sinkServer = config.sink.server && new ServerThread(config.sink.server, log);
    const sourceServer = config.source.server &&
      (isSame(config.source.server, config.sink.server)
        ? sinkServer
        : new ServerThread(config.source.server, log));
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const servers = new Set([sinkServer, sourceServer].filter((server) => server !== undefined));
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
      Promise.all([...servers].map((server) => server.end())).then(() => ended.resolve());
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      const error = new Error(`engine: ${event.message}`);
      this.#release();
      ready.reject(error);
      ended.reject(error);
    };
    const [sinkLine, sourceLine] = [sinkServer?.line, sourceServer?.line];
    const start: EngineStart = {
      config: { ...config, wakeFd: this.#wakeFd, sinkLine, sourceLine },
      port: port2,
    };
    const ports = [port2, ...[...servers].map(({ line }) => line.port)];
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

function isSame(one: ServerSpec, other: ServerSpec | undefined): boolean {
  return one.kind === other?.kind && one.name === other.name;
}
