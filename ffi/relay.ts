// A gate that carries sound: JACK's thread copies between its ports and rings of ours, and goes on. It
// does not wait for the thread of JavaScript, whose part of a cycle may be done some cycles later: it
// fills as many cycles ahead. A cycle that finds nothing is silent, and from then on so much more is
// filled ahead, until there is silence that can be left out. While the server freewheels it waits.

import { Gate } from "./gate.ts";
import { loadCode, type MachineCode } from "./machine_code.ts";
import { fixedBytes, functionAddress } from "./native_thread.ts";

// What the code is given, as its offsets have it: a gate's, then these 64-bit addresses, with four
// counts of 32 bits in the place of two of them.
const PORT_BUFFER = 5; // jack_port_get_buffer
const COPY = 6; // memcpy
const SLOTS = 7;
const TRY_WAIT = 8; // sem_trywait
const FREEWHEELS = 9; // int: not 0 while the server waits for who is late
const SILENCE = 10;
const COUNTS = 11;
const USED = 13; // the slots that the last call has served
const RELAY_BYTES = 8 * 14;

// The counts: cycles whose calls we are told of, cycles that we have answered, cycles that have been
// played, cycles that found nothing.
const CALLS = 0;
const SERVED = 1;
const PLAYED = 2;
const MISSED = 3;

// A slot, in 64-bit words: a port's address, its ring with us, and whether samples come from the port.
// A slot without a port ends the table.
const SLOT_WORDS = 3;

// A port's ring has place for so many cycles, of the longest that JACK and PipeWire have.
const RING_CYCLES = 8;
const MOST_FRAMES = 8192;

// How many cycles are filled ahead where none has been missed.
const LEAST_AHEAD = 1;

// int carry(int frames, struct relay *relay)
// {
//     int misses;
//     do misses = (*relay->freewheels ? relay->wait : relay->try_wait)(relay->answered);
//     while (misses && *relay->freewheels); // EINTR
//     struct slot *slots = relay->slots;
//     for (struct slot *slot = slots; slot->port; slot++) {
//         char *to = relay->port_buffer(slot->port, frames), *from;
//         if (!to) continue;
//         if (slot->records) {
//             from = to;
//             to = slot->ring + (relay->calls % RING_CYCLES) * 4 * MOST_FRAMES;
//         } else if (misses) {
//             from = relay->silence;
//         } else {
//             from = slot->ring + (relay->played % RING_CYCLES) * 4 * MOST_FRAMES;
//         }
//         relay->copy(to, from, 4 * frames);
//     }
//     relay->used = slots;
//     if (misses) relay->missed++;
//     else relay->played++;
//     if (misses && relay->calls - relay->served >= RING_CYCLES - 1) return 0;
//     relay->calls++;
//     relay->number = frames;
//     relay->post(relay->called);
//     return 0;
// }
//
// As gcc has it with -Os.
const CODE: MachineCode = {
  x86_64: Uint8Array.fromHex(
    "41574156415541545589fd534889f351488b43488b0085c07406488b4308eb04488b4340488b7b18" +
      "ffd04189c785c0740a488b43488b0085c075d54c8b6338448d2cad000000004d89e6498b3e4885ff" +
      "745289eeff53284889c74885c0743f49837e100074178b43584889fec1e00f250080030049034608" +
      "4889c7eb1b4585ff7406488b7350eb108b7360c1e60f81e600800300490376084c89eaff53304983" +
      "c618eba64c8963688b43584585ff74118b4b5c89c2ff436429ca83fa067e05eb11ff4360ffc0896b" +
      "20488b7b10894358ff135a31c05b5d415c415d415e415fc3",
  ),
  aarch64: Uint8Array.fromHex(
    "fd7bbca9fd030091f35301a9f30301aaf55b02a9f503002af76303a9602640f9000040b9c0030034" +
      "610640f9600e40f920003fd6f603002a80000034602640f9000040b9c0feff35771e40f9b8761e53" +
      "f40317aa800240f9600200b5773600f9605a40b916050034616640b921040011616600b9615e40b9" +
      "0100014b3f1800718d040054f35341a900008052f55b42a9f76343a9fd7bc4a8c0035fd6612240f9" +
      "e3ffff17621640f9e103152a40003fd6600100b4810a40f9610100b4625a40b9e10300aa830640f9" +
      "420871d36000028b631a40f9e20318aa60003fd694620091ddffff1776000034612a40f9f9ffff17" +
      "626240b9810640f9420871d32100028bf4ffff17616240b921040011616200b900040011605a00b9" +
      "610240f9752200b9600a40f920003fd6d7ffff17",
  ),
};

/** A port of JACK's, and its ring with us. */
export class RelayPort {
  readonly ring = new Float32Array(
    fixedBytes(RING_CYCLES * MOST_FRAMES * Float32Array.BYTES_PER_ELEMENT).buffer,
  );
  #frames = 0;
  #cycles: Float32Array[] = [];

  /**
   * @param address the port's
   * @param records whether samples come from it, or go to it
   * @param relay that carries them
   */
  constructor(readonly address: bigint, readonly records: boolean, readonly relay: Relay) {}

