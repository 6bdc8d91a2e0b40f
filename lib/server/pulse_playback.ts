// Playing at a PulseAudio server.

import {
  bufferAttributes,
  GrantedAttributes,
  PA_SEEK_RELATIVE,
  PA_STREAM_ADJUST_LATENCY,
  PA_STREAM_START_CORKED,
  SinkInputVolume,
  type TimingInfo,
} from "../../ffi/pulse.ts";
import { LinkState } from "./link.ts";
import type { Connection } from "./pulse_connection.ts";
import { Operation } from "./pulse_operation.ts";
import { PulseStream } from "./pulse_stream.ts";
import { PulseVolume } from "./pulse_volume.ts";
import type { ServerStream } from "./server.ts";
import { PlayingVoice } from "./voice.ts";

// What the server is asked to hold is half of what the program holds, within these bounds. A program
// that maps its buffer sees as much of it go at once when it starts, and has to keep the other half.
const LEAST_SERVER_MS = 20;
const MOST_SERVER_MS = 200;

// By how much the loop may be late.
const LATE_MS = 10;

// A program that begins to play fills its buffer: sound starts when no more has come for so long.
const GATHER_MS = 10;

// How often we look: when half of what the server has will have been played, within these bounds.
const LEAST_TURN_MS = 4;
const MOST_TURN_MS = 20;

// A report says that sound stands still until so much later, when there has been another.
const STANDING_MS = 60;

// What the server said longer ago does not mean that it has nothing to play.
const FRESH_MS = 300;

// A closed stream whose end the server does not tell of.
const END_LIMIT_MS = 2000;

/** A stream that plays. */
export class PulsePlayback extends PulseStream {
  #granted: GrantedAttributes | undefined;
  #flushes: number;
  #flushing: Operation | undefined;
  #draining: Operation | undefined;
  /** Makes the server's frames of the stream's, if its rate is another. */
  readonly #voice: PlayingVoice | undefined;
  readonly #volume: PulseVolume;
  /** Its number at the server. */
  #index: number | undefined;
  #mix = new Float64Array(0);
  /** Frames of the server's given to it since the last flush. */
  #written = 0;
  /** What was last seen to wait before the start, and when it began to be that. */
  #gathered = 0;
  #gatheredMs = 0;
  #readIndex = 0;
  #underflow = -1;
  #closedMs = Infinity;
  readonly #report = { atMs: 0, frames: 0, delayFrames: 0 };

  constructor(connection: Connection, stream: ServerStream, rateHz: number) {
    super(connection, stream, rateHz);
    const { library, frameBytes, framesPerMs } = this;
    const { link, channels } = stream;
    this.#volume = new PulseVolume(connection, link, channels, () => this.touched = true);
    if (rateHz !== stream.rateHz) {
      this.#voice = new PlayingVoice(stream, rateHz, channels, false);
    }
    this.#flushes = stream.link.flushes;
    const programMs = stream.bufferBytes / stream.link.frameBytes / stream.rateHz * 1000;
    const serverMs = Math.max(LEAST_SERVER_MS, Math.min(programMs / 2 - LATE_MS, MOST_SERVER_MS));
    const frames = Math.ceil(serverMs * framesPerMs);
    const attributes = bufferAttributes({
      tlength: frames * frameBytes,
      // Gaps in what the program plays are not made longer.
      prebuf: frameBytes,
      minreq: Math.ceil(frames / 4) * frameBytes,
    });
    const flags = PA_STREAM_START_CORKED | PA_STREAM_ADJUST_LATENCY | this.#volume.flags;
    const { volumes } = this.#volume;
    const volume = volumes ? SinkInputVolume.encode(volumes) : null;
    library.pa_stream_connect_playback(this.pointer, null, attributes, flags, volume, null);
  }

  override turn(nowMs: number): number {
    const { link } = this.stream;
    link.state = LinkState.READY;
    this.#index ??= this.library.pa_stream_get_index(this.pointer);
    this.#volume.turn(this.#index, nowMs);
    if (link.flushes !== this.#flushes) this.#flush();
    if (link.closed && this.#closedMs === Infinity) this.#closedMs = nowMs;
    const length = this.#setTarget();
    if (this.corked) {
      if (this.#isEmpty) return this.#stand(nowMs);
      if (!this.#gatheredEnough(length, nowMs)) return this.#hold(nowMs);
      this.#feed();
      this.cork(false, nowMs);
    } else this.#feed();
    this.updateTiming(nowMs);
    this.#watch(nowMs);
    this.#tell(nowMs);
    if (!this.#isEmpty) return MOST_TURN_MS; // the server asks for it
    if (!link.running || link.closed) this.#end(nowMs);
    const serverMs = (length - this.#room()) / this.framesPerMs;
    return Math.max(LEAST_TURN_MS, Math.min(serverMs / 2, MOST_TURN_MS));
  }

  /** Whether all that has come was given to the server. */
  get #isEmpty(): boolean {
    return this.stream.link.filled === 0 && (this.#voice?.ready(1) ?? 0) === 0;
  }

  /** How many frames the server takes now. */
  #room(): number {
    return Math.floor(this.library.pa_stream_writable_size(this.pointer) / this.frameBytes);
  }

  /** Sets what is wanted to be under way; returns the server's part of it, in frames. */
  #setTarget(): number {
    const { library, pointer, frameBytes, timing } = this;
    this.#granted ??= new GrantedAttributes(library.pa_stream_get_buffer_attr(pointer)!);
    const length = this.#granted.tlength / frameBytes;
    const sinkUs = timing ? Math.max(timing.sinkUs, timing.configuredSinkUs) : 0;
    this.stream.link.target = Math.ceil(
      (length + this.framesOfUs(sinkUs) + LATE_MS * this.framesPerMs) * this.ratio,
    );
    return length;
  }

  #gatheredEnough(length: number, nowMs: number): boolean {
    const { link } = this.stream;
    const { filled } = link;
    if (filled >= length * this.ratio || !link.running || link.closed) return true;
    if (filled !== this.#gathered) {
      this.#gathered = filled;
      this.#gatheredMs = nowMs;
    }
    return nowMs - this.#gatheredMs >= GATHER_MS;
  }

  // Nothing is there to be played.
  #stand(nowMs: number): number {
    const { link } = this.stream;
    this.#gathered = 0;
    if (link.closed) this.ended = true;
    if (!link.running) return Infinity;
    return this.#hold(nowMs);
  }

  // Something is there, and is not played yet.
  #hold(nowMs: number): number {
    this.#tellOf(nowMs + STANDING_MS, this.#written);
    return LEAST_TURN_MS;
  }

  #feed(): void {
    const { library, pointer, frameBytes } = this;
    const frames = this.#take(this.#room());
    if (frames === 0) return;
    this.#draining?.cancel();
    this.#draining = undefined;
    library.pa_stream_write(
      pointer,
      this.wireFrames(frames),
      frames * frameBytes,
      null,
      0n,
      PA_SEEK_RELATIVE,
    );
    this.#written += frames;
  }

