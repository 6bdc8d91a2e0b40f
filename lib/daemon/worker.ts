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

/** What a thread is started with that looks whether a server can be used. */
export interface ProbeStart {
  readonly probe: "jack" | "alsa";
}

/** What it says: that it asks the library now; then one line that says why not, undefined if it can. */
export type ProbeAnswer = "asked" | { readonly refusal: string | undefined };

const scope = globalThis as unknown as {
  onmessage: (
    event: MessageEvent<
      EngineStart | ServerThreadStart | OpenerLine | RequestLine | ProbeStart
    >,
  ) => void;
  postMessage(event: EngineEvent | ProbeAnswer, moved?: Transferable[]): void;
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

async function runProbe({ probe: kind }: ProbeStart): Promise<void> {
  const { probe } = kind === "jack"
    ? await import("../server/jack.ts")
    : await import("../server/alsa.ts");
  scope.postMessage("asked");
  scope.postMessage({ refusal: probe("") });
}

scope.onmessage = async ({ data }) => {
  if ("serves" in data) return (await import("../server/jack_requests.ts")).serveRequests(data);
  if ("answerFd" in data) return (await import("../server/sndio_opener.ts")).serveOpenings(data);
  if ("probe" in data) await runProbe(data);
  else if ("config" in data) await runEngine(data);
  else await runServer(data);
  scope.close();
};
