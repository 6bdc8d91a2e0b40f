// What the control plane and the data plane say to each other. The data plane sleeps in epoll: who
// sends it an `EngineCommand` writes to its eventfd too.

import type { MessagePort } from "node:worker_threads";
import type { SinkSpec, SourceSpec } from "../backend/spec.ts";
import type { MappedOptions } from "../oss/mapped_playback.ts";

/** How important a line of the log is. */
export type LogLevel = "error" | "warn" | "info" | "debug";

/** A character device's numbers. */
export interface DeviceNumbers {
  readonly major: number;
  readonly minor: number;
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
  /** Names of the dsp devices, and of the mixer, and their numbers for the cuse front end. */
  readonly dsps: readonly (DeviceNumbers & { readonly name: string })[];
  /** Names of pairs of devices, each of which records what is played to the other: "x" is x0 and x1. */
  readonly loopbacks: readonly string[];
  readonly mixers: readonly (DeviceNumbers & { readonly name: string })[];
  readonly sink: SinkSpec;
  readonly source: SourceSpec;
  readonly mappedOptions: MappedOptions;
  /** Whether opens are made for mapping where the kernel wants to know that beforehand. */
  readonly mapsAlways: boolean;
  /** The ways to the servers that `sink` and `source` name, one and the same if they name the same. */
  readonly sinkLine?: LineEnd;
  readonly sourceLine?: LineEnd;
  readonly maxStreams: number;
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
  /** The devices could not be brought up. */
  | { readonly type: "failed"; readonly message: string }
  /** The engine has ended and left nothing behind. */
  | { readonly type: "stopped" };
