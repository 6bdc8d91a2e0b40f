// The thread of the data plane. Its first message is its configuration; it ends with its engine.

import type { MessagePort } from "node:worker_threads";
import { Engine } from "./engine.ts";
import type { EngineConfig, EngineEvent } from "./messages.ts";

/** What the control plane starts the thread with. */
export interface WorkerStart {
  readonly config: EngineConfig;
  readonly port: MessagePort;
}

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<WorkerStart>) => void;
  postMessage(event: EngineEvent): void;
  close(): void;
};

scope.onmessage = ({ data: { config, port } }) => {
  const tell = (event: EngineEvent) => scope.postMessage(event);
  try {
    new Engine(config, port, tell).run();
    tell({ type: "stopped" });
  } catch (error) {
    tell({ type: "failed", message: (error as Error).message });
  }
  scope.close();
};
