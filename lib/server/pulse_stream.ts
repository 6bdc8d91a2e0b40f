// What playing and recording at a PulseAudio server have in common: a stream there, made for one of
// ours, what it is asked for and what it says of its time.

import { cString } from "../../ffi/libc.ts";
import {
  channelMap,
  PA_FORMATS,
  PA_POSITION,
  PA_STREAM_FAILED,
  PA_STREAM_READY,
  type PulseLibrary,
  sampleSpec,
  TimingInfo,
} from "../../ffi/pulse.ts";
import { isMappingGame } from "../games.ts";
import { formatByName, type SampleFormat } from "../pcm/format.ts";
import type { Connection } from "./pulse_connection.ts";
import { Operation } from "./pulse_operation.ts";
import { epochMs, type ServerStream } from "./server.ts";

// Where the channels of a frame stand, in OSS's order, as lib/pcm/channels.ts has it.
const { mono, frontLeft, frontRight, frontCenter, lfe } = PA_POSITION;
const { rearLeft, rearRight, rearCenter, sideLeft, sideRight } = PA_POSITION;
const POSITIONS: readonly (readonly number[])[] = [
  [],
  [mono],
  [frontLeft, frontRight],
  [frontLeft, frontRight, frontCenter],
  [frontLeft, frontRight, rearLeft, rearRight],
  [frontLeft, frontRight, frontCenter, rearLeft, rearRight],
  [frontLeft, frontRight, frontCenter, lfe, rearLeft, rearRight],
  [frontLeft, frontRight, frontCenter, lfe, rearCenter, sideLeft, sideRight],
  [frontLeft, frontRight, frontCenter, lfe, sideLeft, sideRight, rearLeft, rearRight],
];

// What becomes of the formats that PulseAudio has not, and of what we resample.
const WIDER = formatByName("s32le")!;

// How often the server is asked for the time: often after a change, less often as it goes on.
const FIRST_TIMING_MS = 10;
const LAST_TIMING_MS = 100;

// A stream that should move and has not for so long stands still: its server hangs, or its device is
// suspended. A device that has to be woken first may take longer, and so may a null sink that has
// played silence ahead of its time.
const STALL_MS = 800;
const START_STALL_MS = 1500;

const timeval = new BigInt64Array(2); // struct timeval: seconds, microseconds
const timeBytes = new Uint8Array(timeval.buffer);

/** One stream at one server, from its connection on. Times are milliseconds since the epoch. */
export abstract class PulseStream {
  /** Whether our stream was closed, and nothing is left to do for it. */
  ended = false;
  /** Whether the server has told something of it that `turn` has not seen yet. */
  touched = true;

