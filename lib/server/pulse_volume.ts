// The volume of a stream that plays at a PulseAudio server, both ways: what a program moves on OSS's
// mixer is moved there, and what is moved there is told to the mixer.
//
// Percent are the same on both sides: OSS's levels are cubes here (lib/pcm/volume.ts), and so are
// PulseAudio's volumes. What is above 100 % there is 100 here, until somebody moves it here.

import {
  PA_STREAM_START_MUTED,
  PA_STREAM_START_UNMUTED,
  SinkInputVolume,
} from "../../ffi/pulse.ts";
import { FULL_LEVEL, LEVEL_MUTED, setGain } from "../pcm/volume.ts";
import type { StreamLink } from "./link.ts";
import type { Connection } from "./pulse_connection.ts";
import { Operation, type Query } from "./pulse_operation.ts";

const NORM = 0x10000; // PA_VOLUME_NORM, 100 %

// PipeWire's session manager gives a stream that begins the volume that it remembers, whatever it was
// made with. What is moved so soon has not been moved by anybody.
const SETTLE_MS = 1000;

/** The volume of each channel that a level comes to; mono is the mean of the gains, as everywhere. */
export function volumesOf(level: number, channels: number): number[] {
  const sides = [level & 0xff, level >>> 8 & 0xff].map((percent) => percent / 100);
  if (channels === 1) {
    const gain = { left: 1, right: 1 };
    setGain(gain, level & ~LEVEL_MUTED);
    return [Math.round(Math.cbrt((gain.left + gain.right) / 2) * NORM)];
  }
  return Array.from({ length: channels }, (_, channel) => Math.round(sides[channel & 1] * NORM));
}

/** The level that a volume of each channel comes to, from the first two. */
export function levelOf(volumes: readonly number[], isMuted: boolean): number {
  const [left, right] = [volumes[0], volumes[1] ?? volumes[0]].map((volume) =>
    Math.min(100, Math.round(volume * 100 / NORM))
  );
  return left | right << 8 | (isMuted ? LEVEL_MUTED : 0);
}

/** The volume of one stream at one server. */
export class PulseVolume {
  /** What the stream is connected with: undefined for the server's choice, which may remember one. */
  readonly volumes: readonly number[] | undefined;
  /** Flags to connect it with. */
  readonly flags: number;
  readonly #connection: Connection;
  readonly #link: StreamLink;
  readonly #channels: number;
  /** Called when `turn` has something to do. */
  readonly #onTouch: () => void;
  /** The stream's number there; undefined until it has one. */
  #index: number | undefined;
  /** Until when it is to be what the stream was connected with. */
  #settledMs = 0;
  /** The loop's moves that have been made there. */
  #moves: number;
  /** What it is there, as a level, as far as we know. */
  #known: number;
  #setting: Operation | undefined;
  #muting: Operation | undefined;
  /** Whether something of the stream has changed there since we last asked. */
  #isChanged = true;
  #query: Query<SinkInputVolume> | undefined;

  constructor(connection: Connection, link: StreamLink, channels: number, onTouch: () => void) {
    this.#connection = connection;
    this.#link = link;
    this.#channels = channels;
    this.#onTouch = onTouch;
    const { level } = link;
    this.#moves = link.levelMoves;
    this.#known = level === undefined ? FULL_LEVEL : this.#rounded(level);
    this.volumes = level === undefined ? undefined : volumesOf(level, channels);
    const isMuted = level !== undefined && (level & LEVEL_MUTED) !== 0;
    const flag = isMuted ? PA_STREAM_START_MUTED : PA_STREAM_START_UNMUTED;
    this.flags = level === undefined ? 0 : flag;
  }

  /** A level as it comes back from there: a mono stream has one side. */
  #rounded(level: number): number {
    return levelOf(volumesOf(level, this.#channels), (level & LEVEL_MUTED) !== 0);
  }

  /**
   * Makes the moves of one side on the other, once the server has the stream.
   *
   * @param index its number there
   * @param nowMs milliseconds
   */
  turn(index: number, nowMs: number): void {
    if (this.#index === undefined) {
      this.#index = index;
      if (this.volumes) this.#settledMs = nowMs + SETTLE_MS;
      this.#connection.onChange.set(index, () => {
        this.#isChanged = true;
        this.#onTouch();
      });
    }
    if (this.#link.levelMoves !== this.#moves) this.#move(index);
    if (this.#isChanged && !this.#query) {
      this.#isChanged = false;
      this.#query = this.#connection.volumeOf(index, this.#onTouch);
    }
    if (this.#query?.done) this.#learn(this.#query.answer, nowMs);
  }

  #move(index: number): void {
    const { library, context } = this.#connection;
    const moves = this.#link.levelMoves;
    const level = this.#link.level!;
    // What it was before does not matter any more.
    this.#query?.cancel();
    this.#query = undefined;
    this.#isChanged = true;
    this.#setting?.cancel();
    const volume = SinkInputVolume.encode(volumesOf(level, this.#channels));
    this.#setting = new Operation(
      library,
      library.pa_context_set_sink_input_volume(context, index, volume, null, null),
    );
    const isMuted = (level & LEVEL_MUTED) !== 0;
    if (isMuted !== ((this.#known & LEVEL_MUTED) !== 0)) {
      this.#muting?.cancel();
      this.#muting = new Operation(
        library,
        library.pa_context_set_sink_input_mute(context, index, Number(isMuted), null, null),
      );
    }
    this.#known = this.#rounded(level);
    this.#moves = moves;
  }

  #learn(answer: SinkInputVolume | undefined, nowMs: number): void {
    this.#query = undefined;
    if (!answer) return;
    const level = levelOf(answer.volumes, answer.isMuted);
    if (level === this.#known) return;
    this.#known = level;
    if (nowMs < this.#settledMs) return this.#move(this.#index!);
    this.#link.tellLevel(level, this.#moves);
  }

  close(): void {
    if (this.#index !== undefined) this.#connection.onChange.delete(this.#index);
    this.#query?.cancel();
    this.#setting?.cancel();
    this.#muting?.cancel();
  }
}
