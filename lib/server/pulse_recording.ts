// Recording at a PulseAudio server.

import {
  bufferAttributes,
  PA_STREAM_ADJUST_LATENCY,
  PA_STREAM_START_CORKED,
} from "../../ffi/pulse.ts";
import { LinkState } from "./link.ts";
import type { Connection } from "./pulse_connection.ts";
import { Operation } from "./pulse_operation.ts";
import { PulseStream } from "./pulse_stream.ts";
import type { ServerStream } from "./server.ts";
import { RecordingVoice } from "./voice.ts";

// What the server sends at once: the program's fragment, within these bounds.
const LEAST_FRAGMENT_MS = 5;
const MOST_FRAGMENT_MS = 50;

// How often we look whether the server still sends.
const TURN_MS = 50;

/** A stream that records. */
export class PulseRecording extends PulseStream {
  /** Makes the stream's frames of the server's, if its rate is another. */
  readonly #voice: RecordingVoice | undefined;
  #samples = new Float64Array(0);
  /** While what was recorded before is being thrown away. */
  #flushing: Operation | undefined;
  /** Where what was sent lies, and how long it is: a pointer and a size_t. */
  readonly #sent = new BigUint64Array(2);
  readonly #data = new Uint8Array(this.#sent.buffer, 0, 8);
  readonly #size = new Uint8Array(this.#sent.buffer, 8, 8);
  readonly #report = { atMs: 0, frames: 0, delayFrames: 0 };

  constructor(connection: Connection, stream: ServerStream, rateHz: number) {
    super(connection, stream, rateHz);
    const { frameBytes, framesPerMs } = this;
    if (rateHz !== stream.rateHz) this.#voice = new RecordingVoice(stream, rateHz, stream.channels);
    const programMs = stream.fragmentBytes / stream.link.frameBytes / stream.rateHz * 1000;
    const fragmentMs = Math.max(LEAST_FRAGMENT_MS, Math.min(programMs, MOST_FRAGMENT_MS));
    const fragsize = Math.ceil(fragmentMs * framesPerMs) * frameBytes;
    const flags = PA_STREAM_START_CORKED | PA_STREAM_ADJUST_LATENCY;
    this.library.pa_stream_connect_record(
      this.pointer,
      null,
      bufferAttributes({ fragsize }),
      flags,
    );
  }

  override turn(nowMs: number): number {
    const { link } = this.stream;
    const { library, pointer } = this;
    link.state = LinkState.READY;
    if (link.closed) {
      this.ended = true;
      return Infinity;
    }
    if (link.running === this.corked) {
      this.cork(!link.running, nowMs);
      if (link.running) {
        this.#voice?.clear();
        this.#flushing?.cancel();
        this.#flushing = new Operation(
          library,
          library.pa_stream_flush(pointer, this.onTouch, null),
        );
      }
    }
    while (this.#take()) this.noteMoved(nowMs);
    if (this.corked) return Infinity;
    this.updateTiming(nowMs);
    this.#tell(nowMs);
    return TURN_MS;
  }

  /** Takes what the server sent at once; false if there is nothing. */
  #take(): boolean {
    const { library, pointer, frameBytes } = this;
    library.pa_stream_peek(pointer, this.#data, this.#size);
    const bytes = Number(this.#sent[1]);
    if (bytes === 0) return false;
    const frames = Math.floor(bytes / frameBytes);
    if (!this.corked && (this.#flushing?.done ?? true)) {
      const wire = this.wireFrames(frames);
      const source = Deno.UnsafePointer.create(this.#sent[0]);
      // The server has lost something in the middle.
      if (source === null) this.format.silence(wire, 0, frames * frameBytes);
      else Deno.UnsafePointerView.copyInto(source, wire.subarray(0, frames * frameBytes));
      this.#give(frames);
    }
    library.pa_stream_drop(pointer);
    return true;
  }

  #give(frames: number): void {
    const { link, channels } = this.stream;
    if (this.#voice) {
      const samples = frames * channels;
      if (this.#samples.length < samples) this.#samples = new Float64Array(samples);
      this.format.decode(this.wireFrames(frames), 0, this.#samples, 0, samples);
      return this.#voice.put(this.#samples, frames);
    }
    this.fromWire(frames);
    const taken = link.write(this.linkFrames(frames), 0, frames);
    if (taken === frames) return;
    link.addXrun();
    link.addLost(frames - taken);
  }

  #tell(nowMs: number): void {
    const report = this.#report;
    report.atMs = nowMs;
    report.frames = this.stream.link.written;
    report.delayFrames = Math.round(
      this.framesOfUs(this.timing?.sourceUs ?? 0) * this.ratio,
    );
    this.stream.link.report(report);
  }

  override close(): void {
    this.#flushing?.cancel();
    this.#voice?.close();
    super.close();
  }
}
