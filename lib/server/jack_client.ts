// A client of a JACK server, as the thread that serves its cycles sees it. JACK calls for each cycle on
// a thread of its own. Where cycles are long it waits at a gate until ours has served this one. Where
// they are short, a thread of JavaScript may be late, so a relay carries the sound, and ours fills some
// cycles ahead.

import { Gate } from "../../ffi/gate.ts";
import { jack, LIBJACK } from "../../ffi/jack.ts";
import { Semaphore } from "../../ffi/native_thread.ts";
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
    if (client.relay) this.relayed = new RelayPort(address, records, client.relay);
  }

  /** Its samples in the cycle that is served. */
  samples(frames: number): Float32Array {
    if (this.relayed) return this.relayed.samples(frames);
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
  readonly #freewheel: Gate;
  readonly #relay: Relay;
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
    // Nobody waits at these: that they were passed is what counts.
    this.#freewheel = new Gate(begun);
    this.#rate = new Gate(begun);
    for (const gate of [this.#freewheel, this.#rate]) gate.open(LEAVING_CYCLES);
    this.#relay = new Relay(begun, this.#freewheel, LIBJACK);
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

  /** What carries its sound where cycles are short. */
  get relay(): Relay | undefined {
    return this.#opened!.hasShortCycles ? this.#relay : undefined;
  }

  /** How many cycles after the one that is served that is played which is given in it. */
  get cyclesAhead(): number {
    return this.relay?.cyclesAhead ?? 0;
  }

  /** How many cycles ago that was which is served now. */
  get cyclesBehind(): number {
    return this.relay?.cyclesBehind ?? 0;
  }

  /** Whether the server's cycles are not any more as long, or short, as they were. */
  get hasOtherCycles(): boolean {
    return this.#opened!.hasShortCycles !== this.bufferFrames <= MOST_SHORT_FRAMES;
  }

  get #cycle(): Gate {
    return this.relay ?? this.#gate;
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

  /**
   * The priority of a thread that serves its cycles, 0 for none: that of JACK's threads; one less with
   * a relay, for other clients' are to be done before ours fills what is played later.
   */
  get priority(): number {
    const { jack_is_realtime, jack_client_real_time_priority } = jack();
    if (jack_is_realtime(this.#pointer) === 0) return 0;
    const priority = jack_client_real_time_priority(this.#pointer);
    return this.relay && priority > 1 ? priority - 1 : Math.max(0, priority);
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

  /** Cycles that have played silence since the last call, for nothing had been given in time. */
  takeMissed(): number {
    return this.#relay.takeMissed();
  }

  /** Whether connections, and so latencies, have changed since the last call. */
  takeReordered(): boolean {
    return this.#reordered.takeAll() > 0;
  }

  /** Frames of a cycle. */
  get bufferFrames(): number {
    return jack().jack_get_buffer_size(this.#pointer);
  }

  /** The frames of the cycle that is to be served, 0 if none is. */
  get cycleFrames(): number {
    return this.#cycle.number;
  }

  /** Frames since the last cycle began. */
  get framesSinceStart(): number {
    return jack().jack_frames_since_cycle_start(this.#pointer);
  }

  /** Says which ports there are from the next cycle on. */
  setPorts(ports: readonly JackPort[]): void {
    this.#relay.setPorts(ports.flatMap(({ relayed }) => relayed ?? []));
  }

  /** Whether JACK's thread knows no ports but those that were set last. */
  get isSettled(): boolean {
    return this.relay?.isSettled ?? true;
  }

  /**
   * The cycle is done; the next can come.
   *
   * @param isSilent whether what is played can be left out
   */
  signalCycle(isSilent: boolean): void {
    if (isSilent && this.relay?.isLong) this.relay.shorten();
    else this.#cycle.answer();
  }

  /** Leaves the server. */
  close(): void {
    this.#closed = true;
    if (!this.#opened) return; // it is told when it is open
    if (this.relay) this.relay.leave();
    else this.#gate.open(LEAVING_CYCLES);
    const { client } = this.#opened;
    // libjack may call until that is answered: until then this is not to be collected.
    this.#asker.ask("close", { client }, () => this.#opened = undefined);
  }
}
