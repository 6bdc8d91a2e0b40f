// JACK. One client for all streams, a port for each channel of a stream, connected to the sound
// card's own. The thread serves the cycles of the server's graph itself (jack_client.ts).

import { poll, POLLIN } from "../../ffi/libc.ts";
import { JackClient, type JackPort, SYSTEM_PORTS } from "./jack_client.ts";
import { LinkState } from "./link.ts";
import { Retry } from "./retry.ts";
import { epochMs, type Server, type ServerLog, type ServerStream } from "./server.ts";
import { Stopgap } from "./stopgap.ts";
import { PlayingVoice, RecordingVoice } from "./voice.ts";

const CLIENT_NAME = "ossp";

// How late the device loop may be without a gap in the sound.
const LATENESS_MS = 10;

// A server that has begun no cycle for so long has stopped; a slow one may take longer.
const STALL_MS = 200;
const STALL_CYCLES = 4;

// How long a cycle is waited for before it is looked what else has happened.
const MOST_WAIT_MS = 50;

// The server is looked for at least so often while it is away.
const MOST_RETRY_MS = 1000;

// A client without streams leaves after so long, for each cycle wakes it. Programs come and go
// often, and to connect takes 0.1 s.
const IDLE_MS = 10_000;

// A sound that is shorter than a cycle is played after so many.
const SHORT_SOUND_CYCLES = 2;

// The part of a cycle that requests to the server may take, which are made when our sound is in it.
const REQUESTS_SHARE = 0.2;

// After a change it takes the server so many cycles to bring it about. Until then, who asks it for
// a latency is held up for longer than a cycle.
const SETTLE_CYCLES = 3;

/** Requests to the server: a step is one of them, or that the next cycle is waited for. */
type Chore<Result = void> = Generator<"request" | "cycle", Result>;

/** What both directions have: the stream's ports. */
abstract class JackVoice {
  ports: JackPort[] = [];
  /** Whether there was anything to connect the ports with. */
  joined = false;

  /** @param connectTo as `ServerSpec.jackConnect` has it */
  constructor(
    readonly stream: ServerStream,
    protected readonly client: JackClient,
    readonly connectTo: string,
  ) {}

  /** Whether nothing is left to be done for a closed stream. */
  abstract readonly ended: boolean;

  /** Serves one cycle. */
  abstract process(frames: number, nowMs: number): void;

  abstract release(): void;

  protected get latencyFrames(): number {
    let most = 0;
    for (const port of this.ports) most = Math.max(most, port.latencyFrames);
    return most;
  }

  readLatency(): void {
    for (const port of this.ports) port.readLatency();
  }

  /** Asks the server for the ports and connects them; returns whether it has given them. */
  *connect(): Chore<boolean> {
    const { client, stream } = this;
    const { direction, command, id, channels } = stream;
    const side = direction === "play" ? "out" : "in";
    const ports: JackPort[] = [];
    for (let i = 1; i <= channels; i++) {
      const port = client.register(`${command}-${id}:${side}_${i}`, direction);
      if (!port) {
        for (const registered of ports) client.unregister(registered);
        return false;
      }
      ports.push(port);
      yield "request";
    }
    yield* this.join(ports);
    for (let i = 0; i < SETTLE_CYCLES; i++) yield "cycle";
    this.ports = ports;
    this.readLatency();
    return true;
  }

  /** Connects ports with those that they are to have; a mono sound is heard on both sides. */
  *join(ports: readonly JackPort[]): Chore {
    const { direction, channels } = this.stream;
    const isMono = channels === 1 && direction === "play";
    for (const [i, other] of this.client.portsToConnect(direction, this.connectTo).entries()) {
      const port = ports[isMono && i < 2 ? 0 : i];
      if (!port) break;
      this.joined = true;
      this.client.connect(port, other);
      yield "request";
    }
  }

  /** Gives the ports back, when the cycle that they are in is over. */
  *disconnect(): Chore {
    const { ports } = this;
    this.ports = [];
    yield "cycle";
    for (const port of ports) {
      this.client.unregister(port);
      yield "request";
    }
  }
}

