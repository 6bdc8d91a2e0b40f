// A stream on a JACK server: its ports, and what goes through them in each cycle.

import { type JackClient, JackPort } from "./jack_client.ts";
import type { Brought, Connections, Joined, OwnLatency } from "./jack_requests.ts";
import type { ServerStream } from "./server.ts";
import { PlayingVoice, RecordingVoice } from "./voice.ts";

// How late the device loop may be without a gap in the sound.
const LATENESS_MS = 10;

// A sound that is shorter than a cycle is played after so many.
const SHORT_SOUND_CYCLES = 2;

/** What both directions have. */
export abstract class JackVoice {
  ports: readonly JackPort[] = [];
  /** Whether the cycles are served through these ports. */
  isCarried = false;
  /** What the ports are connected with, and what they are still to be connected with. */
  #joined: Joined | undefined;

  /** @param prefix of the ports' names */
  constructor(
    readonly stream: ServerStream,
    protected readonly client: JackClient,
    readonly prefix: string,
  ) {}

  /** The ports' names, without the client's. */
  get names(): string[] {
    const { direction, channels } = this.stream;
    const side = direction === "play" ? "out" : "in";
    return Array.from({ length: channels }, (_, i) => `${this.prefix}${side}_${i + 1}`);
  }

  /** The server has made the ports. */
  setPorts({ ports, ...joined }: Brought): void {
    const records = this.stream.direction === "record";
    this.ports = ports.map((address) => new JackPort(address, records, this.client));
    this.setJoined(joined);
  }

  setJoined(joined: Joined): void {
    this.#joined = joined;
  }

  /** What is still to be connected; undefined where there was nothing to connect with. */
  get missing(): Connections | undefined {
    return this.#joined?.missing;
  }

  /** What is to be connected when the server is there again; undefined where nothing was. */
  get connections(): Connections | undefined {
    const { connections = [], missing } = this.#joined ?? {};
    if (!missing && connections.every((others) => others.length === 0)) return undefined;
    return connections.map((others, i) => [...new Set([...others, ...missing?.[i] ?? []])]);
  }

  protected get latencyFrames(): number {
    return this.#joined?.latencyFrames ?? 0;
  }

  /** What there is between the ports and the program; undefined where that is nothing. */
  get ownLatency(): OwnLatency | undefined {
    return undefined;
  }

  /** Whether nothing is left to be done for a closed stream. */
  abstract readonly ended: boolean;

  /** Whether all that has been heard is silence by now, and will be with this cycle. */
  abstract readonly isSilent: boolean;

  /** Whether a cycle finds all that it takes: it can wait while JACK freewheels. */
  abstract isReady(frames: number): boolean;

  /** Serves one cycle. */
  abstract process(frames: number, nowMs: number): void;

  /** Has nothing heard in this cycle. */
  fallSilent(_frames: number): void {}

  abstract release(): void;
}

const isZero = (sample: number) => sample === 0;

/** Plays a stream. */
export class JackPlayer extends JackVoice {
  readonly #voice: PlayingVoice;
  /** Frames of the stream in a frame of the server. */
  readonly #ratio: number;
  readonly #report = { atMs: 0, frames: 0, delayFrames: 0 };
  #mix = new Float32Array(0);
  #cyclesAhead = 0;
  #flushes: number;
  /** How many cycles have got silence, or samples of it, since the last sound. */
  #silentCycles = Infinity;
  #flowing = false;
  #waitedCycles = 0;
  #ownLatency: OwnLatency | undefined;

  constructor(stream: ServerStream, client: JackClient, prefix: string) {
    super(stream, client, prefix);
    this.#voice = new PlayingVoice(stream, client.rateHz, stream.channels);
    this.#ratio = stream.rateHz / client.rateHz;
    this.#flushes = stream.link.flushes;
  }

