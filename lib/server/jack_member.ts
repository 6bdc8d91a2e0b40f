// One client of a JACK server, and the streams that it carries: all of them, or a program's.

import type { Semaphore } from "../../ffi/native_thread.ts";
import { JackClient } from "./jack_client.ts";
import type { Asker, Connections } from "./jack_requests.ts";
import { JackPlayer, JackRecorder, type JackVoice } from "./jack_voice.ts";
import { LinkState } from "./link.ts";
import type { ServerLog, ServerStream } from "./server.ts";
import { Stopgap } from "./stopgap.ts";

// A server that has begun no cycle for so long has stopped; a slow one may take longer.
const STALL_MS = 200;
const STALL_CYCLES = 4;

// What is played waits so long for a client that is being opened, then a clock takes it.
const OPENING_MS = 500;

// While JACK freewheels a cycle waits so long for a program, beside its own length: as long as the
// device loop may take to bring what it has.
const FREEWHEEL_LATENESS_MS = 30;

/** What members share. */
export interface Group {
  readonly asker: Asker;
  /** Posted when a cycle has begun. */
  readonly begun: Semaphore;
  /** The server's name, empty for the default. */
  readonly server: string;
  /** As `ServerSpec.jackConnect` has it. */
  readonly connectTo: string;
  readonly log: ServerLog;
  /** The server is there, or is not: then it is tried again later. */
  onPresence(isThere: boolean): void;
  /** The server is not heard of any more, and why; or it is there again. */
  onLost(why: string): void;
  onBack(): void;
}

/** A stream, and what serves it: its voice while the server has it, else the stopgap. */
interface Served {
  readonly stopgap: Stopgap;
  voice: JackVoice | undefined;
  /** What its ports are to be connected with again. */
  connections: Connections | undefined;
  /** The latency that the server has been told. */
  toldFrames: number;
}

/** A client and its streams. Times are milliseconds since the epoch. */
export class JackMember {
  readonly #group: Group;
  readonly #streams = new Map<ServerStream, Served>();
  #client: JackClient | undefined;
  #openingMs = Infinity;
  /** When the cycle that has begun was seen; Infinity if there is none. */
  #cycleMs = Infinity;
  #lastCycleMs = 0;
  #lastFrames = 0;
  #lastAhead = 0;
  /** Whether no sound was on its way after the last cycle that was served. */
  #wasSilent = true;
  #stalled = false;
  /** Ports that are to be given back once JACK's thread does not know them any more. */
  #dropped: bigint[] = [];
  /** Whether the client is to be told which ports it has. */
  #portsChanged = false;
  /** Whether connections are being looked after, and whether they have changed since. */
  #following = false;
  #changed = false;
  #idleSinceMs = Infinity;

  /**
   * @param name the client's
   * @param isProgram whether all streams are of the program of that name
   */
  constructor(readonly name: string, readonly isProgram: boolean, group: Group) {
    this.#group = group;
  }

  /** The client of this name, when the server has it. */
  get client(): JackClient | undefined {
    return this.#client?.isOpen ? this.#client : undefined;
  }

  /** Whether it has a client, or is about to. */
  get isPresent(): boolean {
    return this.#client !== undefined;
  }

