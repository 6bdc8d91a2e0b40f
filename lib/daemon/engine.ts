// The data plane: devices, their front end, the sink and the source in one loop, until it is told to
// stop.

import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { Loopback, MonitoredSink } from "../backend/loopback.ts";
import { mixParameters, openSink, openSource } from "../backend/open.ts";
import { ServerLine } from "../backend/server.ts";
import type { Sink } from "../backend/sink.ts";
import type { Source } from "../backend/source.ts";
import { type DeviceHost, DspDevice } from "../device/dsp.ts";
import { MixerDevice } from "../device/mixer.ts";
import { type Channel, warnOfAnswer } from "../fuse/channel.ts";
import { createCharacterDevice } from "../fuse/cuse.ts";
import { Directory } from "../fuse/directory.ts";
import { mountDirectory, unmountDirectory } from "../fuse/mount.ts";
import { Mixer } from "../oss/mixer.ts";
import { EpollLoop } from "./epoll_loop.ts";
import type { Loop } from "./loop.ts";
import type { DeviceNumbers, EngineCommand, EngineConfig, EngineEvent } from "./messages.ts";
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
  readonly #sink: Sink;
  readonly #source: Source | undefined;
  readonly #lines: ReadonlySet<ServerLine>;
  readonly #dsps: DspDevice[];
  readonly #mixers: readonly MixerDevice[];
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
    this.#loop = UringLoop.create(onWriteError) ?? new EpollLoop(onWriteError);
    const { sinkLine, sourceLine } = config;
    const toSink = sinkLine && new ServerLine(sinkLine.port, sinkLine.wakeFd);
    const toSource = sourceLine === sinkLine
      ? toSink
      : sourceLine && new ServerLine(sourceLine.port, sourceLine.wakeFd);
    this.#lines = new Set([toSink, toSource].filter((line) => line !== undefined));
    const sink = openSink(config.sink, toSink);
    const monitor = config.source.kind === "monitor" ? this.#loopback() : undefined;
    this.#sink = monitor ? new MonitoredSink(sink, monitor.sink) : sink;
    this.#source = monitor ?? openSource(config.source, toSource);
    const mixer = new Mixer();
    const host: DeviceHost = {
      sink: this.#sink,
      source: this.#source,
      mixer,
      schedule: this.#loop.schedule,
      clock: this.#loop.clock,
      maxStreams: config.maxStreams,
      mappedOptions: config.mappedOptions,
      mapsAlways: config.mapsAlways,
      log: (level, message) => this.#tell({ type: "log", level, message }),
    };
    this.#dsps = config.dsps.map(({ name }) => new DspDevice(name, host));
    for (const name of config.loopbacks) {
      const [one, other] = [this.#loopback(), this.#loopback()];
      this.#dsps.push(
        new DspDevice(`${name}0`, { ...host, sink: one.sink, source: other }),
        new DspDevice(`${name}1`, { ...host, sink: other.sink, source: one }),
      );
    }
    this.#mixers = config.mixers.map(({ name }) => new MixerDevice(name, mixer));
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

  #loopback(): Loopback {
    return new Loopback(this.#config.sink.clock, mixParameters(this.#config.sink));
  }

  #warn(message: string): void {
    this.#tell({ type: "log", level: "warn", message });
  }

  #open(): void {
    const { frontend, directory, dsps, mixers } = this.#config;
    const warn = (message: string) => this.#warn(message);
    if (frontend === "fuse") {
      const devices = [...this.#dsps, ...this.#mixers];
      const channel = mountDirectory(directory, new Directory(devices), warn);
      this.#mounted = true;
      this.#serve(channel);
      this.#tell({ type: "ready", paths: devices.map(({ name }) => `${directory}/${name}`) });
      return;
    }
    const create = (device: DspDevice | MixerDevice, numbers: DeviceNumbers) => {
      const { major, minor } = numbers;
      this.#serve(createCharacterDevice({ device, major, minor }, warn));
      return `/dev/${device.name}`;
    };
    const paths = [
      // Loopbacks have no numbers of OSS's: the kernel chooses.
      ...this.#dsps.map((device, i) => create(device, dsps[i] ?? { major: 0, minor: 0 })),
      ...this.#mixers.map((device, i) => create(device, mixers[i])),
    ];
    this.#tell({ type: "ready", paths });
  }

  #serve(channel: Channel): void {
    this.#channels.push(channel);
    const { fd, buffer } = channel;
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
    channel.writeAside = this.#loop.writeAside;
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
    this.#stopBy = performance.now() + DRAIN_LIMIT_MS;
    const poll = {
      dueMs: 0,
      run: () => {
        const nowMs = this.#loop.clock.now();
        const playing = this.#dsps.some((dsp) => [...dsp.files].some((file) => file.released));
        if (!playing || nowMs >= this.#stopBy) this.#loop.stop();
        poll.dueMs = nowMs + 5;
      },
    };
    this.#loop.schedule.add(poll);
  }

  #close(): void {
    for (const dsp of this.#dsps) for (const file of dsp.files) file.abort();
    this.#sink.close();
    this.#source?.close();
    for (const line of this.#lines) line.stop();
    if (this.#mounted) unmountDirectory(this.#config.directory);
    // A read that is under way holds its connection open.
    this.#loop.close();
    for (const channel of this.#channels) channel.close();
  }
}