  get #empty(): boolean {
    return this.stream.link.filled === 0 && this.#voice.heldFrames === 0;
  }

  // A buffer that is not written to again would be heard again.
  get ended(): boolean {
    return this.isSilent && this.#empty;
  }

  get isSilent(): boolean {
    return this.#silentCycles > this.#cyclesAhead;
  }

  override setJoined(joined: Joined): void {
    super.setJoined(joined);
    this.#setTarget(this.client.bufferFrames);
  }

  // What the loop brings, it brings when half of the target is free: the other half has to last.
  #setTarget(cycleFrames: number): void {
    const { link, rateHz } = this.stream;
    this.#cyclesAhead = this.client.cyclesAhead;
    const ahead = this.#cyclesAhead * cycleFrames;
    const behind = this.latencyFrames + cycleFrames + ahead;
    const lateness = LATENESS_MS * this.client.rateHz / 1000;
    link.target = Math.ceil(2 * (behind * this.#ratio + LATENESS_MS * rateHz / 1000));
    const leastFrames = Math.round(lateness + ahead);
    const mostFrames = Math.round(behind + 2 * lateness);
    if (this.#ownLatency?.mostFrames === mostFrames) return;
    const ports = this.ports.map(({ address }) => address);
    this.#ownLatency = { ports, direction: "play", leastFrames, mostFrames };
  }

  override get ownLatency(): OwnLatency | undefined {
    return this.#ownLatency;
  }

  isReady(frames: number): boolean {
    const { link } = this.stream;
    if (!link.running || link.closed || link.flushes !== this.#flushes) return true;
    return this.#voice.ready(frames) === frames;
  }

  process(frames: number, nowMs: number): void {
    const { ports, stream: { link, channels } } = this;
    if (link.flushes !== this.#flushes) {
      this.#flushes = link.flushes;
      this.#voice.clear();
      this.#flowing = false;
    }
    if (this.#mix.length !== frames * channels) {
      this.#mix = new Float32Array(frames * channels);
      this.#setTarget(frames);
    }
    if (this.client.cyclesAhead !== this.#cyclesAhead) this.#setTarget(frames);
    const given = this.#begins(frames) ? this.#mixIn(frames) : 0;
    for (let channel = 0; channel < channels; channel++) {
      const samples = ports[channel].samples(frames);
      if (given === 0) samples.fill(0);
      else {for (let i = 0, at = channel; i < frames; i++, at += channels) {
          samples[i] = this.#mix[at];
        }}
    }
    const isSilent = given === 0 || this.#mix.every(isZero);
    this.#silentCycles = isSilent ? this.#silentCycles + 1 : 0;
    if (given > 0) this.#tell(given, frames, nowMs);
  }

  /** Whether there is sound, and enough of it if it only begins. */
  #begins(frames: number): boolean {
    const { link } = this.stream;
    if (this.#empty) {
      if (this.#flowing) this.#noteGap();
      this.#flowing = false;
      this.#waitedCycles = 0;
      return false;
    }
    if (this.#flowing || !link.running) return true;
    return link.filled >= frames * this.#ratio || ++this.#waitedCycles > SHORT_SOUND_CYCLES;
  }

  #mixIn(frames: number): number {
    this.#mix.fill(0);
    const given = this.#voice.addTo(this.#mix, frames);
    if (given < frames) this.#noteGap();
    this.#flowing = given === frames;
    this.#waitedCycles = 0;
    return given;
  }

  // While JACK freewheels the program may be slower than it.
  #noteGap(): void {
    const { link } = this.stream;
    if (link.running && !this.client.freewheels) link.addXrun();
  }

  #tell(given: number, cycleFrames: number, nowMs: number): void {
    const { link } = this.stream;
    const report = this.#report;
    const { cyclesAhead, cyclesBehind, framesSinceStart } = this.client;
    const cycles = (cyclesAhead - cyclesBehind) * cycleFrames - framesSinceStart;
    const ahead = given + this.latencyFrames + cycles;
    report.atMs = nowMs;
    report.frames = link.read;
    report.delayFrames = Math.round(ahead * this.#ratio) + this.#voice.heldFrames;
    link.report(report);
  }

  override fallSilent(frames: number): void {
    for (const port of this.ports) port.samples(frames).fill(0);
  }

  release(): void {
    this.#voice.close();
  }
}

/** Records a stream. */
export class JackRecorder extends JackVoice {
  readonly #voice: RecordingVoice;
  readonly #ratio: number;
  readonly #report = { atMs: 0, frames: 0, delayFrames: 0 };
  #samples = new Float64Array(0);
  #wasRunning = false;

  constructor(stream: ServerStream, client: JackClient, prefix: string) {
    super(stream, client, prefix);
    this.#voice = new RecordingVoice(stream, client.rateHz, stream.channels);
    this.#ratio = stream.rateHz / client.rateHz;
  }

  get ended(): boolean {
    return true;
  }

  get isSilent(): boolean {
    return true;
  }

  isReady(frames: number): boolean {
    const { link } = this.stream;
    if (!link.running || link.closed) return true;
    return link.capacity - link.filled >= Math.ceil(frames * this.#ratio) + 1;
  }

  process(frames: number, nowMs: number): void {
    const { ports, stream: { link, channels } } = this;
    const { running } = link;
    if (running !== this.#wasRunning) this.#voice.clear();
    this.#wasRunning = running;
    if (!running) return;
    if (this.#samples.length !== frames * channels) {
      this.#samples = new Float64Array(frames * channels);
    }
    for (let channel = 0; channel < channels; channel++) {
      const samples = ports[channel].samples(frames);
      for (let i = 0, at = channel; i < frames; i++, at += channels) this.#samples[at] = samples[i];
    }
    this.#voice.put(this.#samples, frames);
    const { cyclesBehind, framesSinceStart } = this.client;
    const age = this.latencyFrames + (cyclesBehind - 1) * frames + framesSinceStart;
    const report = this.#report;
    report.atMs = nowMs;
    report.frames = link.written;
    report.delayFrames = Math.max(0, Math.round(age * this.#ratio));
    link.report(report);
  }

  release(): void {
    this.#voice.close();
  }
}
