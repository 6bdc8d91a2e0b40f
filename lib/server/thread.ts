// What the thread of a sound server does: it drives the server until it is told to end.

import { receiveMessageOnPort } from "node:worker_threads";
import { poll, POLLIN, read } from "../../ffi/libc.ts";
import { formatByName } from "../pcm/format.ts";
import { StreamLink } from "./link.ts";
import type { Order, ServerSpec, ServerThreadStart, StreamOrder } from "./orders.ts";
import {
  epochMs,
  type Server,
  type ServerHost,
  type ServerLog,
  type ServerStream,
} from "./server.ts";

// Each library is loaded only when its server is chosen.
async function connect(
  { kind, name, ...options }: ServerSpec,
  log: ServerLog,
  host: ServerHost,
): Promise<Server> {
  switch (kind) {
    case "auto":
      return new (await import("./auto.ts")).AutoServer(log, host, options);
    case "pulse":
      return new (await import("./pulse.ts")).PulseServer(name, log);
    case "alsa":
      return new (await import("./alsa.ts")).AlsaServer(name, log);
    case "jack":
      return new (await import("./jack.ts")).JackServer(
        name,
        log,
        host.startAside("jack"),
        options,
      );
    case "sndio":
      return new (await import("./sndio.ts")).SndioServer(name, log, host.startAside("sndio"));
  }
}

function streamOf({ memory, format, ...rest }: StreamOrder): ServerStream {
  return { ...rest, link: new StreamLink(memory), format: formatByName(format)! };
}

function run(server: Server, { port, wakeFd }: ServerThreadStart): void {
  const woken = new Uint8Array(8);
  for (;;) {
    for (;;) {
      const received = receiveMessageOnPort(port) as { message: Order } | undefined;
      if (!received) break;
      const { message } = received;
      if (message.type === "stop") return;
      server.add(streamOf(message.stream));
    }
    const ms = server.turn(epochMs());
    if (server.wait) server.wait(wakeFd, ms);
    else poll(wakeFd, POLLIN, ms === Infinity ? -1 : Math.ceil(ms));
    read(wakeFd, woken, woken.length);
  }
}

/**
 * Drives a server until it is told to stop. Problems go to `log`.
 */
export async function serve(
  start: ServerThreadStart,
  log: ServerLog,
  host: ServerHost,
): Promise<void> {
  try {
    const server = await connect(start.spec, log, host);
    try {
      run(server, start);
    } finally {
      server.close();
    }
  } catch (error) {
    log("warn", `${start.spec.kind}: ${(error as Error).message}`);
  }
}