class JackPlayer extends JackVoice {
  readonly #voice: PlayingVoice;
  /** Frames of the stream in a frame of the server. */
  readonly #ratio: number;
  readonly #report = { atMs: 0, frames: 0, delayFrames: 0 };
  #mix = new Float32Array(0);
  #flushes: number;
  /** Whether the last cycle got silence. */
  #silent = true;
  #flowing = false;
  #waitedCycles = 0;

  constructor(stream: ServerStream, client: JackClient, connectTo: string) {
    super(stream, client, connectTo);
    this.#voice = new PlayingVoice(stream, client.rateHz, stream.channels);
    this.#ratio = stream.rateHz / client.rateHz;
    this.#flushes = stream.link.flushes;
  }

  get #empty(): boolean {
    return this.stream.link.filled === 0 && this.#voice.ready(1) === 0;
  }

  // A buffer that is not written to again would be heard again.
  get ended(): boolean {
    return this.#silent && this.#empty;
  }

  override readLatency(): void {
    super.readLatency();
    this.#setTarget(this.client.bufferFrames);
  }

  // What the loop brings, it brings when half of the target is free: the other half has to last.
  #setTarget(cycleFrames: number): void {
    const { link, rateHz } = this.stream;
    const least = (this.latencyFrames + cycleFrames) * this.#ratio + LATENESS_MS * rateHz / 1000;
    link.target = Math.ceil(2 * least);
  }

  process(frames: number, nowMs: number): void {
    const { ports, stream: { link, channels } } = this;
    if (ports.length === 0) return;
    if (link.flushes !== this.#flushes) {
      this.#flushes = link.flushes;
      this.#voice.clear();
      this.#flowing = false;
    }
    if (this.#mix.length !== frames * channels) {
      this.#mix = new Float32Array(frames * channels);
      this.#setTarget(frames);
    }
    const given = this.#begins(frames) ? this.#mixIn(frames) : 0;
    for (let channel = 0; channel < channels; channel++) {
      const samples = ports[channel].samples(frames);
      if (given === 0) samples.fill(0);
      else {for (let i = 0, at = channel; i < frames; i++, at += channels) {
          samples[i] = this.#mix[at];
        }}
    }
    this.#silent = given === 0;
    if (given > 0) this.#tell(given, nowMs);
  }

  /** Whether there is sound, and enough of it if it only begins. */
  #begins(frames: number): boolean {
    const { link } = this.stream;
    if (this.#empty) {
      if (link.running && this.#flowing) link.addXrun();
      this.#flowing = false;
      this.#waitedCycles = 0;
      return false;
    }
    if (this.#flowing || !link.running) return true;
    return link.filled >= frames * this.#ratio || ++this.#waitedCycles > SHORT_SOUND_CYCLES;
  }

  #mixIn(frames: number): number {
    const { link } = this.stream;
    this.#mix.fill(0);
    const given = this.#voice.addTo(this.#mix, frames);
    if (given < frames && link.running) link.addXrun();
    this.#flowing = given === frames;
    this.#waitedCycles = 0;
    return given;
  }

  #tell(given: number, nowMs: number): void {
    const { link } = this.stream;
    const report = this.#report;
    const ahead = given + this.latencyFrames - this.client.framesSinceStart;
    report.atMs = nowMs;
    report.frames = link.read;
    report.delayFrames = Math.round(ahead * this.#ratio) + this.#voice.heldFrames;
    link.report(report);
  }

  release(): void {
    this.#voice.close();
  }
}

class JackRecorder extends JackVoice {
  readonly #voice: RecordingVoice;
  readonly #ratio: number;
  readonly #report = { atMs: 0, frames: 0, delayFrames: 0 };
  #samples = new Float64Array(0);
  #wasRunning = false;

  constructor(stream: ServerStream, client: JackClient, connectTo: string) {
    super(stream, client, connectTo);
    this.#voice = new RecordingVoice(stream, client.rateHz, stream.channels);
    this.#ratio = stream.rateHz / client.rateHz;
  }

