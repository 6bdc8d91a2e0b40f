// A client of a JACK server, as the thread that serves its cycles sees it. JACK calls for each cycle on
// a thread of its own. Where cycles are long it waits at a gate until ours has served this one. Where
// they are short, a thread of JavaScript may be late, so a relay carries the sound, and ours has until
// the next cycle. Both threads have the priority that JACK gives.

import { Gate } from "../../ffi/gate.ts";
import { jack, LIBJACK } from "../../ffi/jack.ts";
import { currentThread, Semaphore } from "../../ffi/native_thread.ts";
import { Relay, RelayPort } from "../../ffi/relay.ts";
import type { Asker, Callback, Opened } from "./jack_requests.ts";

// As many cycles may come while the client leaves: of 64 frames those of a second.
const LEAVING_CYCLES = 1000;

// Cycles of so many frames or fewer are short.
const MOST_SHORT_FRAMES = 256;

/** One channel of a stream. */
export class JackPort {
  /** Where a relay carries its samples. */
  readonly relayed: RelayPort | undefined;
  readonly #port: Deno.PointerObject;
  #address: Deno.PointerValue = null;
  #samples = new Float32Array(0);

  /**
   * @param records whether it is for what is recorded, or for what is played
   * @param client whose port it is
   */
  constructor(readonly address: bigint, records: boolean, client: JackClient) {
    this.#port = Deno.UnsafePointer.create(address)!;
    if (client.relays) this.relayed = new RelayPort(address, records);
  }