  /** How long it has had no stream. */
  idleMs(nowMs: number): number {
    return Math.max(0, nowMs - this.#idleSinceMs);
  }

  get hasStreams(): boolean {
    return this.#streams.size > 0;
  }

  add(stream: ServerStream): void {
    const stopgap = new Stopgap(stream);
    const served = { stopgap, voice: undefined, connections: undefined, toldFrames: 0 };
    this.#streams.set(stream, served);
    if (this.client && !this.#stalled) this.#give(stream, served, this.client);
  }

  /** Asks for the client. */
  open(nowMs: number): void {
    const { asker, begun, server } = this.#group;
    if (this.#openingMs === Infinity) this.#openingMs = nowMs;
    const client = new JackClient(asker, begun, this.name, server, (isThere) => {
      if (!isThere) this.#client = undefined;
      this.#lastCycleMs = Infinity; // from the first one on
      this.#group.onPresence(isThere);
      if (isThere) { for (const [one, served] of this.#streams) this.#give(one, served, client); }
    });
    this.#client = client;
  }

  /** Does what is due; returns after how many milliseconds to call again. */
  turn(nowMs: number): number {
    const { client } = this;
    if (client && client.cycleFrames > 0) this.#serveCycle(client, nowMs);
    else if (!client || this.#stalled) this.#forgetClosed();
    if (client) this.#watch(client, nowMs);
    if (this.#streams.size > 0) this.#idleSinceMs = Infinity;
    else if (this.#idleSinceMs === Infinity) this.#idleSinceMs = nowMs;
    let next = this.#cycleMs === Infinity ? Infinity : 1;
    // A server that is asked for the first time may be there in a moment.
    if (this.#client && !this.client && nowMs - this.#openingMs < OPENING_MS) {
      return this.#openingMs + OPENING_MS - nowMs;
    }
    for (const { voice, stopgap } of this.#streams.values()) {
      if (!voice || this.#stalled) next = Math.min(next, stopgap.turn(nowMs));
    }
    return next;
  }

  #serveCycle(client: JackClient, nowMs: number): void {
    const frames = client.cycleFrames;
    if (this.#cycleMs === Infinity) this.#cycleMs = nowMs;
    if (client.freewheels && !this.#isReady(client, frames, nowMs)) return;
    for (const { voice } of this.#streams.values()) {
      if (voice?.isCarried) voice.process(frames, nowMs);
    }
    this.#forgetClosed();
    if (this.#portsChanged) this.#setPorts(client);
    else if (this.#dropped.length > 0 && client.isSettled) this.#drop(client);
    const isSilent = this.#isSilent;
    client.signalCycle(isSilent);
    this.#cycleMs = Infinity;
    this.#lastCycleMs = nowMs;
    if (this.#stalled) this.#resume();
    const missed = client.takeMissed();
    const gaps = this.#wasSilent ? 0 : missed;
    if (gaps > 0) this.#logGaps(gaps, client);
    if (client.takeXruns() + gaps > 0 && !client.freewheels) this.#noteXrun();
    this.#wasSilent = isSilent;
    if (
      client.takeReordered() || frames !== this.#lastFrames ||
      client.cyclesAhead !== this.#lastAhead
    ) this.#changed = true;
    this.#lastFrames = frames;
    this.#lastAhead = client.cyclesAhead;
    if (this.#changed && !this.#following) this.#follow(client);
  }

  /** Whether no sound is on its way to the server. */
  get #isSilent(): boolean {
    for (const { voice } of this.#streams.values()) if (voice && !voice.isSilent) return false;
    return true;
  }

  /** From the next cycle on sound goes through these ports. */
  #setPorts(client: JackClient): void {
    this.#portsChanged = false;
    const voices = [...this.#streams.values()].flatMap(({ voice }) => voice ?? []);
    client.setPorts(voices.flatMap(({ ports }) => ports));
    for (const voice of voices) voice.isCarried = voice.ports.length > 0;
  }

  /** Whether a cycle in freewheel mode has waited long enough for the programs. */
  #isReady(client: JackClient, frames: number, nowMs: number): boolean {
    const limitMs = frames * 1000 / client.rateHz + FREEWHEEL_LATENESS_MS;
    if (nowMs - this.#cycleMs >= limitMs) return true;
    for (const { voice } of this.#streams.values()) {
      if (voice?.isCarried && !voice.isReady(frames)) return false;
    }
    return true;
  }

  #logGaps(gaps: number, { cyclesAhead }: JackClient): void {
    const { log } = this.#group;
    log("debug", `jack: ${this.name}: ${gaps} cycles missed; ${cyclesAhead} cycles ahead now`);
  }

  #noteXrun(): void {
    for (const { link } of this.#streams.keys()) if (link.running) link.addXrun();
  }

  /** Clients or connections have changed: latencies too, and perhaps what is wanted is there now. */
  #follow(client: JackClient): void {
    this.#changed = false;
    const voices = [...this.#streams.values()].flatMap(({ voice }) => voice ?? [])
      .filter(({ ports }) => ports.length > 0);
    for (const [i, voice] of voices.entries()) {
      this.#following = true;
      const ports = voice.ports.map(({ address }) => address);
      const wanted = this.#wanted(voice.stream, client, voice.missing);
      this.#group.asker.ask("follow", { ...wanted, ports }, (joined) => {
        if (this.#client !== client || !joined) return; // the server has gone meanwhile
        if (i === voices.length - 1) this.#following = false;
        if (voice.ports.length === 0) return;
        voice.setJoined(joined);
        this.#tellLatency(voice);
      });
    }
  }

  #wanted(
    { direction }: ServerStream,
    client: JackClient,
    connections: Connections | undefined,
  ) {
    return { client: client.address, direction, connections, connectTo: this.#group.connectTo };
  }

  #tellLatency(voice: JackVoice): void {
    const served = this.#streams.get(voice.stream);
    const own = voice.ownLatency;
    if (!served || !own || own.mostFrames === served.toldFrames) return;
    served.toldFrames = own.mostFrames;
    this.#group.asker.ask("tellLatency", { ...own, client: this.#client!.address });
  }

  /** Has the server play or record a stream. */
  #give(stream: ServerStream, served: Served, client: JackClient): void {
    served.stopgap.leave();
    const Voice = stream.direction === "play" ? JackPlayer : JackRecorder;
    const voice = new Voice(stream, client, this.#prefixFor(stream));
    served.voice = voice;
    served.toldFrames = 0;
    const wanted = this.#wanted(stream, client, served.connections);
    this.#group.asker.ask("bring", { ...wanted, names: voice.names }, (brought) => {
      if (this.#client !== client) return; // the server has gone meanwhile
      if (served.voice !== voice) {
        // So has the stream.
        if (brought) {
          this.#group.asker.ask("drop", { client: client.address, ports: brought.ports });
        }
        return;
      }
      if (brought) {
        voice.setPorts(brought);
        this.#portsChanged = true;
        stream.link.state = LinkState.READY;
        this.#tellLatency(voice);
        // What came or went while the ports were made was not looked for.
        this.#changed = true;
        return;
      }
      if (!client.gone) this.#group.log("warn", `jack: no port is left for ${stream.command}`);
      voice.release();
      served.voice = undefined;
    });
  }

  /**
   * What a stream's ports are called beside their side and channel: nothing for a program's first, for
   * who keeps connections knows ports by their names.
   */
  #prefixFor({ id, direction, command }: ServerStream): string {
    if (!this.isProgram) return `${command}-${id}:`;
    const taken = [...this.#streams].flatMap(([{ direction: other }, { voice }]) =>
      voice && other === direction ? [voice.prefix] : []
    );
    let prefix = "";
    for (let number = 2; taken.includes(prefix); number++) prefix = `${number}:`;
    return prefix;
  }

  #forgetClosed(): void {
    for (const [stream, served] of this.#streams) {
      const { voice } = served;
      if (!stream.link.closed) continue;
      const isPlayed = voice && voice.ports.length > 0 && voice.ended;
      if (voice && !this.#stalled && !isPlayed) continue;
      this.#streams.delete(stream);
      const { link: { xruns, lost }, command } = stream;
      this.#group.log("debug", `jack: ${command}: ${xruns} xruns, ${lost} frames lost`);
      if (!voice) continue;
      this.#dropped.push(...voice.ports.map(({ address }) => address));
      voice.ports = [];
      voice.release();
      served.voice = undefined;
      this.#portsChanged = true;
    }
  }

  /** Gives back the ports of streams that have been closed. */
  #drop(client: JackClient): void {
    this.#group.asker.ask("drop", { client: client.address, ports: this.#dropped });
    this.#dropped = [];
  }

  /** Notices that the server has stopped, or is another. */
  #watch(client: JackClient, nowMs: number): void {
    if (client.hasOtherRate || client.hasOtherCycles) return this.leave();
    const cycleMs = client.bufferFrames * 1000 / client.rateHz;
    const leastMs = client.isActive ? STALL_MS : OPENING_MS;
    const stallMs = Math.max(leastMs, STALL_CYCLES * cycleMs);
    if (this.#lastCycleMs === Infinity) this.#lastCycleMs = nowMs;
    if (!this.#stalled && nowMs - this.#lastCycleMs > stallMs) {
      this.#stalled = true;
      this.#group.onLost("does not answer");
    }
  }

  /** It goes on after a stop, and has kept all ports. */
  #resume(): void {
    this.#stalled = false;
    this.#group.onBack();
    for (const [stream, { stopgap, voice }] of this.#streams) {
      stopgap.leave();
      if (voice && voice.ports.length > 0) stream.link.state = LinkState.READY;
      else if (!voice) this.#give(stream, this.#streams.get(stream)!, this.#client!);
    }
  }

  /**
   * Has silence heard before the client leaves: until the server notices, what is not written to any
   * more is heard again and again.
   *
   * @returns false if it is to be called again, for no cycle has begun yet
   */
  fallSilent(): boolean {
    const { client } = this;
    if (!client?.isActive || client.gone || client.relay || this.#stalled) return true;
    const frames = client.cycleFrames;
    for (const { voice } of this.#streams.values()) {
      if (voice && frames > 0) voice.fallSilent(frames);
    }
    return frames > 0 || !this.hasStreams;
  }

  /** Leaves the server; the streams stay, and their connections are known. */
  leave(): void {
    for (const served of this.#streams.values()) {
      served.connections = served.voice?.connections ?? served.connections;
      served.voice?.release();
      served.voice = undefined;
    }
    this.#client?.close();
    this.#client = undefined;
    this.#openingMs = this.#cycleMs = Infinity;
    this.#dropped = [];
    this.#stalled =
      this.#following =
      this.#changed =
      this.#portsChanged =
        false;
  }
}
