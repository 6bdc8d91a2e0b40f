// JACK: a port for each channel of a stream, connected to the sound card's own. One client has them
// all, or each program has a client of its name. The thread serves the cycles of the server's graph;
// what is asked of the server is asked by another (jack_requests.ts).

import { pollAll, POLLIN } from "../../ffi/libc.ts";
import { jack } from "../../ffi/jack.ts";
import { Realtime, Semaphore } from "../../ffi/native_thread.ts";
import { type Group, JackMember } from "./jack_member.ts";
import { Asker, openClient, SYSTEM_PORTS } from "./jack_requests.ts";
import type { AsideLine, JackOptions } from "./orders.ts";
import { Retry } from "./retry.ts";
import type { Server, ServerLog, ServerStream } from "./server.ts";

const CLIENT_NAME = "ossp";

// How long a cycle is waited for before it is looked what else has happened.
const MOST_WAIT_MS = 50;

// The server is looked for at least so often while it is away.
const MOST_RETRY_MS = 1000;

// A client without streams leaves after so long, for each cycle wakes it. Programs come and go
// often, and to connect takes 0.1 s.
const IDLE_MS = 10_000;

// How long the server may take to begin a cycle that is silent, and to let the clients leave.
const SILENCE_MS = 100;
const LEAVE_MS = 300;

/** Streams on a JACK server. */
export class JackServer implements Server {
  readonly #name: string;
  readonly #perProgram: boolean;
  readonly #log: ServerLog;
  readonly #asker: Asker;
  readonly #group: Group;
  /** By program, as `#keyOf` has it. */
  readonly #members = new Map<string, JackMember>();
  readonly #begun = new Semaphore(0);
  // PipeWire's libjack would ask the client that came last, which may have gone.
  readonly #realtime = new Realtime();
  readonly #retry = new Retry(MOST_RETRY_MS);
  readonly #fds = new Uint8Array(16); // two struct pollfd
  #nowMs = 0;
  /** Whether the server is away, or has stopped, and its user knows. */
  #lost = false;

  /**
   * @param name the server's, empty for the default
   * @param requests the way to the thread that asks the server
   * @throws {Error} where libjack is not installed
   */
  constructor(
    name: string,
    log: ServerLog,
    requests: AsideLine,
    { jackConnect = SYSTEM_PORTS, jackClient = "program" }: JackOptions = {},
  ) {
    jack();
    this.#name = name;
    this.#perProgram = jackClient === "program";
    this.#log = log;
    this.#asker = new Asker(requests);
    this.#group = {
      asker: this.#asker,
      begun: this.#begun,
      server: name,
      connectTo: jackConnect,
      log,
      onPresence: (isThere) => this.#setPresence(isThere),
      onLost: (why) => this.#tellLost(why),
      onBack: () => this.#tellBack(),
    };
    // Until the server was there once it is asked for though there is no stream.
    if (!this.#perProgram) this.#members.set("", new JackMember(CLIENT_NAME, false, this.#group));
  }

  add(stream: ServerStream): void {
    const key = this.#perProgram ? `${stream.pid} ${stream.command}` : "";
    // In JACK a colon ends a client's name.
    const name = this.#perProgram ? stream.command.replaceAll(":", "-") : CLIENT_NAME;
    let member = this.#members.get(key) ?? this.#adopt(key, name);
    if (!member) {
      member = new JackMember(name, this.#perProgram, this.#group);
      this.#members.set(key, member);
    }
    member.add(stream);
  }

  /** Takes over the client that an earlier run of a program has left. */
  #adopt(key: string, name: string): JackMember | undefined {
    for (const [oldKey, member] of this.#members) {
      if (member.hasStreams || member.name !== name) continue;
      this.#members.delete(oldKey);
      this.#members.set(key, member);
      return member;
    }
    return undefined;
  }

  turn(nowMs: number): number {
    this.#nowMs = nowMs;
    this.#asker.takeAnswers();
    this.#leaveGone();
    let next = Infinity;
    for (const [key, member] of this.#members) {
      next = Math.min(next, member.turn(nowMs));
      if (member.idleMs(nowMs) > IDLE_MS && (member.isPresent || this.#perProgram)) {
        member.leave();
        this.#members.delete(key);
      } else if (!member.isPresent) {
        if (nowMs >= this.#retry.dueMs) member.open(nowMs);
        else next = Math.min(next, this.#retry.dueMs - nowMs);
      }
    }
    this.#setPriority();
    return next;
  }

  // A server goes for all; libjack does not keep the others of a client that was thrown out either.
  #leaveGone(): void {
    let isGone = false;
    for (const { client } of this.#members.values()) isGone ||= client?.gone ?? false;
    if (!isGone) return;
    for (const member of this.#members.values()) member.leave();
    this.#tellLost("has gone");
  }

  /** What JACK gives; freewheeling, cycles are not in a hurry, and would leave nobody the processor. */
  #setPriority(): void {
    let priority = 0;
    for (const { client } of this.#members.values()) {
      if (client && !client.freewheels) priority = Math.max(priority, client.priority);
    }
    this.#realtime.set(priority);
  }

  wait(wakeFd: number, ms: number): void {
    for (const { client } of this.#members.values()) {
      if (!client) continue;
      this.#begun.wait(Math.min(ms, MOST_WAIT_MS));
      return;
    }
    const view = new DataView(this.#fds.buffer);
    for (const [i, fd] of [wakeFd, this.#asker.answerFd].entries()) {
      view.setInt32(8 * i, fd, true);
      view.setInt16(8 * i + 4, POLLIN, true);
    }
    pollAll(this.#fds, 2, ms === Infinity ? -1 : Math.ceil(Math.max(0, ms)));
  }

  #setPresence(isThere: boolean): void {
    if (isThere) {
      this.#retry.reset();
      if (this.#lost) this.#tellBack();
    } else {
      if (this.#nowMs >= this.#retry.dueMs) this.#retry.failed(this.#nowMs);
      this.#tellLost("is not there");
    }
  }

  #tellLost(why: string): void {
    const server = this.#name ? `the server ${this.#name}` : "the server";
    if (!this.#lost) this.#log("warn", `jack: ${server} ${why}: nobody hears what is played`);
    this.#lost = true;
  }

  #tellBack(): void {
    if (this.#lost) this.#log("info", "jack: the server is there again");
    this.#lost = false;
  }

  close(): void {
    const silentMs = performance.now() + SILENCE_MS;
    for (const member of this.#members.values()) {
      while (!member.fallSilent()) {
        const leftMs = silentMs - performance.now();
        if (leftMs <= 0) break;
        this.#begun.wait(leftMs);
      }
      member.leave();
    }
    const endMs = performance.now() + LEAVE_MS;
    while (this.#asker.isWaiting && performance.now() < endMs) {
      this.#asker.waitAnswer(endMs - performance.now());
      this.#asker.takeAnswers();
    }
    this.#realtime.set(0);
  }
}

/** Why a JACK server cannot be used now; undefined if it can. May wait for ever. */
export function probe(name: string): string | undefined {
  try {
    const client = openClient(`${CLIENT_NAME}-probe`, name);
    if (client) jack().jack_client_close(client);
    return client ? undefined : `no JACK server ${name || "(default)"} is running`;
  } catch (error) {
    return (error as Error).message;
  }
}
