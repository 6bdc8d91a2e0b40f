// An ALSA PCM: opened in what it takes of the parameters that are wanted, moved at its own clock,
// or at the sample rate if it has none.
//
// Frames are counted from the start. Calls that fail throw an AlsaError.

import {
  AlsaError,
  type Asound,
  asound,
  checked,
  SND_PCM_ACCESS_RW_INTERLEAVED,
  SND_PCM_FORMATS,
  SND_PCM_NONBLOCK,
  SND_PCM_STREAM_CAPTURE,
  SND_PCM_STREAM_PLAYBACK,
} from "../../ffi/asound.ts";
import { cString, EAGAIN } from "../../ffi/libc.ts";
import { formatByName, type SampleFormat } from "../pcm/format.ts";
import { epochMs, type ServerStream } from "./server.ts";

// What is asked of the PCM's own buffer. Playing, it is not filled; recording, it is what may pile
// up while the thread is held up.
const BUFFER_US = 500_000;
const PERIOD_US = 10_000;

// Where a stream's format is not taken: the most faithful first.
const SUBSTITUTES = [
  ...["s32le", "s32be", "s24le", "s24packed", "s24be", "f32le", "s16le", "s16be", "u16le", "u16be"],
  ...["u8", "s8"],
];

// Channels that can be mapped.
const MOST_CHANNELS = 8;

function open(name: string, direction: ServerStream["direction"]): Deno.PointerObject {
  const opened = new BigUint64Array(1);
  const stream = direction === "play" ? SND_PCM_STREAM_PLAYBACK : SND_PCM_STREAM_CAPTURE;
  checked(
    asound().snd_pcm_open(
      new Uint8Array(opened.buffer),
      cString(name),
      stream,
      SND_PCM_NONBLOCK,
    ),
    "snd_pcm_open",
  );
  return Deno.UnsafePointer.create(opened[0])!;
}

/**
 * Opens a PCM for playing and closes it again. Nothing is heard.
 *
 * @throws {Error} if it cannot be had now
 */
export function tryPcm(name: string): void {
  asound().snd_pcm_close(open(name, "play"));
}

/** An open PCM. */
export class AlsaPcm {
  /** What it takes or gives. */
  readonly format: SampleFormat;
  readonly rateHz: number;
  readonly channels: number;
  /** Frames of its buffer, and between two of its interrupts. */
  readonly bufferFrames: number;
  readonly periodFrames: number;
  /** Whether sound moves. */
  running = false;
  /** Frames written or read since the start. */
  moved = 0;
  /** As `look` saw them: when that was, in milliseconds since the epoch, */
  lookedMs = 0;
  /** frames in its buffer, */
  level = 0;
  /** and until the next frame that is written is heard, or since the next one to be read was. */
  delay = 0;

  readonly #asound: Asound;
  readonly #handle: Deno.PointerObject;
  readonly #playing: boolean;
  readonly #frames = new Int32Array(4); // two of snd_pcm_sframes_t, and of those the low halves
  readonly #avail = new Uint8Array(this.#frames.buffer, 0, 8);
  readonly #delay = new Uint8Array(this.#frames.buffer, 8, 8);
  #startMs = 0;
  /** Whether it takes, or gives, everything at once; undefined until that has shown. */
  #clockless: boolean | undefined;

