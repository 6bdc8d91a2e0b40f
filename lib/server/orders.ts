// What the device loop and the thread of a sound server say to each other, beside what is in the
// links. The thread sleeps: who sends it an `Order` writes to its eventfd too.

import type { MessagePort } from "node:worker_threads";
import type { ServerStream } from "./server.ts";

/** The servers there are, and how each is written in `--sink` and `--source`. */
export const SERVER_KINDS = {
  auto: { form: "auto", about: "the first of pulse, jack, alsa and sndio that can be used" },
  pulse: { form: "pulse[:SERVER]", about: "PulseAudio, or PipeWire's server of that protocol" },
  alsa: { form: "alsa[:PCM]", about: "an ALSA PCM, of any name" },
  jack: { form: "jack[:SERVER]", about: "JACK" },
  sndio: { form: "sndio[:DEVICE]", about: "sndio" },
} as const;

export type ServerKind = keyof typeof SERVER_KINDS;

/** The servers that can be looked for. */
export type FoundKind = Exclude<ServerKind, "auto">;

/** Which clients JACK sees: one for all streams, or one a program. */
export const JACK_CLIENTS = ["program", "shared"] as const;

/** How JACK is used. */
export interface JackOptions {
  readonly jackClient?: typeof JACK_CLIENTS[number];
  /**
   * What JACK's ports are connected to: "system" for the sound card's own, "none", or a regular
   * expression that other ports' names match.
   */
  readonly jackConnect?: string;
}

/** Which server, and how it is used. */
export interface ServerSpec extends JackOptions {
  readonly kind: ServerKind;
  /** The server's, PCM's or device's name; empty for the default. */
  readonly name: string;
}

/** One end of the way between a server's thread and one that may wait in the server's library. */
export interface AsideLine {
  readonly serves: "jack" | "sndio";
  readonly port: MessagePort;
  /** The eventfd that says that there is an answer. */
  readonly answerFd: number;
}

/** What has been found of the default server of a kind. */
export interface Finding {
  readonly kind: FoundKind;
  /** Why it cannot be used now: one line; undefined if it can. */
  readonly refusal: string | undefined;
}

/** What a server's thread is started with. */
export interface ServerThreadStart {
  readonly spec: ServerSpec;
  readonly port: MessagePort;
  /** Brings a `Finding` for each server that the thread wants to be looked for. */
  readonly findings: MessagePort;
  /** The eventfd that wakes it for an order, a finding, or because a link has changed. */
  readonly wakeFd: number;
}

/** A `ServerStream` as it crosses to the thread. */
export interface StreamOrder extends Omit<ServerStream, "link" | "format"> {
  /** The memory of its link. */
  readonly memory: SharedArrayBuffer;
  /** The name of its format. */
  readonly format: string;
}

/** From the device loop to the thread. */
export type Order =
  | { readonly type: "open"; readonly stream: StreamOrder }
  /** End at once. */
  | { readonly type: "stop" };
