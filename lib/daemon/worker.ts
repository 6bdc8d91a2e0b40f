// The threads of the daemon: the data plane, one for each sound server, and those that wait in a
// server's library for that one. The first message says which, and what it needs; the thread ends with
// that.

import { MessageChannel, type MessagePort } from "node:worker_threads";
import { eventFd } from "../../ffi/libc.ts";
import type { RequestLine } from "../server/jack_requests.ts";
import type { OpenerLine, ServerThreadStart } from "../server/orders.ts";
import type { EngineConfig, EngineEvent, LogLevel } from "./messages.ts";

/** What the control plane starts the data plane with. */
export interface EngineStart {
  readonly config: EngineConfig;
  readonly port: MessagePort;
}

const scope = globalThis as unknown as {
  onmessage: (
    event: MessageEvent<EngineStart | ServerThreadStart | OpenerLine | RequestLine>,
  ) => void;
  postMessage(event: EngineEvent, moved?: Transferable[]): void;
  close(): void;
};

const tell = (event: EngineEvent) => scope.postMessage(event);

// Each thread loads what it needs and no more.

async function runEngine({ config, port }: EngineStart): Promise<void> {
  const { Engine } = await import("./engine.ts");
  try {
    new Engine(config, port, tell).run();
    tell({ type: "stopped" });
  } catch (error) {
    tell({ type: "failed", message: (error as Error).message });
  }
}

async function runServer(start: ServerThreadStart): Promise<void> {
  const { serve } = await import("../server/thread.ts");
  const ask = () => {
    const { port1, port2 } = new MessageChannel();
    const line: RequestLine = { serves: "jack", port: port1, answerFd: eventFd() };
    const far = { ...line, port: port2 };
    scope.postMessage({ type: "ask", line: far }, [port2 as unknown as Transferable]);
    return line;
  };
  await serve(start, (level: LogLevel, message) => tell({ type: "log", level, message }), ask);
  tell({ type: "stopped" });
}

scope.onmessage = async ({ data }) => {
  if ("serves" in data) return (await import("../server/jack_requests.ts")).serveRequests(data);
  if ("answerFd" in data) return (await import("../server/sndio_opener.ts")).serveOpenings(data);
  if ("config" in data) await runEngine(data);
  else await runServer(data);
  scope.close();
};
