// A gate that carries sound: JACK's thread copies between its ports and memory of ours, and goes on. The
// thread of JavaScript does its part until the next call, so it has a whole cycle for it, and what it
// plays is heard a cycle later. The call waits only if the last one has not been answered.

import { Gate, GATE_BYTES } from "./gate.ts";
import { loadCode, type MachineCode } from "./machine_code.ts";
import { fixedBytes, functionAddress } from "./native_thread.ts";

// What the code is given, as its offsets have it: a gate's, then these 64-bit addresses.
const PORT_BUFFER = 5; // jack_port_get_buffer
const COPY = 6; // memcpy
const SLOTS = 7;
const RELAY_BYTES = GATE_BYTES + 24;

// A slot, in 64-bit words: a port's address, its samples' with us, and whether they come from the port.
// A slot without a port ends the table.
const SLOT_WORDS = 3;

// The longest cycle that JACK and PipeWire have.
const MOST_FRAMES = 8192;

// int carry(int frames, struct relay *relay)
// {
//     while (relay->gate.wait(relay->gate.answered) != 0) continue; // EINTR
//     for (struct slot *slot = relay->slots; slot->port; slot++) {
//         void *to = relay->port_buffer(slot->port, frames), *from = slot->samples;
//         if (!to) continue;
//         if (slot->records) swap(&to, &from);
//         relay->copy(to, from, 4 * frames);
//     }
//     relay->gate.number = frames;
//     relay->gate.post(relay->gate.called);
//     return 0;
// }
const CODE: MachineCode = {
  x86_64: [
    ...[0x53], //                            push rbx
    ...[0x55], //                            push rbp
    ...[0x41, 0x54], //                      push r12
    ...[0x48, 0x89, 0xf3], //                mov  rbx, rsi
    ...[0x89, 0xfd], //                      mov  ebp, edi
    ...[0x48, 0x8b, 0x7b, 0x18], //       1: mov  rdi, [rbx+24]
    ...[0xff, 0x53, 0x08], //                call [rbx+8]
    ...[0x85, 0xc0], //                      test eax, eax
    ...[0x75, 0xf5], //                      jnz  1b
    ...[0x4c, 0x8b, 0x63, 0x38], //          mov  r12, [rbx+56]
    ...[0x49, 0x8b, 0x3c, 0x24], //       2: mov  rdi, [r12]
    ...[0x48, 0x85, 0xff], //                test rdi, rdi
    ...[0x74, 0x2b], //                      jz   5f
    ...[0x89, 0xee], //                      mov  esi, ebp
    ...[0xff, 0x53, 0x28], //                call [rbx+40]
    ...[0x48, 0x85, 0xc0], //                test rax, rax
    ...[0x74, 0x1b], //                      jz   4f
    ...[0x48, 0x89, 0xc7], //                mov  rdi, rax
    ...[0x49, 0x8b, 0x74, 0x24, 0x08], //    mov  rsi, [r12+8]
    ...[0x41, 0x83, 0x7c, 0x24, 0x10, 0x00], // cmp  dword ptr [r12+16], 0
    ...[0x74, 0x03], //                      jz   3f
    ...[0x48, 0x87, 0xf7], //                xchg rdi, rsi
    ...[0x89, 0xea], //                   3: mov  edx, ebp
    ...[0xc1, 0xe2, 0x02], //                shl  edx, 2
    ...[0xff, 0x53, 0x30], //                call [rbx+48]
    ...[0x49, 0x83, 0xc4, 0x18], //       4: add  r12, 24
    ...[0xeb, 0xcc], //                      jmp  2b
    ...[0x89, 0x6b, 0x20], //             5: mov  [rbx+32], ebp
    ...[0x48, 0x8b, 0x7b, 0x10], //          mov  rdi, [rbx+16]
    ...[0xff, 0x13], //                      call [rbx]
    ...[0x31, 0xc0], //                      xor  eax, eax
    ...[0x41, 0x5c], //                      pop  r12
    ...[0x5d], //                            pop  rbp
    ...[0x5b], //                            pop  rbx
    ...[0xc3], //                            ret
  ],
  aarch64: [
    ...[0xfd, 0x7b, 0xbd, 0xa9], //          stp  x29, x30, [sp, #-48]!
    ...[0xf3, 0x53, 0x01, 0xa9], //          stp  x19, x20, [sp, #16]
    ...[0xf5, 0x13, 0x00, 0xf9], //          str  x21, [sp, #32]
    ...[0xf3, 0x03, 0x01, 0xaa], //          mov  x19, x1
    ...[0xf4, 0x03, 0x00, 0x2a], //          mov  w20, w0
    ...[0x60, 0x0e, 0x40, 0xf9], //       1: ldr  x0, [x19, #24]
    ...[0x68, 0x06, 0x40, 0xf9], //          ldr  x8, [x19, #8]
    ...[0x00, 0x01, 0x3f, 0xd6], //          blr  x8
    ...[0xa0, 0xff, 0xff, 0x35], //          cbnz w0, 1b
    ...[0x75, 0x1e, 0x40, 0xf9], //          ldr  x21, [x19, #56]
    ...[0xa0, 0x02, 0x40, 0xf9], //       2: ldr  x0, [x21]
    ...[0x00, 0x02, 0x00, 0xb4], //          cbz  x0, 5f
    ...[0xe1, 0x03, 0x14, 0x2a], //          mov  w1, w20
    ...[0x68, 0x16, 0x40, 0xf9], //          ldr  x8, [x19, #40]
    ...[0x00, 0x01, 0x3f, 0xd6], //          blr  x8
    ...[0x40, 0x01, 0x00, 0xb4], //          cbz  x0, 4f
    ...[0xa1, 0x06, 0x40, 0xf9], //          ldr  x1, [x21, #8]
    ...[0xa9, 0x12, 0x40, 0xb9], //          ldr  w9, [x21, #16]
    ...[0x89, 0x00, 0x00, 0x34], //          cbz  w9, 3f
    ...[0xe9, 0x03, 0x00, 0xaa], //          mov  x9, x0
    ...[0xe0, 0x03, 0x01, 0xaa], //          mov  x0, x1
    ...[0xe1, 0x03, 0x09, 0xaa], //          mov  x1, x9
    ...[0x82, 0x76, 0x1e, 0x53], //       3: lsl  w2, w20, #2
    ...[0x68, 0x1a, 0x40, 0xf9], //          ldr  x8, [x19, #48]
    ...[0x00, 0x01, 0x3f, 0xd6], //          blr  x8
    ...[0xb5, 0x62, 0x00, 0x91], //       4: add  x21, x21, #24
    ...[0xf0, 0xff, 0xff, 0x17], //          b    2b
    ...[0x74, 0x22, 0x00, 0xb9], //       5: str  w20, [x19, #32]
    ...[0x60, 0x0a, 0x40, 0xf9], //          ldr  x0, [x19, #16]
    ...[0x68, 0x02, 0x40, 0xf9], //          ldr  x8, [x19]
    ...[0x00, 0x01, 0x3f, 0xd6], //          blr  x8
    ...[0x00, 0x00, 0x80, 0x52], //          mov  w0, #0
    ...[0xf5, 0x13, 0x40, 0xf9], //          ldr  x21, [sp, #32]
    ...[0xf3, 0x53, 0x41, 0xa9], //          ldp  x19, x20, [sp, #16]
    ...[0xfd, 0x7b, 0xc3, 0xa8], //          ldp  x29, x30, [sp], #48
    ...[0xc0, 0x03, 0x5f, 0xd6], //          ret
  ],
};