  /** Its samples in this cycle; what is played where cycles are short is of the next one. */
  samples(frames: number): Float32Array {
    if (this.relayed) {
      if (frames !== this.#samples.length) this.#samples = this.relayed.samples.subarray(0, frames);
      return this.#samples;
    }
    const address = jack().jack_port_get_buffer(this.#port, frames)!;
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
}

function posting(semaphore: Semaphore): Callback {
  return {
    code: Deno.UnsafePointer.value(Semaphore.POST),
    argument: Deno.UnsafePointer.value(Deno.UnsafePointer.of(semaphore.bytes)),
  };
}

function passing(gate: Gate): Callback {
  return {
    code: Deno.UnsafePointer.value(gate.pass),
    argument: Deno.UnsafePointer.value(Deno.UnsafePointer.of(gate.bytes)),
  };
}

/** A client that the server has, until `gone`, or that is on its way to it. */
export class JackClient {
  readonly #asker: Asker;
  readonly #gate: Gate;
  readonly #relay: Relay;
  readonly #freewheel: Gate;
  readonly #rate: Gate;
  readonly #shutdown = new Semaphore(0);
  readonly #xruns = new Semaphore(0);
  readonly #reordered = new Semaphore(0);
  #opened: Opened | undefined;
  #pointer: Deno.PointerValue = null;
  #active = false;
  #closed = false;
  #gone = false;

  /**
   * Asks for a client of a server that is there.
   *
   * @param begun is posted when a cycle has begun
   * @param name the client's, to which the server adds a number if there is one of that name
   * @param server the server's name; empty for the default
   * @param onOpen is told whether there is such a server
   */
  constructor(
    asker: Asker,
    begun: Semaphore,
    name: string,
    server: string,
    onOpen: (isThere: boolean) => void,
  ) {
    this.#asker = asker;
    this.#gate = new Gate(begun);
    this.#relay = new Relay(begun, LIBJACK);
    // Nobody waits at these: that they were passed is what counts.
    this.#freewheel = new Gate(begun);
    this.#rate = new Gate(begun);
    for (const gate of [this.#freewheel, this.#rate]) gate.open(LEAVING_CYCLES);
    const opening = {
      name,
      server,
      mostShortFrames: MOST_SHORT_FRAMES,
      processLong: passing(this.#gate),
      processShort: passing(this.#relay),
      shutdown: posting(this.#shutdown),
      xrun: posting(this.#xruns),
      reorder: posting(this.#reordered),
      freewheel: passing(this.#freewheel),
      rate: passing(this.#rate),
    };
    asker.ask("open", opening, (opened) => {
      this.#opened = opened;
      this.#pointer = opened ? Deno.UnsafePointer.create(opened.client) : null;
      if (this.#closed) return this.close();
      // Asked for only now: here is who serves its cycles.
      if (opened) {
        asker.ask("activate", { client: opened.client }, (active = false) => {
          this.#active = active;
          this.#gone ||= !active;
        });
      }
      onOpen(opened !== undefined);
    });
  }

  /** Whether the server has it. */
  get isOpen(): boolean {
    return this.#opened !== undefined;
  }

  /** Whether it has entered the server's graph: cycles come. */
  get isActive(): boolean {
    return this.#active;
  }

  /** Whether a relay carries its sound: what is played is heard a cycle later. */
  get relays(): boolean {
    return this.#opened!.hasShortCycles;
  }

  /** Whether the server's cycles are not any more as long, or short, as they were. */
  get hasOtherCycles(): boolean {
    return this.relays !== this.bufferFrames <= MOST_SHORT_FRAMES;
  }

  get #cycle(): Gate {
    return this.relays ? this.#relay : this.#gate;
  }

  /** Its address, once it is open. */
  get address(): bigint {
    return this.#opened!.client;
  }

  /** The server's rate when the client was opened. */
  get rateHz(): number {
    return this.#opened!.rateHz;
  }

  /** Whether the server has another rate by now. */
  get hasOtherRate(): boolean {
    const rateHz = this.#rate.number;
    return rateHz !== 0 && rateHz !== this.rateHz;
  }

  /** The priority that JACK gives to threads that serve its cycles; 0 for none. */
  get priority(): number {
    const { jack_is_realtime, jack_client_real_time_priority } = jack();
    const isRealtime = jack_is_realtime(this.#pointer) !== 0;
    return isRealtime ? Math.max(0, jack_client_real_time_priority(this.#pointer)) : 0;
  }

  /** Whether cycles come as fast as they are served. */
  get freewheels(): boolean {
    return this.#freewheel.number !== 0;
  }

  /** Whether the server has shut down, or has thrown the client out. */
  get gone(): boolean {
    return this.#gone ||= this.#shutdown.isPosted;
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
    return jack().jack_get_buffer_size(this.#pointer);
  }

  /** The frames of the cycle that has begun, 0 if none has. */
  get cycleFrames(): number {
    return this.#cycle.number;
  }

  /** Frames since the cycle began. */
  get framesSinceStart(): number {
    return jack().jack_frames_since_cycle_start(this.#pointer);
  }

  /** Says which ports there are from the next cycle on. To be called in a cycle. */
  setPorts(ports: readonly JackPort[]): void {
    this.#relay.setPorts(ports.flatMap(({ relayed }) => relayed ?? []));
  }

  /** The cycle is done; the next can come. */
  signalCycle(): void {
    this.#cycle.answer();
  }

  /** Leaves the server. */
  close(): void {
    this.#closed = true;
    if (!this.#opened) return; // it is told when it is open
    this.#cycle.open(LEAVING_CYCLES);
    const { client } = this.#opened;
    // libjack may call until that is answered: until then this is not to be collected.
    this.#asker.ask("close", { client }, () => this.#opened = undefined);
  }
}

/** The priority of the calling thread: that which JACK gives, while cycles are to be in time. */
export class Priority {
  #held = 0;

  /** @param priority 0 for none */
  set(priority: number): void {
    if (priority === this.#held) return;
    const { jack_acquire_real_time_scheduling, jack_drop_real_time_scheduling } = jack();
    if (priority === 0) jack_drop_real_time_scheduling(currentThread());
    else if (jack_acquire_real_time_scheduling(currentThread(), priority) !== 0) return;
    this.#held = priority;
  }
}
