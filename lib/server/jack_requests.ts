// What is asked of a JACK server: clients, ports, connections, latencies. An answer can take longer
// than a cycle, and from a server that is stopped it never comes, so all of it is asked by a thread of
// its own, one after the other, while the thread of the streams serves the cycles.

import { receiveMessageOnPort } from "node:worker_threads";
import { cString, poll, POLLIN, read, write } from "../../ffi/libc.ts";
import {
  jack,
  JACK_AUDIO_TYPE,
  JackCaptureLatency,
  JackNoStartServer,
  JackPlaybackLatency,
  JackPortIsInput,
  JackPortIsOutput,
  JackPortIsPhysical,
  JackServerName,
} from "../../ffi/jack.ts";
import { functionAddress, isPosted } from "../../ffi/native_thread.ts";
import type { AsideLine } from "./orders.ts";

const TYPE = cString(JACK_AUDIO_TYPE);

/** `ServerSpec.jackConnect`'s words. */
export const SYSTEM_PORTS = "system";
const NO_PORTS = "none";

/** A callback of libjack's: addresses of a function and of what it is given. */
export interface Callback {
  readonly code: bigint;
  readonly argument: bigint;
}

/** What a client is opened with. */
export interface Opening {
  /** The client's name, to which the server adds a number if there is one of that name. */
  readonly name: string;
  /** The server's name; empty for the default. */
  readonly server: string;
  /** What is called for each cycle, where they are longer than `mostShortFrames` and where not. */
  readonly processLong: Callback;
  readonly processShort: Callback;
  readonly mostShortFrames: number;
  readonly shutdown: Callback;
  readonly xrun: Callback;
  readonly reorder: Callback;
  readonly freewheel: Callback;
  readonly rate: Callback;
}

/** A client that the server has. */
export interface Opened {
  /** Its address. */
  readonly client: bigint;
  readonly name: string;
  readonly rateHz: number;
  readonly hasShortCycles: boolean;
}

/** From a port of ours, the full names of those that it is connected with. */
export type Connections = readonly (readonly string[])[];

/** The ports of a stream: to be made, or to be looked after. */
export interface Wanted {
  readonly client: bigint;
  readonly direction: "play" | "record";
  /** As `ServerSpec.jackConnect` has it. */
  readonly connectTo: string;
  /** What the ports had before their server went; undefined where `connectTo` decides. */
  readonly connections: Connections | undefined;
}

/** How ports are connected. */
export interface Joined {
  /** Of the port that has most, to where it is heard, or from where it was recorded. */
  readonly latencyFrames: number;
  readonly connections: Connections;
  /** What is wanted and not there; undefined where nothing was there to connect with. */
  readonly missing: Connections | undefined;
}

/** A stream's ports. */
export interface Brought extends Joined {
  /** Their addresses, a channel each. */
  readonly ports: readonly bigint[];
}

/** How much later than at our ports the programs hear, or how much earlier they have written. */
export interface OwnLatency {
  readonly ports: readonly bigint[];
  readonly direction: "play" | "record";
  readonly leastFrames: number;
  readonly mostFrames: number;
}

/**
 * The requests, each with what it asks for and what answers it: undefined, beside what else is said, if
 * the client has gone with its server.
 */
export interface Requests {
  /** Connects to a server that is there; undefined if there is none. */
  open(opening: Opening): Opened | undefined;
  /** Enters the server's graph: cycles begin to come. False if the server refuses. */
  activate(entering: { readonly client: bigint }): boolean | undefined;
  /** Makes the ports of a stream, `names` without the client's, and connects them. */
  bring(wanted: Wanted & { readonly names: readonly string[] }): Brought | undefined;
  /** Connects what is wanted and not there yet. */
  follow(wanted: Wanted & { readonly ports: readonly bigint[] }): Joined | undefined;
  /** Tells the server of the latencies behind our ports. */
  tellLatency(own: OwnLatency & { readonly client: bigint }): void;
  /** Gives ports back. */
  drop(dropped: { readonly client: bigint; readonly ports: readonly bigint[] }): void;
  /** Leaves the server. */
  close(closed: { readonly client: bigint }): void;
}

type Kind = keyof Requests;
type Question = { readonly kind: Kind; readonly id: number; readonly asked: unknown };
type Answer = { readonly id: number; readonly result: unknown };

/** The way to that thread, for the thread of the streams. */
export class Asker {
  readonly #line: AsideLine;
  readonly #waiting = new Map<number, (result: unknown) => void>();
  readonly #woken = new Uint8Array(8);
  #ids = 0;

  constructor(line: AsideLine) {
    this.#line = line;
  }

  /** Can be read when there is an answer. */
  get answerFd(): number {
    return this.#line.answerFd;
  }

