// The data plane: sound cards and the front end of their devices in one loop, until it is told to
// stop.

import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { HERE } from "../../ffi/file_calls.ts";
import { Faults } from "../backend/faults.ts";
import { ServerLine } from "../backend/server.ts";
import { ControlDevice } from "../device/control.ts";
import type { DspFile } from "../device/dsp.ts";
import { VirtualClock } from "../device/virtual_clock.ts";
import { SndstatDevice } from "../device/sndstat.ts";
import { type Channel, warnOfAnswer } from "../fuse/channel.ts";
import { createCharacterDevice } from "../fuse/cuse.ts";
import { Directory } from "../fuse/directory.ts";
import { mountDirectory, unmountDirectory } from "../fuse/mount.ts";
import type { Device } from "../fuse/device.ts";
import type { CharacterDevice } from "../fuse/device.ts";
import { Card, type CardHost } from "./card.ts";
import { EpollLoop } from "./epoll_loop.ts";
import type { Loop } from "./loop.ts";
import type { DeviceConfig, EngineCommand, EngineConfig, EngineEvent } from "./messages.ts";
import { Tap, TapRecords } from "../trace/tap.ts";
import { UringLoop } from "./uring_loop.ts";

// How long streams that their programs have closed may play on when the engine is to stop. Longer
// than any buffer at a usual rate, short enough for a service manager.
const DRAIN_LIMIT_MS = 5000;

/** Serves the devices of one configuration. */
export class Engine {
  readonly #config: EngineConfig;
  readonly #port: MessagePort;
  readonly #tell: (event: EngineEvent) => void;
  readonly #loop: Loop;
  readonly #channels: Channel[] = [];
  readonly #lines: readonly ServerLine[];
  readonly #streams = new Set<DspFile>();
  readonly #cards: readonly Card[];
  readonly #devices: CharacterDevice[];
  /** The script's time, if it is one. */
  readonly #clock: VirtualClock | undefined;
  /** What programs do is told here, if it is. */
  readonly #traced: TapRecords | undefined;
  #mounted = false;
  #stopBy = Infinity;

  /**
   * @param port where commands come in
   * @param tell takes what the engine has to say
   */
  constructor(config: EngineConfig, port: MessagePort, tell: (event: EngineEvent) => void) {
    this.#config = config;
    this.#port = port;
    this.#tell = tell;
    const onWriteError = (errno: number) => warnOfAnswer(errno, (message) => this.#warn(message));
    const clock = config.scripted ? new VirtualClock() : undefined;
    this.#loop = UringLoop.create(onWriteError, clock) ?? new EpollLoop(onWriteError, clock);
    const faults = clock && new Faults();
    this.#traced = config.trace && new TapRecords(config.trace, () => performance.now());
    this.#lines = config.lines.map(({ port, wakeFd }) => new ServerLine(port, wakeFd));
    const host: CardHost = {
      cards: { cards: [], audios: [], mixers: [], streams: this.#streams },
      folder: config.folder,
      // A script's time stands still while anything is done.
      files: (clock ? undefined : this.#loop.aside) ?? HERE,
      schedule: this.#loop.schedule,
      clock: this.#loop.clock,
      streams: this.#streams,
      maxStreams: config.maxStreams,
      mappedOptions: config.mappedOptions,
      mapsAlways: config.mapsAlways,
      faults,
      log: (level, message) => this.#tell({ type: "log", level, message }),
    };
    this.#cards = config.cards.map((card) => new Card(card, this.#lines, host));
    this.#devices = this.#cards.flatMap(({ devices }) => devices);
    if (config.sndstat) this.#devices.push(sndstat(config.sndstat, host));
    if (!clock) return;
    clock.settled = () => this.#channels.every(({ session }) => session.settled);
    const control = new ControlDevice(clock, faults!, this.#loop.schedule);
    this.#devices.push({ device: control, major: 0, minor: 0 });
    this.#clock = clock;
  }

  /** Brings the devices up, serves them until the stop command, and takes them down again. */
  run(): void {
    try {
      this.#open();
      const { wakeFd } = this.#config;
      this.#loop.add({ fd: wakeFd, buffer: new Uint8Array(8), onRead: () => this.#onWake() });
      this.#loop.run();
    } finally {
      this.#close();
    }
  }

  #warn(message: string): void {
    this.#tell({ type: "log", level: "warn", message });
  }

  #open(): void {
    const { frontend, directory } = this.#config;
    const warn = (message: string) => this.#warn(message);
    let folder = "/dev";
    if (frontend === "fuse") {
      folder = directory;
      const files = new Directory(this.#devices);
      const channel = mountDirectory(directory, files, warn);
      this.#mounted = true;
      this.#serve(channel, (nodeid) => files.device(nodeid));
    } else {
      for (const character of this.#devices) {
        this.#serve(createCharacterDevice(character, warn), () => character.device);
      }
    }
    this.#tell({
      type: "ready",
      paths: this.#devices.map(({ device }) => `${folder}/${device.name}`),
    });
  }

  /** @param deviceOf the device behind a node of this connection */
  #serve(channel: Channel, deviceOf: (nodeid: number) => Device | undefined): void {
    const number = this.#channels.push(channel);
    const { fd, buffer, session } = channel;
    const reader = {
      fd,
      buffer,
      onRead: (result: number) => {
        if (channel.serve(result)) return;
        this.#warn("the kernel has ended the connection: unmounted?");
        this.#mounted = false;
        this.#loop.remove(reader);
        this.#loop.stop();
      },
    };
    channel.write = (fd, answer, length) => this.#loop.write(fd, answer, length);
    channel.aside = this.#loop.aside;
    channel.session.watcher = this.#clock;
    if (this.#traced) {
      const tap = new Tap(this.#traced, number, deviceOf, (handle) => session.file(handle));
      tap.into(channel, reader);
    }
    this.#loop.add(reader);
  }

  #onWake(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#port) as { message: EngineCommand } | undefined;
      if (!received) return;
      if (received.message.type === "stop") this.#stopWhenDrained();
    }
  }

  #stopWhenDrained(): void {
    if (this.#stopBy !== Infinity) return this.#loop.stop(); // asked twice: at once
    this.#stopBy = this.#loop.clock.now() + DRAIN_LIMIT_MS;
    const poll = {
      dueMs: 0,
      run: () => {
        const nowMs = this.#loop.clock.now();
        const playing = [...this.#streams].some((file) => file.released);
        if (!playing || nowMs >= this.#stopBy) this.#loop.stop();
        poll.dueMs = nowMs + 5;
      },
    };
    this.#loop.schedule.add(poll);
  }

  #close(): void {
    for (const file of this.#streams) file.abort();
    for (const card of this.#cards) card.close();
    for (const line of this.#lines) line.stop();
    if (this.#mounted) unmountDirectory(this.#config.directory);
    // A read that is under way holds its connection open.
    this.#loop.close();
    for (const channel of this.#channels) channel.close();
  }
}

function sndstat({ name, ...numbers }: DeviceConfig, { cards, clock }: CardHost): CharacterDevice {
  return { device: new SndstatDevice(name, cards, unameLine(), clock), ...numbers };
}

/** What uname(2) says of the kernel. */
function unameLine(): string {
  const version = Deno.readTextFileSync("/proc/sys/kernel/version").trimEnd();
  return `Linux ${Deno.hostname()} ${Deno.osRelease()} ${version} ${Deno.build.arch}`;
}