  /** Makes up to `frames` frames ready to be given to the server; returns how many there are. */
  #take(frames: number): number {
    const { link, channels } = this.stream;
    if (!this.#voice) {
      const wanted = Math.min(frames, link.filled);
      const taken = link.readInto(this.linkFrames(wanted), 0, wanted, this.#flushes);
      this.toWire(taken);
      return taken;
    }
    const ready = this.#voice.ready(frames);
    const samples = ready * channels;
    if (this.#mix.length < samples) this.#mix = new Float64Array(samples);
    this.#mix.fill(0, 0, samples);
    this.#voice.addTo(this.#mix, ready);
    this.format.encode(this.#mix, 0, this.wireFrames(ready), 0, samples);
    return ready;
  }

  #flush(): void {
    const { link } = this.stream;
    this.#flushes = link.flushes;
    link.skipFlushed();
    this.#voice?.clear();
    this.#draining?.cancel();
    this.#draining = undefined;
    if (this.#written > 0) this.#empty();
  }

  /** Nothing of what was given is at the server any more. */
  #empty(): void {
    const { library, pointer } = this;
    this.#flushing?.cancel();
    this.#flushing = new Operation(library, library.pa_stream_flush(pointer, null, null));
    this.#written = 0;
    this.hastenTiming();
  }

  // What was given is heard to its end, then the stream stands still.
  #end(nowMs: number): void {
    const { library, pointer } = this;
    const { link } = this.stream;
    if (this.#written > 0 && nowMs - this.#closedMs < END_LIMIT_MS) {
      this.#draining ??= new Operation(
        library,
        library.pa_stream_drain(pointer, this.onTouch, null),
      );
      if (!this.#draining.done) return;
    }
    this.#draining?.cancel();
    this.#draining = undefined;
    // PipeWire has played silence after the end, and would pass over as much of what comes next.
    this.#empty();
    this.cork(true, nowMs);
    if (link.closed) this.ended = true;
  }

  /** Whether the server moves, and whether it has run dry. */
  #watch(nowMs: number): void {
    const { library, pointer, timing } = this;
    if (timing && timing.readIndex !== this.#readIndex) {
      this.#readIndex = timing.readIndex;
      this.noteMoved(nowMs);
    }
    const isFresh = nowMs - this.timedMs < FRESH_MS;
    if (isFresh && timing && timing.writeIndex <= timing.readIndex) this.noteIdle(nowMs);
    const underflow = library.pa_stream_get_underflow_index(pointer);
    if (underflow !== this.#underflow && !this.#draining) this.stream.link.addXrun();
    this.#underflow = underflow;
  }

  #tell(nowMs: number): void {
    const { timing } = this;
    if (!timing) return this.#tellOf(nowMs + STANDING_MS, this.#written);
    const queued = (timing.writeIndex - timing.readIndex) / this.frameBytes;
    const moves = timing.playing || queued <= 0;
    const delay = this.#delayAtTiming(timing, queued);
    if (!moves) return this.#tellOf(nowMs + STANDING_MS, delay);
    this.#tellOf(nowMs, delay - (nowMs - this.timedMs) * this.framesPerMs);
  }

  /** Frames that had not been heard when the server was last asked. */
  #delayAtTiming({ playing, sinkUs, sinceUnderrun }: TimingInfo, queued: number): number {
    const atSink = this.framesOfUs(sinkUs);
    // With nothing to play, what the sink holds begins with silence of that time's length.
    if (!playing && queued <= 0) {
      return sinceUnderrun < 0 ? 0 : Math.max(0, atSink - sinceUnderrun / this.frameBytes);
    }
    return queued + atSink;
  }

  #tellOf(atMs: number, delayFrames: number): void {
    const report = this.#report;
    report.atMs = atMs;
    report.frames = this.stream.link.read;
    report.delayFrames = Math.max(0, Math.round(delayFrames * this.ratio)) +
      (this.#voice?.heldFrames ?? 0);
    this.stream.link.report(report);
  }

  override close(): void {
    this.#flushing?.cancel();
    this.#draining?.cancel();
    this.#voice?.close();
    this.#volume.close();
    super.close();
  }
}
