// From a sink's specification to the sink.

import { formatByName } from "../pcm/format.ts";
import { FilesSink, isPattern } from "./files.ts";
import { MixedFileSink } from "./mixed.ts";
import { NullSink } from "./null.ts";
import type { Sink } from "./sink.ts";
import type { SinkSpec } from "./spec.ts";

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