  /** The samples of the cycle that is being served. */
  samples(frames: number): Float32Array {
    if (frames !== this.#frames) {
      this.#frames = frames;
      this.#cycles = Array.from(
        { length: RING_CYCLES },
        (_, i) => this.ring.subarray(i * MOST_FRAMES, i * MOST_FRAMES + frames),
      );
    }
    const cycle = this.records ? this.relay.servedCycles : this.relay.filledCycles;
    return this.#cycles[cycle & RING_CYCLES - 1];
  }
}

/** What the code reads while it serves the slots of it. */
interface Table {
  readonly slots: BigUint64Array;
  readonly ports: readonly RelayPort[];
}

/** It must live for as long as the library may call. */
export class Relay extends Gate {
  static #code: Deno.PointerObject | undefined;

  readonly #words: BigUint64Array<ArrayBuffer>;
  readonly #counts: Int32Array<ArrayBuffer>;
  readonly #silence = fixedBytes(MOST_FRAMES * Float32Array.BYTES_PER_ELEMENT);
  readonly #freewheels: Gate;
  /** The last of them is that which the next call serves. */
  #tables: Table[] = [];
  #filled = LEAST_AHEAD;
  #missed = 0;

  /**
   * @param called is posted at each call
   * @param freewheels passed with 1 when the server begins to wait for who is late, with 0 when it ends
   * @param library the file of the library whose ports it serves
   */
  constructor(called: Gate["called"], freewheels: Gate, library: string) {
    super(called, Relay.#code ??= loadCode(CODE), RELAY_BYTES);
    this.#words = new BigUint64Array(this.bytes.buffer);
    this.#counts = new Int32Array(this.bytes.buffer, 8 * COUNTS, 4);
    this.#freewheels = freewheels;
    const address = Deno.UnsafePointer.value;
    this.#words[PORT_BUFFER] = address(functionAddress("jack_port_get_buffer", library));
    this.#words[COPY] = address(functionAddress("memcpy"));
    this.#words[TRY_WAIT] = address(functionAddress("sem_trywait"));
    this.#words[FREEWHEELS] = this.#freewheels.numberAddress;
    this.#words[SILENCE] = address(Deno.UnsafePointer.of(this.#silence));
    this.setPorts([]);
    this.open(LEAST_AHEAD);
  }

  /** The frames of the cycle that is to be served next, 0 if none is. */
  override get number(): number {
    return this.servedCycles === this.#counts[CALLS] ? 0 : super.number;
  }

  /** Cycles that have been answered, 32 bits. */
  get servedCycles(): number {
    return this.#counts[SERVED];
  }

  /** Cycles that have been filled, 32 bits. */
  get filledCycles(): number {
    return this.#filled;
  }

  /** How many cycles after the one that is served that is played which it is filled with. */
  get cyclesAhead(): number {
    return this.#filled - this.servedCycles + this.#counts[CALLS] - this.#counts[PLAYED] | 0;
  }

  /** How many cycles ago that was which is served. */
  get cyclesBehind(): number {
    return this.#counts[CALLS] - this.servedCycles - 1 | 0;
  }

  /** Whether more is filled ahead than need be if no cycle is missed. */
  get isLong(): boolean {
    return this.cyclesAhead > LEAST_AHEAD;
  }

  /** Cycles that found nothing since the last call. */
  takeMissed(): number {
    const missed = this.#counts[MISSED] - this.#missed | 0;
    this.#missed = this.#counts[MISSED];
    return missed;
  }

  /** The cycle is done. */
  override answer(): void {
    this.#filled = this.#filled + 1 | 0;
    Atomics.add(this.#counts, SERVED, 1);
    this.open(1);
  }

  /** The cycle is done, and what it was filled with is left out. */
  shorten(): void {
    Atomics.add(this.#counts, SERVED, 1);
  }

  /** Nobody answers any more: from now on there is silence, and no call waits. */
  leave(): void {
    const none = Deno.UnsafePointer.value(Deno.UnsafePointer.of(this.#silence));
    this.#words[FREEWHEELS] = none;
    if (this.#freewheels.number !== 0) this.open(1);
  }

  /** Whether JACK's thread knows no ports but those that were set last. */
  get isSettled(): boolean {
    const isSettled = this.#words[USED] === this.#words[SLOTS];
    if (isSettled && this.#tables.length > 1) this.#tables = this.#tables.slice(-1);
    return isSettled;
  }

  /** Says what is carried from the next call on. */
  setPorts(ports: readonly RelayPort[]): void {
    const slots = new BigUint64Array(fixedBytes(8 * SLOT_WORDS * (ports.length + 1)).buffer);
    for (const [i, { address, ring, records }] of ports.entries()) {
      const ours = Deno.UnsafePointer.value(Deno.UnsafePointer.of(ring));
      slots.set([address, ours, records ? 1n : 0n], i * SLOT_WORDS);
    }
    this.#tables.push({ slots, ports });
    Atomics.store(this.#words, SLOTS, Deno.UnsafePointer.value(Deno.UnsafePointer.of(slots)));
  }
}
