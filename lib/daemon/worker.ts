// The threads of the daemon: the data plane, one for each sound server, and those that wait in a
// server's library for that one, or look whether a server can be used. The first message says which,
// and what it needs.

import { MessageChannel, type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { eventFd } from "../../ffi/libc.ts";
import type { AsideLine, Finding, FoundKind, ServerThreadStart } from "../server/orders.ts";
import type { ServerHost } from "../server/server.ts";
import type { EngineConfig, EngineEvent, LogLevel } from "./messages.ts";

/** What the control plane starts the data plane with. */
export interface EngineStart {
  readonly config: EngineConfig;
  readonly port: MessagePort;
}

/** What a thread is asked that looks whether servers can be used, one at a time. */
export interface ProbeStart {
  readonly probe: FoundKind;
}

/** What it says: that it asks the library now; then one line that says why not, undefined if it can. */
export type ProbeAnswer = "asked" | { readonly refusal: string | undefined };

const scope = globalThis as unknown as {
  onmessage: (
    event: MessageEvent<EngineStart | ServerThreadStart | AsideLine | ProbeStart>,
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
  const host: ServerHost = {
    startAside(serves) {
      const { port1, port2 } = new MessageChannel();
      const line: AsideLine = { serves, port: port1, answerFd: eventFd() };
      const far = { ...line, port: port2 };
      scope.postMessage({ type: "aside", line: far }, [port2 as unknown as Transferable]);
      return line;
    },
    look: (kind) => tell({ type: "look", kind }),
    found() {
      const received = receiveMessageOnPort(start.findings) as { message: Finding } | undefined;
      return received?.message;
    },
  };
  await serve(start, (level: LogLevel, message) => tell({ type: "log", level, message }), host);
  tell({ type: "stopped" });
}

const PROBES: Readonly<
  Record<FoundKind, () => Promise<{ probe(name: string): Finding["refusal"] }>>
> = {
  pulse: () => import("../server/pulse.ts"),
  jack: () => import("../server/jack.ts"),
  alsa: () => import("../server/alsa.ts"),
  sndio: () => import("../server/sndio.ts"),
};

async function runProbe({ probe: kind }: ProbeStart): Promise<void> {
  const { probe } = await PROBES[kind]();
  scope.postMessage("asked");
  scope.postMessage({ refusal: probe("") });
}

async function serveAside(line: AsideLine): Promise<void> {
  if (line.serves === "jack") (await import("../server/jack_requests.ts")).serveRequests(line);
  else (await import("../server/sndio_opener.ts")).serveOpenings(line);
}

scope.onmessage = async ({ data }) => {
  if ("probe" in data) return await runProbe(data);
  if ("serves" in data) return await serveAside(data);
  if ("config" in data) await runEngine(data);
  else await runServer(data);
  scope.close();
};