/** A port of JACK's, and its samples with us. */
export class RelayPort {
  /** As many as the longest cycle has frames. */
  readonly samples = new Float32Array(
    fixedBytes(MOST_FRAMES * Float32Array.BYTES_PER_ELEMENT).buffer,
  );

  /**
   * @param address the port's
   * @param records whether samples come from it, or go to it
   */
  constructor(readonly address: bigint, readonly records: boolean) {}
}

/** It must live for as long as the library may call. */
export class Relay extends Gate {
  static #code: Deno.PointerObject | undefined;

  readonly #words: BigUint64Array<ArrayBuffer>;
  /** What the code has the addresses of. */
  #held: { slots: BigUint64Array; ports: readonly RelayPort[] } | undefined;

  /**
   * @param called is posted at each call, which does not wait for its own answer but for the last one's
   * @param library the file of the library whose ports it serves
   */
  constructor(called: Gate["called"], library: string) {
    super(called, Relay.#code ??= loadCode(CODE), RELAY_BYTES);
    this.#words = new BigUint64Array(this.bytes.buffer);
    const address = Deno.UnsafePointer.value;
    this.#words[PORT_BUFFER] = address(functionAddress("jack_port_get_buffer", library));
    this.#words[COPY] = address(functionAddress("memcpy"));
    this.setPorts([]);
    this.open(1);
  }

  /** Says what is carried. To be called before the first call, or between a call and its answer. */
  setPorts(ports: readonly RelayPort[]): void {
    const slots = new BigUint64Array(fixedBytes(8 * SLOT_WORDS * (ports.length + 1)).buffer);
    for (const [i, { address, samples, records }] of ports.entries()) {
      const ours = Deno.UnsafePointer.value(Deno.UnsafePointer.of(samples));
      slots.set([address, ours, records ? 1n : 0n], i * SLOT_WORDS);
    }
    this.#held = { slots, ports };
    this.#words[SLOTS] = Deno.UnsafePointer.value(Deno.UnsafePointer.of(this.#held.slots));
  }
}
