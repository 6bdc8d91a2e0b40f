// A client of a JACK server: its ports, and the cycles in which the server wants sound.
//
// JACK calls for each cycle on a thread of its own, which waits until the thread of our streams has
// served it (ffi/gate.ts). Both have the priority that JACK gives.

import { cString } from "../../ffi/libc.ts";
import {
  type Jack,
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
import { Gate } from "../../ffi/gate.ts";
import { currentThread, functionAddress, Semaphore } from "../../ffi/native_thread.ts";

// A cycle that is under way is answered before the client leaves, if it ends so soon.
const LAST_CYCLE_MS = 20;

// As many cycles may come while the client leaves: of 64 frames those of a second.
const LEAVING_CYCLES = 1000;

const TYPE = cString(JACK_AUDIO_TYPE);

/** `ServerSpec.jackConnect`'s words. */
export const SYSTEM_PORTS = "system";
const NO_PORTS = "none";

/** One channel of a stream. */
export class JackPort {
  /** Frames from here to where it is heard, or from where it was recorded to here. */
  latencyFrames = 0;
  #address: Deno.PointerValue = null;
  #samples = new Float32Array(0);

  /** @param name the full one */
  constructor(
    readonly jack: Jack,
    readonly port: Deno.PointerObject,
    readonly name: string,
    readonly direction: "play" | "record",
  ) {}

  /** Its samples in this cycle. */
  samples(frames: number): Float32Array {
    const address = this.jack.jack_port_get_buffer(this.port, frames)!;
    if (
      frames !== this.#samples.length ||
      !Deno.UnsafePointer.equals(address, this.#address)
    ) {
      const bytes = frames * Float32Array.BYTES_PER_ELEMENT;
      this.#samples = new Float32Array(Deno.UnsafePointerView.getArrayBuffer(address, bytes));
      this.#address = address;
    }
    return this.#samples;
  }

  /** Asks the server for `latencyFrames` anew. */
  readLatency(): void {
    const mode = this.direction === "play" ? JackPlaybackLatency : JackCaptureLatency;
    const range = new Uint32Array(2); // jack_latency_range_t: min, max
    const { jack_port_get_latency_range } = this.jack;
    jack_port_get_latency_range(this.port, mode, new Uint8Array(range.buffer));
    this.latencyFrames = range[1];
  }
}

/** A client that the server has, until `gone`. */
export class JackClient {
  readonly rateHz: number;
  readonly #jack: Jack;
  readonly #client: Deno.PointerObject;
  readonly #name: string;
  readonly #gate = new Gate();
  readonly #shutdown: Semaphore;
  readonly #xruns: Semaphore;
  readonly #reordered: Semaphore;
  readonly #isRealtime: boolean;
  #gone = false;

  /**
   * Loads libjack.
   *
   * @throws {Error} where it is not installed
   */
  static load(): void {
    jack();
  }

  /**
   * Connects to a server that is there.
   *
   * @param name the client's, to which the server adds a number if there is one of that name
   * @param server the server's name; empty for the default
   * @returns undefined if there is no such server
   * @throws {Error} where libjack is not installed
   */
  static open(name: string, server: string): JackClient | undefined {
    const library = jack();
    // What it says of servers that are not there is for us to say: strlen(3) does nothing with it.
    const nothing = functionAddress("strlen");
    library.jack_set_error_function(nothing);
    library.jack_set_info_function(nothing);
    const options = JackNoStartServer | (server === "" ? 0 : JackServerName);
    const status = new Uint8Array(4);
    const { jack_client_open } = library;
    const client = jack_client_open(cString(name), options, status, cString(server));
    return client ? new JackClient(library, client) : undefined;
  }

  private constructor(library: Jack, client: Deno.PointerObject) {
    this.#jack = library;
    this.#client = client;
    this.#name = Deno.UnsafePointerView.getCString(library.jack_get_client_name(client)!);
    this.rateHz = library.jack_get_sample_rate(client);
    library.jack_set_process_callback(client, this.#gate.pass, this.#gate.bytes);
    this.#shutdown = new Semaphore(0);
    library.jack_on_shutdown(client, Semaphore.POST, this.#shutdown.bytes);
    this.#xruns = new Semaphore(0);
    library.jack_set_xrun_callback(client, Semaphore.POST, this.#xruns.bytes);
    this.#reordered = new Semaphore(0);
    library.jack_set_graph_order_callback(client, Semaphore.POST, this.#reordered.bytes);

    const priority = library.jack_client_real_time_priority(client);
    this.#isRealtime = library.jack_is_realtime(client) !== 0 && priority > 0 &&
      library.jack_acquire_real_time_scheduling(currentThread(), priority) === 0;
  }

  /** Enters the server's graph: cycles begin to come. False if the server refuses. */
  activate(): boolean {
    // The first look at the list takes 30 ms, which no cycle has: all of its memory is touched.
    this.portsToConnect("play", SYSTEM_PORTS);
    return this.#jack.jack_activate(this.#client) === 0;
  }

  /** Whether the server has shut down, or has thrown the client out. */
  get gone(): boolean {
    this.#gone ||= this.#shutdown.take();
    return this.#gone;
  }

  /** Xruns of the server since the last call. */
  takeXruns(): number {
    return this.#xruns.takeAll();
  }

  /** Whether connections, and so latencies, have changed since the last call. */
  takeReordered(): boolean {
    return this.#reordered.takeAll() > 0;
  }

  /** Frames of a cycle. */
  get bufferFrames(): number {
    return this.#jack.jack_get_buffer_size(this.#client);
  }

  /** Waits for a cycle; its frames, 0 if none has come after `ms`. */
  waitCycle(ms: number): number {
    return this.#gate.wait(ms);
  }

  /** Frames since the cycle began. */
  get framesSinceStart(): number {
    return this.#jack.jack_frames_since_cycle_start(this.#client);
  }

  /** The cycle is done; the next can come. */
  signalCycle(): void {
    this.#gate.answer();
  }

  /**
   * The full names of ports to play to, or record from.
   *
   * @param which as `ServerSpec.jackConnect` has it
   */
  portsToConnect(direction: "play" | "record", which: string): string[] {
    if (which === NO_PORTS) return [];
    const isSystem = which === SYSTEM_PORTS;
    const side = direction === "play" ? JackPortIsInput : JackPortIsOutput;
    const flags = BigInt(side | (isSystem ? JackPortIsPhysical : 0));
    const { jack_get_ports, jack_free } = this.#jack;
    const list = jack_get_ports(this.#client, isSystem ? null : cString(which), TYPE, flags);
    if (!list) return [];
    const view = new Deno.UnsafePointerView(list);
    const names: string[] = [];
    for (let at = 0;; at += 8) {
      const name = view.getPointer(at);
      if (!name) break;
      names.push(Deno.UnsafePointerView.getCString(name));
    }
    jack_free(list);
    return names.filter((name) => !name.startsWith(`${this.#name}:`));
  }

  /** Makes a port; undefined if the server has no more. */
  register(name: string, direction: "play" | "record"): JackPort | undefined {
    const flags = direction === "play" ? JackPortIsOutput : JackPortIsInput;
    const { jack_port_register } = this.#jack;
    const port = jack_port_register(this.#client, cString(name), TYPE, BigInt(flags), 0n);
    return port ? new JackPort(this.#jack, port, `${this.#name}:${name}`, direction) : undefined;
  }

  unregister(port: JackPort): void {
    this.#jack.jack_port_unregister(this.#client, port.port);
  }

  /** Connects a port with another client's. */
  connect(port: JackPort, other: string): void {
    const ends = port.direction === "play" ? [port.name, other] : [other, port.name];
    this.#jack.jack_connect(this.#client, cString(ends[0]), cString(ends[1]));
  }

  /** Leaves the server. */
  close(): void {
    this.#gate.wait(LAST_CYCLE_MS);
    this.#gate.open(LEAVING_CYCLES);
    this.#jack.jack_deactivate(this.#client);
    this.#jack.jack_client_close(this.#client);
    if (this.#isRealtime) this.#jack.jack_drop_real_time_scheduling(currentThread());
  }
}