  /** What goes over the wire. */
  protected readonly format: SampleFormat;
  protected readonly frameBytes: number;
  protected readonly library: PulseLibrary;
  protected readonly pointer: Deno.PointerObject;
  protected corked = true;
  /** Of the server's rate. */
  protected readonly framesPerMs: number;
  /** Frames of our stream for one of the server's. */
  protected readonly ratio: number;
  #state = 0;
  #stateTouched = true;
  readonly #onState = new Deno.UnsafeCallback(
    { parameters: ["pointer"], result: "void" },
    () => {
      this.touched = this.#stateTouched = true;
    },
  );
  readonly #onTouch = new Deno.UnsafeCallback(
    { parameters: ["pointer"], result: "void" },
    () => {
      this.touched = true;
    },
  );
  readonly #onChange = new Deno.UnsafeCallback(
    { parameters: ["pointer"], result: "void" },
    () => {
      this.touched = true;
      this.hastenTiming();
    },
  );
  #corking: Operation | undefined;
  #timing: TimingInfo | undefined;
  #timingUpdate: Operation | undefined;
  #timingStepMs = FIRST_TIMING_MS;
  #timingDueMs = 0;
  /** Of the last timing, by the system's clock and by ours. */
  #timestampUs = 0;
  #timedMs = 0;
  #movedMs = 0;
  #stallMs = START_STALL_MS;
  #bytes = new Uint8Array(0);
  #wireBytes = new Uint8Array(0);
  #samples = new Float64Array(0);

  /** @param rateHz of what goes over the wire; we resample if it is not the stream's */
  constructor(
    connection: Connection,
    protected readonly stream: ServerStream,
    readonly rateHz: number,
  ) {
    const { library, context } = connection;
    this.library = library;
    const { format, channels, command, pid } = stream;
    const isKept = format.name in PA_FORMATS && rateHz === stream.rateHz;
    this.format = isKept ? format : WIDER;
    this.frameBytes = this.format.bytes * channels;
    this.framesPerMs = rateHz / 1000;
    this.ratio = stream.rateHz / rateHz;
    const properties = library.pa_proplist_new();
    const set = (key: string, value: string) =>
      library.pa_proplist_sets(properties, cString(key), cString(value));
    set("application.name", command);
    set("application.process.id", String(pid));
    set("application.process.binary", command);
    // Other programs get no role: a call on the phone would silence what calls itself music.
    const isGame = isMappingGame(command);
    if (isGame) set("media.role", "game");
    set("application.icon_name", isGame ? "applications-games" : "applications-multimedia");
    set("node.name", command); // what PipeWire calls it
    const pointer = library.pa_stream_new_with_proplist(
      context,
      cString(command),
      sampleSpec(PA_FORMATS[this.format.name], rateHz, channels),
      channelMap(POSITIONS[channels]),
      properties,
    );
    library.pa_proplist_free(properties);
    if (pointer === null) throw new Error(`${format.name} ${rateHz} Hz × ${channels} is refused`);
    this.pointer = pointer;
    library.pa_stream_set_state_callback(pointer, this.#onState.pointer, null);
    library.pa_stream_set_write_callback(pointer, this.#onTouch.pointer, null);
    library.pa_stream_set_read_callback(pointer, this.#onTouch.pointer, null);
    library.pa_stream_set_underflow_callback(pointer, this.#onTouch.pointer, null);
    library.pa_stream_set_moved_callback(pointer, this.#onChange.pointer, null);
    library.pa_stream_set_suspended_callback(pointer, this.#onChange.pointer, null);
  }

  /** The number of the sink or the source that it is at. */
  get device(): number {
    return this.library.pa_stream_get_device_index(this.pointer);
  }

  /** Whether that does not move, because somebody else wants it or nobody did. */
  get suspended(): boolean {
    return this.library.pa_stream_is_suspended(this.pointer) > 0;
  }

  /** Does what is due while the server has the stream; returns when to call again, in milliseconds. */
  abstract turn(nowMs: number): number;

  /** A callback of libpulse's that sets `touched`. */
  protected get onTouch(): Deno.PointerValue {
    return this.#onTouch.pointer;
  }

  get #current(): number {
    if (this.#stateTouched) this.#state = this.library.pa_stream_get_state(this.pointer);
    this.#stateTouched = false;
    return this.#state;
  }

  /** Whether the server has the stream. */
  get ready(): boolean {
    return this.#current === PA_STREAM_READY;
  }

  /** Whether the server has refused or ended it. */
  get failed(): boolean {
    return this.#current >= PA_STREAM_FAILED;
  }

  /** Whether it should have moved and has not: a clock is to serve it meanwhile. */
  stalled(nowMs: number): boolean {
    return !this.corked && nowMs - this.#movedMs > this.#stallMs;
  }

  protected noteMoved(nowMs: number): void {
    this.#movedMs = nowMs;
    this.#stallMs = STALL_MS;
  }

  /** It does not move because it has nothing to. */
  protected noteIdle(nowMs: number): void {
    this.#movedMs = nowMs;
  }

  protected cork(corked: boolean, nowMs: number): void {
    this.#corking?.cancel();
    const { library, pointer } = this;
    this.#corking = new Operation(
      library,
      library.pa_stream_cork(pointer, corked ? 1 : 0, null, null),
    );
    this.corked = corked;
    this.#movedMs = nowMs;
    this.#stallMs = START_STALL_MS;
    this.hastenTiming();
  }

  /** Something has changed that the server's times depend on. */
  protected hastenTiming(): void {
    this.#timingStepMs = FIRST_TIMING_MS;
    this.#timingDueMs = 0;
  }

  /** Asks the server for its times when they are due. */
  protected updateTiming(nowMs: number): void {
    if (this.#timingUpdate && !this.#timingUpdate.done) return;
    const { library, pointer } = this;
    this.#noteTiming();
    if (nowMs < this.#timingDueMs) return;
    this.#timingDueMs = nowMs + this.#timingStepMs;
    this.#timingStepMs = Math.min(2 * this.#timingStepMs, LAST_TIMING_MS);
    this.#timingUpdate = new Operation(
      library,
      library.pa_stream_update_timing_info(pointer, this.onTouch, null),
    );
  }

  #noteTiming(): void {
    const { library, pointer } = this;
    if (!this.#timing) {
      const timing = library.pa_stream_get_timing_info(pointer);
      if (timing === null) return;
      this.#timing = new TimingInfo(timing);
    }
    const { timestampUs } = this.#timing;
    if (timestampUs === this.#timestampUs) return;
    this.#timestampUs = timestampUs;
    library.pa_gettimeofday(timeBytes);
    const nowUs = Number(timeval[0]) * 1e6 + Number(timeval[1]);
    this.#timedMs = epochMs() - (nowUs - timestampUs) / 1000;
  }

  /** What the server last said of the time; undefined when that holds no more. */
  protected get timing(): TimingInfo | undefined {
    return this.#timestampUs === 0 || this.#timing!.corrupt ? undefined : this.#timing;
  }

  /** When it said that. */
  protected get timedMs(): number {
    return this.#timedMs;
  }

  protected framesOfUs(us: number): number {
    return us * this.framesPerMs / 1000;
  }

  /** Room for so many frames as the link has them. */
  protected linkFrames(frames: number): Uint8Array<ArrayBuffer> {
    const bytes = frames * this.stream.link.frameBytes;
    if (this.#bytes.length < bytes) this.#bytes = new Uint8Array(bytes);
    return this.#bytes;
  }

  /** Room for so many frames as the server has them. */
  protected wireFrames(frames: number): Uint8Array<ArrayBuffer> {
    if (this.format === this.stream.format) return this.linkFrames(frames);
    const bytes = frames * this.frameBytes;
    if (this.#wireBytes.length < bytes) this.#wireBytes = new Uint8Array(bytes);
    return this.#wireBytes;
  }

  /** Makes the first frames of `linkFrames` those of `wireFrames`. */
  protected toWire(frames: number): void {
    this.#convert(this.stream.format, this.linkFrames(frames), this.format, frames);
  }

  /** Makes the first frames of `wireFrames` those of `linkFrames`. */
  protected fromWire(frames: number): void {
    this.#convert(this.format, this.wireFrames(frames), this.stream.format, frames);
  }

  #convert(
    from: SampleFormat,
    source: Uint8Array<ArrayBuffer>,
    to: SampleFormat,
    frames: number,
  ): void {
    if (from === to) return;
    const samples = frames * this.stream.channels;
    if (this.#samples.length < samples) this.#samples = new Float64Array(samples);
    from.decode(source, 0, this.#samples, 0, samples);
    const target = to === this.format ? this.wireFrames(frames) : this.linkFrames(frames);
    to.encode(this.#samples, 0, target, 0, samples);
  }

  /** Ends the stream at the server. */
  close(): void {
    const { library, pointer } = this;
    this.#corking?.cancel();
    this.#timingUpdate?.cancel();
    library.pa_stream_set_state_callback(pointer, null, null);
    library.pa_stream_set_write_callback(pointer, null, null);
    library.pa_stream_set_read_callback(pointer, null, null);
    library.pa_stream_set_underflow_callback(pointer, null, null);
    library.pa_stream_set_moved_callback(pointer, null, null);
    library.pa_stream_set_suspended_callback(pointer, null, null);
    this.#onState.close();
    this.#onTouch.close();
    this.#onChange.close();
    library.pa_stream_disconnect(pointer);
    library.pa_stream_unref(pointer);
  }
}
