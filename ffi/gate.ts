// A C function that a library calls on a thread of its own, and that a thread of JavaScript answers:
// the caller waits at the gate until it is let through.
//
// `Deno.UnsafeCallback` does that too, but its calls come through the event loop, which a thread that
// sleeps in a C function has not, and each of them allocates. The C library has no function that posts
// one semaphore and waits for another, so this one is written in the machine's own words.

import { loadCode, type MachineCode } from "./machine_code.ts";
import { fixedBytes, functionAddress, Semaphore } from "./native_thread.ts";

// What the code is given, as its offsets have it: 64-bit addresses, then the call's number.
const POST = 0; // sem_post
const WAIT = 1; // sem_wait
const CALLED = 2; // semaphores
const ANSWERED = 3;
const NUMBER = 4;

/** What a gate's code is given, at least: so many bytes. */
const GATE_BYTES = 40;

// int pass(int number, struct gate *gate)
// {
//     gate->number = number;
//     gate->post(gate->called);
//     while (gate->wait(gate->answered) != 0) continue; // EINTR
//     return 0;
// }
const CODE: MachineCode = {
  x86_64: [
    ...[0x53], //                     push rbx
    ...[0x48, 0x89, 0xf3], //         mov  rbx, rsi
    ...[0x89, 0x7b, 0x20], //         mov  [rbx+32], edi
    ...[0x48, 0x8b, 0x7b, 0x10], //   mov  rdi, [rbx+16]
    ...[0xff, 0x13], //               call [rbx]
    ...[0x48, 0x8b, 0x7b, 0x18], // 1: mov rdi, [rbx+24]
    ...[0xff, 0x53, 0x08], //         call [rbx+8]
    ...[0x85, 0xc0], //               test eax, eax
    ...[0x75, 0xf5], //               jnz  1b
    ...[0x5b], //                     pop  rbx
    ...[0xc3], //                     ret
  ],
  aarch64: [
    ...[0xfd, 0x7b, 0xbe, 0xa9], //   stp  x29, x30, [sp, #-32]!
    ...[0xf3, 0x0b, 0x00, 0xf9], //   str  x19, [sp, #16]
    ...[0xf3, 0x03, 0x01, 0xaa], //   mov  x19, x1
    ...[0x60, 0x22, 0x00, 0xb9], //   str  w0, [x19, #32]
    ...[0x60, 0x0a, 0x40, 0xf9], //   ldr  x0, [x19, #16]
    ...[0x68, 0x02, 0x40, 0xf9], //   ldr  x8, [x19]
    ...[0x00, 0x01, 0x3f, 0xd6], //   blr  x8
    ...[0x60, 0x0e, 0x40, 0xf9], // 1: ldr x0, [x19, #24]
    ...[0x68, 0x06, 0x40, 0xf9], //   ldr  x8, [x19, #8]
    ...[0x00, 0x01, 0x3f, 0xd6], //   blr  x8
    ...[0xa0, 0xff, 0xff, 0x35], //   cbnz w0, 1b
    ...[0xf3, 0x0b, 0x40, 0xf9], //   ldr  x19, [sp, #16]
    ...[0xfd, 0x7b, 0xc2, 0xa8], //   ldp  x29, x30, [sp], #32
    ...[0xc0, 0x03, 0x5f, 0xd6], //   ret
  ],
};

/** It must live for as long as the library may call. */
export class Gate {
  static #code: Deno.PointerObject | undefined;

  /** `int (*)(int number, void *gate)`; a number of 0 is no call. */
  readonly pass: Deno.PointerObject;
  /** What that is given. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #number: Int32Array<ArrayBuffer>;
  readonly #answered = new Semaphore(0);

  /**
   * @param called is posted at each call; more than one gate may post it
   * @param code of a gate that does more, and that is given more than a gate's bytes
   */
  constructor(readonly called: Semaphore, code?: Deno.PointerObject, length = GATE_BYTES) {
    this.pass = code ?? (Gate.#code ??= loadCode(CODE));
    this.bytes = fixedBytes(length);
    this.#number = new Int32Array(this.bytes.buffer, 8 * NUMBER, 1);
    const addresses = new BigUint64Array(this.bytes.buffer, 0, NUMBER);
    addresses[POST] = Deno.UnsafePointer.value(functionAddress("sem_post"));
    addresses[WAIT] = Deno.UnsafePointer.value(functionAddress("sem_wait"));
    addresses[CALLED] = Deno.UnsafePointer.value(Deno.UnsafePointer.of(called.bytes));
    addresses[ANSWERED] = Deno.UnsafePointer.value(Deno.UnsafePointer.of(this.#answered.bytes));
  }

  /** The number of the caller that waits; at an open gate, of the last that has passed; else 0. */
  get number(): number {
    return this.#number[0];
  }

  /** Where that number is. */
  get numberAddress(): bigint {
    return Deno.UnsafePointer.value(Deno.UnsafePointer.of(this.#number));
  }

  /** Lets the caller through. */
  answer(): void {
    this.#number[0] = 0;
    this.#answered.post();
  }

  /** Lets the next callers through as they come, so many of them. */
  open(calls: number): void {
    for (let i = 0; i < calls; i++) this.#answered.post();
  }
}