  get ended(): boolean {
    return true;
  }

  process(frames: number, nowMs: number): void {
    const { ports, stream: { link, channels } } = this;
    if (ports.length === 0) return;
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
    const age = this.latencyFrames - frames + this.client.framesSinceStart;
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

/** A stream, and what serves it: its voice while the server has it, else the stopgap. */
interface Served {
  readonly stopgap: Stopgap;
  voice: JackVoice | undefined;
  /** Whether the voice has its ports. */
  connected: boolean;
}

/** Streams on a JACK server. */
export class JackServer implements Server {
  readonly #name: string;
  readonly #connectTo: string;
  readonly #log: ServerLog;
  readonly #streams = new Map<ServerStream, Served>();
  /** What is to be done between cycles, one after the other. */
  readonly #chores: Chore[] = [];
  #client: JackClient | undefined;
  /** The frames of the cycle that has begun, 0 if none has. */
  #cycleFrames = 0;
  #lastCycleMs = 0;
  /** Cycles until the latencies are to be read anew; 0 when they are known. */
  #settling = 0;
  /** Whether the server is away, or has stopped, and its user knows. */
  #lost = false;
  #stalled = false;
  readonly #retry = new Retry(MOST_RETRY_MS);
  #idleSinceMs = Infinity;
  /** Whether the server was there once: until then it is asked for though there is no stream. */
  #known = false;

  /**
   * @param name the server's, empty for the default
   * @param connectTo as `ServerSpec.jackConnect` has it
   * @throws {Error} where libjack is not installed
   */
  constructor(name: string, log: ServerLog, connectTo = SYSTEM_PORTS) {
    this.#name = name;
    this.#connectTo = connectTo;
    this.#log = log;
    JackClient.load();
  }

  add(stream: ServerStream): void {
    const served: Served = { stopgap: new Stopgap(stream), voice: undefined, connected: false };
    this.#streams.set(stream, served);
    if (this.#client && !this.#stalled) this.#give(stream, served, this.#client);
  }

  turn(nowMs: number): number {
    if (this.#cycleFrames > 0) this.#serveCycle(nowMs);
    this.#forgetClosed();
    if (this.#client) this.#watch(nowMs);
    else if (this.#isWanted && nowMs >= this.#retry.dueMs) this.#connect(nowMs);
    let next = this.#client || !this.#isWanted ? Infinity : this.#retry.dueMs - nowMs;
    for (const { voice, stopgap } of this.#streams.values()) {
      if (!voice || this.#stalled) next = Math.min(next, stopgap.turn(nowMs));
    }
    return next;
  }

  wait(wakeFd: number, ms: number): void {
    if (this.#client) this.#cycleFrames = this.#client.waitCycle(Math.min(ms, MOST_WAIT_MS));
    else poll(wakeFd, POLLIN, ms === Infinity ? -1 : Math.ceil(Math.max(0, ms)));
  }

  #serveCycle(nowMs: number): void {
    const client = this.#client!;
    const frames = this.#cycleFrames;
    for (const { voice } of this.#streams.values()) voice?.process(frames, nowMs);
    client.signalCycle();
    this.#cycleFrames = 0;
    this.#lastCycleMs = nowMs;
    if (this.#stalled) this.#resume();
    if (client.takeXruns() > 0) this.#noteXrun();
    if (client.takeReordered()) this.#settling = SETTLE_CYCLES;
    else if (this.#settling > 0 && --this.#settling === 0) this.#followGraph();
    this.#doChores(frames * 1000 / client.rateHz * REQUESTS_SHARE);
  }

  #doChores(limitMs: number): void {
    const endMs = performance.now() + limitMs;
    while (this.#chores.length > 0 && performance.now() < endMs) {
      const { done, value } = this.#chores[0].next();
      if (done) this.#chores.shift();
      else if (value === "cycle") return;
    }
  }

  #noteXrun(): void {
    for (const { link } of this.#streams.keys()) if (link.running) link.addXrun();
  }

  /** Clients or connections have changed: latencies too, and perhaps there is a sound card now. */
  #followGraph(): void {
    for (const { voice } of this.#streams.values()) {
      if (!voice || voice.ports.length === 0) continue;
      voice.readLatency();
      if (!voice.joined) this.#chores.push(voice.join(voice.ports));
    }
  }

  /** Has the server play or record a stream. */
  #give(stream: ServerStream, served: Served, client: JackClient): void {
    const Voice = stream.direction === "play" ? JackPlayer : JackRecorder;
    const voice = new Voice(stream, client, this.#connectTo);
    served.voice = voice;
    this.#chores.push(this.#bring(stream, served, voice));
  }

  *#bring(stream: ServerStream, served: Served, voice: JackVoice): Chore {
    served.connected = yield* voice.connect();
    if (served.connected) {
      stream.link.state = LinkState.READY;
      return;
    }
    this.#log("warn", `jack: no port is left for ${stream.command}`);
    voice.release();
    served.voice = undefined;
  }

  #forgetClosed(): void {
    for (const [stream, { voice, connected }] of this.#streams) {
      if (!stream.link.closed) continue;
      if (voice && !this.#stalled && !(connected && voice.ended)) continue;
      this.#streams.delete(stream);
      if (!voice) continue;
      this.#chores.push(voice.disconnect());
      voice.release();
    }
  }

  get #isWanted(): boolean {
    return this.#streams.size > 0 || !this.#known;
  }

  #connect(nowMs: number): void {
    const client = JackClient.open(CLIENT_NAME, this.#name);
    if (!client?.activate()) {
      client?.close();
      this.#retry.failed(nowMs);
      this.#tellLost("is not there");
      return;
    }
    this.#client = client;
    this.#known = true;
    this.#retry.reset();
    this.#lastCycleMs = epochMs(); // connecting has taken its time
    if (this.#lost) this.#tellBack();
    for (const [stream, served] of this.#streams) {
      served.stopgap.leave();
      this.#give(stream, served, client);
    }
  }

  /** Notices that the server has gone or stopped, or is not needed. */
  #watch(nowMs: number): void {
    const client = this.#client!;
    if (client.gone) return this.#leave("has gone");
    const stallMs = Math.max(STALL_MS, STALL_CYCLES * client.bufferFrames * 1000 / client.rateHz);
    if (!this.#stalled && nowMs - this.#lastCycleMs > stallMs) {
      this.#stalled = true;
      this.#tellLost("does not answer");
    }
    if (this.#streams.size > 0) this.#idleSinceMs = Infinity;
    else if (this.#idleSinceMs === Infinity) this.#idleSinceMs = nowMs;
    else if (nowMs - this.#idleSinceMs > IDLE_MS) this.#leave();
  }

  /** It goes on after a stop, and has kept all ports. */
  #resume(): void {
    this.#stalled = false;
    this.#tellBack();
    for (const [stream, { stopgap, connected }] of this.#streams) {
      stopgap.leave();
      if (connected) stream.link.state = LinkState.READY;
    }
  }

  #leave(why?: string): void {
    for (const served of this.#streams.values()) {
      served.voice?.release();
      served.voice = undefined;
      served.connected = false;
    }
    this.#chores.length = 0;
    this.#client?.close();
    this.#client = undefined;
    this.#stalled = false;
    this.#idleSinceMs = Infinity;
    if (why) this.#tellLost(why);
  }

  #tellLost(why: string): void {
    const server = this.#name ? `the server ${this.#name}` : "the server";
    if (!this.#lost) this.#log("warn", `jack: ${server} ${why}: nobody hears what is played`);
    this.#lost = true;
  }

  #tellBack(): void {
    this.#log("info", "jack: the server is there again");
    this.#lost = false;
  }

  close(): void {
    this.#leave();
  }
}

/** Why a JACK server cannot be used now; undefined if it can. */
export function probe(name: string): string | undefined {
  try {
    const client = JackClient.open(`${CLIENT_NAME}-probe`, name);
    client?.close();
    return client ? undefined : `no JACK server ${name || "(default)"} is running`;
  } catch (error) {
    return (error as Error).message;
  }
}
