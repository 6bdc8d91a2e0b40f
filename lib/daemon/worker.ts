// The threads of the daemon: the data plane, one for each sound server, and those that wait in a
// server's library for that one. The first message says which, and what it needs; the thread ends with
// that.

import type { MessagePort } from "node:worker_threads";
import type { OpenerLine, ServerThreadStart } from "../server/orders.ts";
import type { EngineConfig, EngineEvent, LogLevel } from "./messages.ts";

/** What the control plane starts the data plane with. */
export interface EngineStart {
  readonly config: EngineConfig;
  readonly port: MessagePort;
}

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<EngineStart | ServerThreadStart | OpenerLine>) => void;
  postMessage(event: EngineEvent): void;
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
  await serve(start, (level: LogLevel, message) => tell({ type: "log", level, message }));
  tell({ type: "stopped" });
}

scope.onmessage = async ({ data }) => {
  if ("answerFd" in data) return (await import("../server/sndio_opener.ts")).serveOpenings(data);
  if ("config" in data) await runEngine(data);
  else await runServer(data);
  scope.close();
};