  /** Opens the PCM of a name for a stream, in the parameters of that if it takes them. */
  constructor(name: string, { direction, format, rateHz, channels }: ServerStream) {
    const library = asound();
    this.#asound = library;
    this.#playing = direction === "play";
    this.#handle = open(name, direction);
    try {
      const hardware = new Uint8Array(library.snd_pcm_hw_params_sizeof());
      this.#refine("any", hardware);
      this.#refine("set_access", hardware, SND_PCM_ACCESS_RW_INTERLEAVED);
      this.#refine("set_rate_resample", hardware, 0); // ours is better than most of its
      this.format = this.#setFormat(hardware, format);
      this.channels = this.#setNear("set_channels_near", hardware, channels);
      this.rateHz = this.#setNear("set_rate_near", hardware, rateHz);
      this.#setNear("set_buffer_time_near", hardware, BUFFER_US);
      this.#setNear("set_period_time_near", hardware, PERIOD_US);
      checked(library.snd_pcm_hw_params(this.#handle, hardware), "snd_pcm_hw_params");
      if (this.channels > MOST_CHANNELS) {
        throw new Error(`it takes no less than ${this.channels} channels (name a plug: of it)`);
      }
      const { snd_pcm_get_params } = library;
      checked(snd_pcm_get_params(this.#handle, this.#avail, this.#delay), "snd_pcm_get_params");
      [this.bufferFrames, , this.periodFrames] = this.#frames;
      this.#setSoftware();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #refine(
    step: "any" | "set_access" | "set_rate_resample" | "set_format",
    hardware: Uint8Array<ArrayBuffer>,
    value = 0,
  ): void {
    const name = `snd_pcm_hw_params_${step}` as const;
    checked(this.#asound[name](this.#handle, hardware, value), name);
  }

  #setNear(
    step:
      | "set_channels_near"
      | "set_rate_near"
      | "set_buffer_time_near"
      | "set_period_time_near",
    hardware: Uint8Array<ArrayBuffer>,
    wanted: number,
  ): number {
    const value = new Uint32Array([wanted]);
    const name = `snd_pcm_hw_params_${step}` as const;
    const bytes = new Uint8Array(value.buffer);
    checked(this.#asound[name](this.#handle, hardware, bytes, null), name);
    return value[0];
  }

  #setFormat(hardware: Uint8Array<ArrayBuffer>, wanted: SampleFormat): SampleFormat {
    const { snd_pcm_hw_params_set_format } = this.#asound;
    for (const name of [wanted.name, ...SUBSTITUTES]) {
      const number = SND_PCM_FORMATS[name];
      if (snd_pcm_hw_params_set_format(this.#handle, hardware, number) === 0) {
        return formatByName(name)!;
      }
    }
    throw new Error("it takes no linear samples");
  }

  // Nothing starts it but `start`; and where it is not fed in time, what it has played already is
  // not heard again.
  #setSoftware(): void {
    const library = this.#asound;
    const software = new Uint8Array(library.snd_pcm_sw_params_sizeof());
    checked(library.snd_pcm_sw_params_current(this.#handle, software), "snd_pcm_sw_params_current");
    const boundary = new BigUint64Array(1);
    library.snd_pcm_sw_params_get_boundary(software, new Uint8Array(boundary.buffer));
    library.snd_pcm_sw_params_set_start_threshold(this.#handle, software, boundary[0]);
    if (this.#playing) {
      library.snd_pcm_sw_params_set_silence_size(this.#handle, software, boundary[0]);
    }
    checked(library.snd_pcm_sw_params(this.#handle, software), "snd_pcm_sw_params");
  }

  /** Makes it ready to be started, with nothing in it. */
  prepare(): void {
    checked(this.#asound.snd_pcm_prepare(this.#handle), "snd_pcm_prepare");
    this.moved = this.level = this.delay = 0;
  }

  /** Starts it; playing, with what has been written since `prepare`. */
  start(): void {
    checked(this.#asound.snd_pcm_start(this.#handle), "snd_pcm_start");
    this.#startMs = epochMs();
    this.#clockless = undefined;
    this.running = true;
  }

  /** Stops it, and drops what is in it. */
  drop(): void {
    this.running = false;
    checked(this.#asound.snd_pcm_drop(this.#handle), "snd_pcm_drop");
  }

  /** Sees where it is. */
  look(): void {
    const { snd_pcm_avail_delay } = this.#asound;
    checked(snd_pcm_avail_delay(this.#handle, this.#avail, this.#delay), "snd_pcm_avail_delay");
    // Not before it: to a thread that is held up between, a clock would seem too fast to be one.
    this.lookedMs = epochMs();
    const avail = this.#frames[0];
    this.level = this.#playing ? this.bufferFrames - avail : avail;
    this.delay = Math.max(0, this.#frames[2]);
    const due = (this.lookedMs - this.#startMs) * this.rateHz / 1000;
    const byRate = this.#playing ? this.moved - due : due - this.moved;
    this.#clockless ??= this.#seemsClockless(byRate);
    if (!this.#clockless) return;
    // What it has not been fed in time it has not missed.
    if (this.#playing && byRate < 0) {
      this.#startMs = this.lookedMs - this.moved * 1000 / this.rateHz;
    }
    this.level = this.delay = Math.max(0, Math.min(this.bufferFrames, Math.floor(byRate)));
  }

  // A PCM like `null` has always played all that was written, and recorded a bufferful.
  #seemsClockless(byRate: number): boolean | undefined {
    const telling = this.rateHz / 200; // 5 ms: more than a clock goes wrong at the start
    if (!this.#playing) return this.level > byRate + this.bufferFrames / 2;
    return byRate < telling ? undefined : this.level === 0 && this.delay === 0;
  }

  /** Writes frames from `bytes`' start; returns how many it took. */
  write(bytes: Uint8Array<ArrayBuffer>, frames: number): number {
    return this.#move(this.#asound.snd_pcm_writei(this.#handle, bytes, frames), "snd_pcm_writei");
  }

  /** Reads up to `frames` frames to `bytes`' start; returns how many there were. */
  read(bytes: Uint8Array<ArrayBuffer>, frames: number): number {
    return this.#move(this.#asound.snd_pcm_readi(this.#handle, bytes, frames), "snd_pcm_readi");
  }

  #move(result: number, call: string): number {
    const frames = result === -EAGAIN ? 0 : checked(result, call);
    this.moved += frames;
    return frames;
  }

  close(): void {
    this.#asound.snd_pcm_close(this.#handle);
  }
}

/** Whether a PCM, or what is behind it, is in use by somebody who does not share. */
export function isBusy(error: unknown): boolean {
  const EBUSY = 16;
  return error instanceof AlsaError && error.errno === EBUSY;
}
