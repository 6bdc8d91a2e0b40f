// A trace of a session under test: everything between the tap and the text of the script.

import type { Device } from "../../lib/fuse/device.ts";
import type { Session } from "../../lib/fuse/session.ts";
import { parseScript } from "../../lib/script/parser.ts";
import type { Test } from "../../lib/script/statement.ts";
import { Assembler, type CallListener } from "../../lib/trace/assembler.ts";
import { RecordRing } from "../../lib/trace/record_ring.ts";
import { Tap, TapRecords } from "../../lib/trace/tap.ts";
import type { TracedCall } from "../../lib/trace/traced_call.ts";
import { Transcript } from "../../lib/trace/transcript.ts";

/** Takes the records out of a ring. */
export function* recordsOf(ring: RecordRing): Generator<Uint8Array<ArrayBuffer>> {
  for (let at = ring.next(); at >= 0; at = ring.next()) {
    const record = new Uint8Array(ring.view.getUint32(at, true));
    record.set(ring.bytes.subarray(at, at + record.length));
    ring.release(at);
    yield record;
  }
}

/** The test that pieces of a transcript make. */
export function parseTranscript(text: string): Test {
  return parseScript(text, "trace").tests[0];
}

/** What a session does, as a trace tells it. */
export class Traced implements CallListener {
  readonly tap: Tap;
  /** The calls that have ended, in the order of their ends. */
  readonly calls: TracedCall[] = [];
  lostCalls = 0;
  readonly #ring: RecordRing;
  #assembler = new Assembler(this);
  #transcript = this.#newTranscript();

  constructor(
    session: Session,
    deviceOf: (nodeid: number) => Device | undefined,
    memoryBytes: number,
    now: () => number = () => performance.now(),
  ) {
    const memory = RecordRing.allocate(memoryBytes);
    this.#ring = new RecordRing(memory);
    const records = new TapRecords({ memory, keepsData: true }, now);
    this.tap = new Tap(records, 0, deviceOf, (handle) => session.file(handle));
  }

  #newTranscript(): Transcript {
    return new Transcript("everything", () => ({ file: "data", offset: "0" }));
  }

  began(call: TracedCall): void {
    this.#transcript.began(call);
  }

  ended(call: TracedCall): void {
    this.calls.push(call);
    this.#transcript.ended(call);
  }

  lost(count: number): void {
    this.lostCalls += count;
    this.#transcript.lost(count);
  }

  /** Takes what has been recorded by now. */
  drain(): void {
    for (const record of recordsOf(this.#ring)) this.#assembler.take(record);
  }

  /** The script of all calls since the last one. Files that are open are forgotten. */
  finish(): string {
    this.drain();
    const text = this.#transcript.take() + this.#transcript.finish();
    this.#assembler = new Assembler(this);
    this.#transcript = this.#newTranscript();
    this.calls.length = 0;
    this.lostCalls = 0;
    return text;
  }
}