  /** Whether something has been asked and not been answered. */
  get isWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  /** Asks; `then` is called by `takeAnswers`. */
  ask<K extends Kind>(
    kind: K,
    asked: Parameters<Requests[K]>[0],
    then: (result: ReturnType<Requests[K]>) => void = () => {},
  ): void {
    const id = ++this.#ids;
    this.#waiting.set(id, then as (result: unknown) => void);
    this.#line.port.postMessage({ kind, id, asked } satisfies Question);
  }

  /** Waits for an answer, for `ms` at most. */
  waitAnswer(ms: number): void {
    poll(this.#line.answerFd, POLLIN, Math.ceil(ms));
  }

  /** Has the answers that have come heard by who asked. */
  takeAnswers(): void {
    if (!this.isWaiting) return;
    read(this.#line.answerFd, this.#woken, this.#woken.length);
    for (;;) {
      const received = receiveMessageOnPort(this.#line.port) as { message: Answer } | undefined;
      if (!received) return;
      const { id, result } = received.message;
      const then = this.#waiting.get(id)!;
      this.#waiting.delete(id);
      then(result);
    }
  }
}

/** The thread's work: answers each question, in turn. */
export function serveRequests({ port, answerFd }: AsideLine): void {
  const one = new Uint8Array(new BigUint64Array([1n]).buffer);
  const questions = port as unknown as { onmessage: (event: MessageEvent<Question>) => void };
  questions.onmessage = ({ data: { kind, id, asked } }) => {
    const { client } = asked as { readonly client?: bigint };
    const isLost = client !== undefined && !clients.has(client);
    const result = isLost ? undefined : (REQUESTS[kind] as (asked: unknown) => unknown)(asked);
    port.postMessage({ id, result } satisfies Answer);
    write(answerFd, one, one.length);
  };
}

const pointer = (address: bigint) => Deno.UnsafePointer.create(address)!;

/**
 * Opens a client.
 *
 * @returns undefined if there is no such server
 * @throws {Error} where libjack is not installed
 */
export function openClient(name: string, server: string): Deno.PointerValue {
  const library = jack();
  // What it says of servers that are not there is for us to say: strlen(3) does nothing with it.
  const nothing = functionAddress("strlen");
  library.jack_set_error_function(nothing);
  library.jack_set_info_function(nothing);
  const options = JackNoStartServer | (server === "" ? 0 : JackServerName);
  return library.jack_client_open(cString(name), options, new Uint8Array(4), cString(server));
}

// The clients that are to be closed, and the semaphores that their shutdowns post.
//
// When a client of a server that has gone is still open and another is opened, libjack of jackd2 first
// frees all that there are. So none is opened until those have been closed; and if it has happened all
// the same, for the server went in just this moment, they are left alone.
const clients = new Map<bigint, Deno.PointerObject>();

function goneClients(): bigint[] {
  return [...clients].filter(([, shutdown]) => isPosted(shutdown)).map(([client]) => client);
}

function open({ name, server, ...callbacks }: Opening): Opened | undefined {
  if (goneClients().length > 0) return undefined;
  const client = openClient(name, server);
  for (const gone of goneClients()) clients.delete(gone);
  if (!client) return undefined;
  clients.set(Deno.UnsafePointer.value(client), pointer(callbacks.shutdown.argument));
  const library = jack();
  const { processLong, processShort, shutdown, xrun, reorder, freewheel, rate } = callbacks;
  const hasShortCycles = library.jack_get_buffer_size(client) <= callbacks.mostShortFrames;
  const words = ({ code, argument }: Callback) => [pointer(code), pointer(argument)] as const;
  const process = words(hasShortCycles ? processShort : processLong);
  library.jack_set_process_callback(client, ...process);
  library.jack_on_shutdown(client, ...words(shutdown));
  library.jack_set_xrun_callback(client, ...words(xrun));
  library.jack_set_graph_order_callback(client, ...words(reorder));
  library.jack_set_freewheel_callback(client, ...words(freewheel));
  library.jack_set_sample_rate_callback(client, ...words(rate));
  // Without one libjack takes what a program plays for what it has recorded. Ours are told when they
  // change: abs(3) does nothing.
  library.jack_set_latency_callback(client, functionAddress("abs"), null);
  return {
    client: Deno.UnsafePointer.value(client),
    name: Deno.UnsafePointerView.getCString(library.jack_get_client_name(client)!),
    rateHz: library.jack_get_sample_rate(client),
    hasShortCycles,
  };
}

function activate({ client }: { readonly client: bigint }): boolean {
  return jack().jack_activate(pointer(client)) === 0;
}

/** The strings of an array that ends with NULL, which is freed. */
function takeStrings(list: Deno.PointerValue): string[] {
  const names: string[] = [];
  if (!list) return names;
  const view = new Deno.UnsafePointerView(list);
  for (let at = 0;; at += 8) {
    const name = view.getPointer(at);
    if (!name) break;
    names.push(Deno.UnsafePointerView.getCString(name));
  }
  jack().jack_free(list);
  return names;
}

/** The full names of others' ports to play to, or record from. */
function portsToConnect({ client, direction, connectTo }: Wanted): string[] {
  if (connectTo === NO_PORTS) return [];
  const { jack_get_ports, jack_port_by_name, jack_port_is_mine } = jack();
  const isSystem = connectTo === SYSTEM_PORTS;
  const side = direction === "play" ? JackPortIsInput : JackPortIsOutput;
  const flags = BigInt(side | (isSystem ? JackPortIsPhysical : 0));
  const pattern = isSystem ? null : cString(connectTo);
  const self = pointer(client);
  return takeStrings(jack_get_ports(self, pattern, TYPE, flags)).filter((name) => {
    const port = jack_port_by_name(self, cString(name));
    return port && jack_port_is_mine(self, port) === 0;
  });
}

/** What each of a stream's ports is to be connected with; a mono sound is heard on both sides. */
function connectionsFor(wanted: Wanted, channels: number): string[][] {
  const isMono = channels === 1 && wanted.direction === "play";
  const connections = Array.from({ length: channels }, (): string[] => []);
  for (const [i, other] of portsToConnect(wanted).entries()) {
    connections[isMono && i < 2 ? 0 : i]?.push(other);
  }
  return connections;
}

/** Connects ports with what they are to be connected with and are not. */
function join(ports: readonly Deno.PointerObject[], wanted: Wanted): Joined {
  const { jack_connect, jack_port_name, jack_port_get_all_connections } = jack();
  const self = pointer(wanted.client);
  const toBe = wanted.connections ?? connectionsFor(wanted, ports.length);
  const missing = ports.map((port, i) =>
    (toBe[i] ?? []).filter((other) => {
      const own = Deno.UnsafePointerView.getCString(jack_port_name(port)!);
      const [from, to] = wanted.direction === "play" ? [own, other] : [other, own];
      const status = jack_connect(self, cString(from), cString(to));
      return status !== 0 && status !== EEXIST;
    })
  );
  const found = toBe.some((others) => others.length > 0);
  return {
    connections: ports.map((port) => takeStrings(jack_port_get_all_connections(self, port))),
    missing: found ? missing : wanted.connections,
    latencyFrames: latencyOf(ports, wanted.direction),
  };
}

// jack_connect's answer for what is connected already.
const EEXIST = 17;

function latencyOf(ports: readonly Deno.PointerObject[], direction: "play" | "record"): number {
  const mode = direction === "play" ? JackPlaybackLatency : JackCaptureLatency;
  const range = new Uint32Array(2); // jack_latency_range_t: min, max
  const bytes = new Uint8Array(range.buffer);
  let most = 0;
  for (const port of ports) {
    jack().jack_port_get_latency_range(port, mode, bytes);
    most = Math.max(most, range[1]);
  }
  return most;
}

function bring({ names, ...wanted }: Wanted & { readonly names: readonly string[] }) {
  const { jack_port_register, jack_port_unregister } = jack();
  const self = pointer(wanted.client);
  const flags = BigInt(wanted.direction === "play" ? JackPortIsOutput : JackPortIsInput);
  const ports: Deno.PointerObject[] = [];
  for (const name of names) {
    const port = jack_port_register(self, cString(name), TYPE, flags, 0n);
    if (!port) {
      for (const registered of ports) jack_port_unregister(self, registered);
      return undefined;
    }
    ports.push(port);
  }
  return { ports: ports.map(Deno.UnsafePointer.value), ...join(ports, wanted) };
}

function follow({ ports, ...wanted }: Wanted & { readonly ports: readonly bigint[] }): Joined {
  return join(ports.map(pointer), wanted);
}

function tellLatency({ client, ports, ...own }: OwnLatency & { readonly client: bigint }): void {
  const { jack_port_set_latency_range, jack_recompute_total_latencies } = jack();
  const mode = own.direction === "play" ? JackCaptureLatency : JackPlaybackLatency;
  const range = new Uint32Array([own.leastFrames, own.mostFrames]);
  for (const port of ports) {
    jack_port_set_latency_range(pointer(port), mode, new Uint8Array(range.buffer));
  }
  jack_recompute_total_latencies(pointer(client));
}

function drop({ client, ports }: { readonly client: bigint; readonly ports: readonly bigint[] }) {
  for (const port of ports) jack().jack_port_unregister(pointer(client), pointer(port));
}

function close({ client }: { readonly client: bigint }): void {
  clients.delete(client);
  jack().jack_deactivate(pointer(client));
  jack().jack_client_close(pointer(client));
}

const REQUESTS: Requests = { open, activate, bring, follow, tellLatency, drop, close };
