// From a specification to the sink or the source.

import type { FileCalls } from "../../ffi/file_calls.ts";
import { formatByName } from "../pcm/format.ts";
import { FilesSink, isPattern } from "./files.ts";
import { MixedSink } from "./mixed.ts";
import { NullSink } from "./null.ts";
import { type ServerLine, ServerSink, ServerSource } from "./server.ts";
import { SilentSource } from "./silence.ts";
import { OutputFile } from "./output.ts";
import type { PcmParameters, Sink } from "./sink.ts";
import type { Source } from "./source.ts";
import type { SinkSpec, SourceSpec } from "./spec.ts";
import { ToneSource } from "./tone.ts";
import { WavSource } from "./wav_source.ts";

/**
 * Makes a sink. Files are not made before the first stream needs them.
 *
 * @param calls how files' system calls are made
 * @param line the way to the server of a kind that is one
 */
export function openSink(spec: SinkSpec, calls: FileCalls, line?: ServerLine): Sink {
  if (line) return new ServerSink(line, spec.onLoss, spec.resample);
  if (spec.kind === "null") return new NullSink(spec.clock);
  const kind = spec.kind === "wav" ? "wav" : "raw";
  if (isPattern(spec.path)) return new FilesSink(spec.path, kind, spec.clock, calls);
  const parameters = mixParameters(spec);
  const openFile = () => new OutputFile(spec.path, kind, parameters, calls);
  return new MixedSink(openFile, spec.clock, parameters, spec.resample);
}

/** What all streams are mixed to, where they are. */
export function mixParameters({ format, rateHz, channels }: SinkSpec): PcmParameters {
  return { format: formatByName(format)!, rateHz, channels };
}

/**
 * Makes a source; undefined for none.
 *
 * @param calls how a file is read
 * @param line the way to the server of a kind that is one
 * @throws {Error} if its file is not there, or none that can be played
 */
export function openSource(
  spec: SourceSpec,
  calls: FileCalls,
  line?: ServerLine,
): Source | undefined {
  if (line) return new ServerSource(line, spec.onLoss, spec.resample);
  const { kind, clock, resample, path, frequencyHz } = spec;
  switch (kind) {
    case "none":
    case "monitor": // the engine's, which has the sink
      return undefined;
    case "silence":
      return new SilentSource(clock);
    case "tone":
      return new ToneSource(clock, frequencyHz);
    default:
      try {
        return new WavSource(path, kind === "wav", clock, resample, calls);
      } catch (error) {
        throw new Error(`${path}: ${(error as Error).message} (choose another --source)`);
      }
  }
}
