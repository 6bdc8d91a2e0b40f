// A stream whose channels belong to chosen loudspeakers: a sink gets it as one of more channels, and
// hears silence in the others.

import type { Placement } from "../pcm/channels.ts";
import type { Client, PcmParameters, Sink, SinkStream, StreamVolume } from "./sink.ts";

class PlacedStream implements SinkStream {
  readonly #stream: SinkStream;
  readonly #parameters: PcmParameters;
  readonly #placement: Placement;
  #wide = new Uint8Array(0);

  constructor(stream: SinkStream, parameters: PcmParameters, placement: Placement) {
    this.#stream = stream;
    this.#parameters = parameters;
    this.#placement = placement;
  }

  write(bytes: Uint8Array<ArrayBuffer>, frames: number, nowMs: number): void {
    const { format, channels } = this.#parameters;
    const { places, channels: wideChannels } = this.#placement;
    const wideBytes = frames * wideChannels * format.bytes;
    if (this.#wide.length < wideBytes) {
      this.#wide = new Uint8Array(wideBytes);
      format.silence(this.#wide, 0, wideBytes);
    }
    for (let channel = 0; channel < channels; channel++) {
      for (const place of places[channel]) this.#fill(bytes, channel, place, frames);
    }
    this.#stream.write(this.#wide, frames, nowMs);
  }

  #fill(bytes: Uint8Array, channel: number, place: number, frames: number): void {
    const { format, channels } = this.#parameters;
    const size = format.bytes;
    let from = channel * size;
    let to = place * size;
    for (let frame = 0; frame < frames; frame++) {
      for (let i = 0; i < size; i++) this.#wide[to + i] = bytes[from + i];
      from += channels * size;
      to += this.#placement.channels * size;
    }
  }

  get free(): boolean {
    return this.#stream.free;
  }

  get volume(): StreamVolume | undefined {
    return this.#stream.volume;
  }

  get leadFrames(): number {
    return this.#stream.leadFrames;
  }

  start(nowMs: number): void {
    this.#stream.start(nowMs);
  }

  stop(nowMs: number): void {
    this.#stream.stop(nowMs);
  }

  discard(nowMs: number): void {
    this.#stream.discard(nowMs);
  }

  delay(nowMs: number): number {
    return this.#stream.delay(nowMs);
  }

  room(nowMs: number, aheadFrames: number): number {
    return this.#stream.room(nowMs, aheadFrames);
  }

  timeOfRoom(frames: number, nowMs: number, aheadFrames: number): number {
    return this.#stream.timeOfRoom(frames, nowMs, aheadFrames);
  }

  unkeptFrames(): number {
    return this.#stream.unkeptFrames();
  }

  close(): void {
    this.#stream.close();
  }
}

/**
 * Opens a stream whose frames are written as `parameters` says, and heard where they are placed.
 *
 * @param level as `Sink.open` has it
 * @throws {SystemError} if the sink cannot take it
 */
export function openPlaced(
  sink: Sink,
  parameters: PcmParameters,
  placement: Placement,
  client: Client,
  level?: number,
): SinkStream {
  const { channels } = placement;
  const scaled = (bytes?: number) => bytes && bytes / parameters.channels * channels;
  const wide = {
    ...parameters,
    channels,
    fragmentBytes: scaled(parameters.fragmentBytes),
    bufferBytes: scaled(parameters.bufferBytes),
  };
  return new PlacedStream(sink.open(wide, client, level), parameters, placement);
}
