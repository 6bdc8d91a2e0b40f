// What the control plane and the data plane say to each other. The data plane sleeps in epoll: who
// sends it an `EngineCommand` writes to its eventfd too.

import type { MessagePort } from "node:worker_threads";
import type { SinkSpec, SourceSpec } from "../backend/spec.ts";
import type { MappedOptions } from "../oss/mapped_playback.ts";
import type { MixerScope } from "../oss/mixer.ts";
import type { AsideLine, FoundKind } from "../server/orders.ts";
import type { TraceTarget } from "../trace/tap.ts";

/** How important a line of the log is. */
export type LogLevel = "error" | "warn" | "info" | "debug";

/** A device file: its name, and its numbers for the cuse front end. */
export interface DeviceConfig {
  readonly name: string;
  readonly major: number;
  readonly minor: number;
}

/** One sound card. */
export interface CardConfig {
  readonly name: string;
  /** Where its sound goes and comes from, in a few words. */
  readonly about: string;
  /** Its dsp and what else leads to the same sink and source, with the `SampleFormat` they open in. */
  readonly dsps: readonly (DeviceConfig & { readonly format: string })[];
  /** Names of pairs of devices, each of which records what is played to the other: "x" is x0 and x1. */
  readonly loopbacks: readonly string[];
  /** Whose streams a program moves on the mixer. */
  readonly mixerScope: MixerScope;
  /** Its mixer, if it has one. */
  readonly mixers: readonly DeviceConfig[];
  readonly sink: SinkSpec;
  readonly source: SourceSpec;
  /** The places among `EngineConfig.lines` of the ways to the servers that these name. */
  readonly sinkLine?: number;
  readonly sourceLine?: number;
}

/** The engine's end of the line to a sound server's thread. */
export interface LineEnd {
  readonly port: MessagePort;
  readonly wakeFd: number;
}

/** What the engine is to serve. */
export interface EngineConfig {
  readonly frontend: "cuse" | "fuse";
  /** The folder to mount on, for the fuse front end. */
  readonly directory: string;
  /** The folder where programs find the devices. */
  readonly folder: string;
  readonly cards: readonly CardConfig[];
  /** The status device, if there is one. */
  readonly sndstat?: DeviceConfig;
  readonly mappedOptions: MappedOptions;
  /** Whether opens are made for mapping where the kernel wants to know that beforehand. */
  readonly mapsAlways: boolean;
  /** The ways to the servers that the cards name, one for all that name the same. */
  readonly lines: readonly LineEnd[];
  readonly maxStreams: number;
  /** Where what programs do is told, if it is. */
  readonly trace?: TraceTarget;
  /** Whether the time is a script's, which is told by a device of its own. */
  readonly scripted: boolean;
  /** The eventfd that wakes the engine for a command. */
  readonly wakeFd: number;
}

/** From the control plane to the engine. */
export type EngineCommand =
  /** End; first let what programs have closed already be played to its end. */
  { readonly type: "stop" };

/** From the engine to the control plane. */
export type EngineEvent =
  /** The devices exist, at these paths. */
  | { readonly type: "ready"; readonly paths: readonly string[] }
  | { readonly type: "log"; readonly level: LogLevel; readonly message: string }
  /** From a server's thread: it needs the other end of a line to be served. */
  | { readonly type: "aside"; readonly line: AsideLine }
  /** From a server's thread: it wants to know whether there is a server of a kind. */
  | { readonly type: "look"; readonly kind: FoundKind }
  /** The devices could not be brought up. */
  | { readonly type: "failed"; readonly message: string }
  /** The engine has ended and left nothing behind. */
  | { readonly type: "stopped" };
