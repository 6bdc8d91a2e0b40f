// One sound card: a sink, a source and a mixer, and the devices in front of them.

import type { FileCalls } from "../../ffi/file_calls.ts";
import { type Faults, FaultySink, FaultySource } from "../backend/faults.ts";
import { Loopback, MonitoredSink } from "../backend/loopback.ts";
import { mixParameters, openSink, openSource } from "../backend/open.ts";
import type { ServerLine } from "../backend/server.ts";
import type { Sink } from "../backend/sink.ts";
import type { Source } from "../backend/source.ts";
import { type DeviceHost, DspDevice } from "../device/dsp.ts";
import { MixerDevice } from "../device/mixer.ts";
import type { CharacterDevice } from "../fuse/device.ts";
import type { AudioInfo, CardInfo, Cards, MixerInfo } from "../oss/cards.ts";
import { Mixer } from "../oss/mixer.ts";
import { prepareSlips } from "../pcm/drift.ts";
import { formatByName } from "../pcm/format.ts";
import type { CardConfig } from "./messages.ts";

// Loopbacks have no numbers of OSS's: the kernel chooses.
const ANY_NUMBER = { major: 0, minor: 0 };

/** What all cards share: the loop that they live in, its streams, and the list that they enter. */
export interface CardHost
  extends Omit<DeviceHost, "sink" | "source" | "drifts" | "mixer" | "audio"> {
  readonly cards: Cards & {
    readonly cards: CardInfo[];
    readonly audios: AudioInfo[];
    readonly mixers: MixerInfo[];
  };
  /** The folder where programs find the devices. */
  readonly folder: string;
  /** How the system calls on sound files are made. */
  readonly files: FileCalls;
  /** What a script makes go wrong; undefined where none can. */
  readonly faults: Faults | undefined;
}

/** A card of a configuration. */
export class Card {
  /** Its devices. */
  readonly devices: readonly CharacterDevice[];
  readonly #config: CardConfig;
  readonly #host: CardHost;
  readonly #sink: Sink;
  readonly #source: Source | undefined;
  readonly #mixer: Mixer;
  /** Its own place among the cards. */
  readonly #number: number;

  /** @param lines the ways to the servers, by the numbers that the configuration has for them */
  constructor(config: CardConfig, lines: readonly ServerLine[], host: CardHost) {
    this.#config = config;
    this.#host = host;
    this.#mixer = new Mixer(config.mixerScope);
    const { name, about, dsps, loopbacks, mixers, sink, source, sinkLine, sourceLine } = config;
    this.#number = host.cards.cards.push({ name, about }) - 1;
    const played = openSink(sink, host.files, sinkLine === undefined ? undefined : lines[sinkLine]);
    const monitor = source.kind === "monitor" ? this.#loopback() : undefined;
    const heard = monitor ? new MonitoredSink(played, monitor.sink) : played;
    const recorded = monitor ??
      openSource(source, host.files, sourceLine === undefined ? undefined : lines[sourceLine]);
    const { faults, clock } = host;
    const now = () => clock.now();
    this.#sink = faults ? new FaultySink(heard, faults, now) : heard;
    this.#source = faults && recorded ? new FaultySource(recorded, faults, now) : recorded;
    // What a server's clock keeps, ours or another's does not; a monitor follows its sink's.
    const drifts = (sinkLine ?? sourceLine) !== undefined && !monitor;
    if (drifts) prepareSlips();
    const mixer = mixers.length > 0 ? host.cards.mixers.length : -1;
    const ofMixers = mixers.map(({ name, ...numbers }) => this.#mixerDevice(name, numbers));
    // All files of a card lead to the same, so they are one device.
    const audio = dsps.length > 0
      ? this.#audio(dsps[0].name, `${name}: ${about}`, {
        sink: this.#sink,
        source: this.#source,
        drifts,
        mixer,
      })
      : undefined;
    const ofDsps = dsps.map(({ name, format, ...numbers }) => ({
      device: new DspDevice(name, audio!, formatByName(format)),
      ...numbers,
    }));
    const ofLoops = loopbacks.flatMap((loop) => {
      const [one, other] = [this.#loopback(), this.#loopback()];
      const end = (name: string, about: string, sink: Sink, source: Source) => ({
        device: new DspDevice(
          name,
          this.#audio(name, about, { sink, source, drifts: false, mixer }),
        ),
        ...ANY_NUMBER,
      });
      return [
        end(`${loop}0`, `loopback to ${loop}1`, one.sink, other),
        end(`${loop}1`, `loopback to ${loop}0`, other.sink, one),
      ];
    });
    this.devices = [...ofDsps, ...ofLoops, ...ofMixers];
  }

  #loopback(): Loopback {
    const { sink } = this.#config;
    return new Loopback(sink.clock, mixParameters(sink), sink.resample);
  }

  /** An audio device, as the files that lead to it need it; `mixer` is the number that programs see. */
  #audio(
    file: string,
    name: string,
    { mixer, ...ways }: Pick<DeviceHost, "sink" | "source" | "drifts"> & { mixer: number },
  ): DeviceHost {
    const host = this.#host;
    const path = `${host.folder}/${file}`;
    const records = ways.source !== undefined;
    const audio = host.cards.audios.push({ card: this.#number, mixer, name, path, records }) - 1;
    return { ...host, ...ways, mixer: this.#mixer, audio };
  }

  #mixerDevice(name: string, numbers: typeof ANY_NUMBER): CharacterDevice {
    const { cards, folder } = this.#host;
    cards.mixers.push({
      card: this.#number,
      name: this.#config.name,
      path: `${folder}/${name}`,
      mixer: this.#mixer,
    });
    return { device: new MixerDevice(name, this.#mixer, cards), ...numbers };
  }

  /** Completes what was played. No stream is used after this. */
  close(): void {
    this.#sink.close();
    this.#source?.close();
  }
}
