// From a specification to the sink or the source.

import { formatByName } from "../pcm/format.ts";
import { FilesSink, isPattern } from "./files.ts";
import { MixedFileSink } from "./mixed.ts";
import { NullSink } from "./null.ts";
import { SilentSource } from "./silence.ts";
import type { Sink } from "./sink.ts";
import type { Source } from "./source.ts";
import type { SinkSpec, SourceSpec } from "./spec.ts";
import { ToneSource } from "./tone.ts";
import { WavSource } from "./wav_source.ts";

/** Makes a sink. Files are not made before the first stream needs them. */
export function openSink(spec: SinkSpec): Sink {
  if (spec.kind === "null") return new NullSink(spec.clock);
  if (isPattern(spec.path)) return new FilesSink(spec.path, spec.kind, spec.clock);
  return new MixedFileSink(spec.path, spec.kind, spec.clock, {
    format: formatByName(spec.format)!,
    rateHz: spec.rateHz,
    channels: spec.channels,
  });
}

/**
 * Makes a source; undefined for none.
 *
 * @throws {Error} if its file is not there, or none that can be played
 */
export function openSource(spec: SourceSpec): Source | undefined {
  const { kind, clock, path, frequencyHz } = spec;
  switch (kind) {
    case "none":
      return undefined;
    case "silence":
      return new SilentSource(clock);
    case "tone":
      return new ToneSource(clock, frequencyHz);
    default:
      try {
        return new WavSource(path, kind === "wav", clock);
      } catch (error) {
        throw new Error(`${path}: ${(error as Error).message} (choose another --source)`);
      }
  }
}
