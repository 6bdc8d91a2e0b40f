// What one ALSA PCM plays: a stream, or the sum of several where the PCM is not to be had twice.
// Where the streams have no sound there is silence, so that it does not stop between.

import type { AlsaPcm } from "./alsa_pcm.ts";
import { LinkState, type Position } from "./link.ts";
import type { ServerStream } from "./server.ts";
import { PlayingVoice } from "./voice.ts";

const TURN_MS = 10;

// What lies in the PCM's buffer: a part of the program's own buffer, which a game makes short if it
// wants to be heard soon. It doubles when the PCM ran dry.
const BUFFER_SHARE = 1 / 4;
const LEAST_LEVEL_MS = 25;
const FIRST_LEVEL_MS = 50;
const MOST_LEVEL_MS = 250;

// Where streams have nothing yet, silence is added only below this share of the level.
const CUSHION_SHARE = 0.5;

// What the device loop may be late by.
const LOOP_MS = 10;

// More sound than we asked for, by this, has come while we were held up in the library.
const EXCESS_MS = 100;

// A PCM that has had nothing to play for so long is stopped.
const IDLE_MS = 1000;

/** A stream in the sum. */
class Voice {
  /** The frame of the PCM after the last one that it has added to. */
  end = 0;
  readonly #voice: PlayingVoice;
  /** Frames of the stream for one of the PCM. */
  readonly #ratio: number;
  readonly #position: Position = { atMs: 0, frames: 0, delayFrames: 0 };
  #flushes = 0;
  /** Whether it was asked for frames that it did not have, and has not had any since. */
  #starved = false;

  constructor(readonly stream: ServerStream, { rateHz, channels }: AlsaPcm) {
    this.#voice = new PlayingVoice(stream, rateHz, channels);
    this.#ratio = stream.rateHz / rateHz;
  }

  /** Whether all that was given to it is in the sum. */
  get empty(): boolean {
    return this.stream.link.filled === 0 && this.#voice.ready(1) === 0;
  }

  /** Forgets what the program has taken back since the last call; whether there was any. */
  flushed(): boolean {
    const { flushes } = this.stream.link;
    if (flushes === this.#flushes) return false;
    this.#flushes = flushes;
    this.#voice.clear();
    this.#starved = false;
    return true;
  }

  /**
   * Tells how much should be under way. In frames of the PCM:
   *
   * @param level what should lie in it
   * @param least what must lie in it, or there is silence
   * @param beyond what lies behind it
   */
  aim(level: number, least: number, beyond: number): void {
    const { link, rateHz, fragmentBytes } = this.stream;
    const late = rateHz * LOOP_MS / 1000;
    const floor = (least + beyond) * this.#ratio + late;
    // The loop waits until there is room for a fragment, or for half of what we want.
    const refill = Math.min(fragmentBytes / link.frameBytes, floor);
    link.target = Math.ceil(Math.max((level + beyond) * this.#ratio + late, floor + refill));
    link.state = LinkState.READY;
    const excess = link.filled - link.target - rateHz * EXCESS_MS / 1000;
    if (excess > 0) link.addLost(link.skip(link.filled - link.target));
    if (!link.running) this.#starved = false;
  }

  /** Frames that it can add at this moment, up to `frames`; none to wait for is Infinity. */
  ready(frames: number): number {
    const ready = this.#voice.ready(frames);
    return ready > 0 || this.stream.link.running ? ready : Infinity;
  }

  /** Adds up to `frames` frames to `mix`, which the PCM will have from its frame `start` on. */
  addTo(mix: Float64Array, frames: number, start: number): void {
    const given = this.#voice.addTo(mix, frames);
    if (given > 0) {
      if (this.#starved) this.stream.link.addXrun();
      this.#starved = false;
      this.end = start + given;
    }
    if (given < frames) this.#starved = true;
  }

  /** Reports where it is while the PCM's frame `heard` is heard. */
  report(atMs: number, heard: number): void {
    const { link } = this.stream;
    const position = this.#position;
    position.atMs = atMs;
    position.frames = link.read;
    const behind = Math.max(0, this.end - heard) * this.#ratio;
    position.delayFrames = Math.round(behind) + this.#voice.heldFrames;
    link.report(position);
  }

  close(): void {
    this.#voice.close();
  }
}

/** A PCM with the streams that it plays. */
export class AlsaOutput {
  readonly direction = "play";
  /** How much sound lies in the PCM. */
  levelMs: number;
  readonly #pcm: AlsaPcm;
  readonly #ended: (stream: ServerStream) => void;
  readonly #voices = new Set<Voice>();
  #idleMs = 0;
  #mix = new Float64Array(0);
  #bytes = new Uint8Array(0);
  /** What the PCM has not taken of `#bytes`: from which byte on, and how many frames. */
  #restStart = 0;
  #rest = 0;

  /**
   * @param first what the PCM was opened for
   * @param levelMs how much this machine has needed to lie in the PCM; 0 if that is not known
   * @param ended told of each stream that is closed and has been heard to its end
   */
  constructor(
    pcm: AlsaPcm,
    first: ServerStream,
    levelMs: number,
    ended: (stream: ServerStream) => void,
  ) {
    this.#pcm = pcm;
    this.#ended = ended;
    const { bufferBytes, link, rateHz } = first;
    const bufferMs = bufferBytes / link.frameBytes * 1000 / rateHz;
    const ownMs = Math.min(FIRST_LEVEL_MS, Math.max(LEAST_LEVEL_MS, bufferMs * BUFFER_SHARE));
    this.levelMs = Math.max(ownMs, levelMs);
    this.add(first);
  }

  /** The streams that it has. */
  get streams(): ServerStream[] {
    return [...this.#voices].map(({ stream }) => stream);
  }

  get empty(): boolean {
    return this.#voices.size === 0;
  }

  add(stream: ServerStream): void {
    this.#voices.add(new Voice(stream, this.#pcm));
  }

  /** Frames that should lie in the PCM. */
  get #level(): number {
    const { rateHz, periodFrames, bufferFrames } = this.#pcm;
    const wanted = Math.max(Math.round(this.levelMs * rateHz / 1000), 2 * periodFrames);
    return Math.min(wanted, bufferFrames);
  }

  /** As `Server.turn`. */
  turn(nowMs: number): number {
    const pcm = this.#pcm;
    this.#flush();
    const active = this.#isActive();
    if (active) this.#idleMs = nowMs;
    if (pcm.running && nowMs - this.#idleMs > IDLE_MS) this.#stop();
    if (!pcm.running) {
      if (active) this.#begin();
      else this.#endVoices(0);
    }
    if (!pcm.running) return Infinity;
    pcm.look();
    const heard = pcm.moved - pcm.delay;
    this.#feed();
    for (const voice of this.#voices) voice.report(pcm.lookedMs, heard);
    this.#endVoices(heard);
    return TURN_MS;
  }

  #flush(): void {
    for (const voice of this.#voices) {
      if (!voice.flushed()) continue;
      // In a sum it cannot be told from the others, which are heard on.
      if (this.#voices.size > 1 || !this.#pcm.running || voice.end === 0) continue;
      this.#stop();
    }
  }

  #stop(): void {
    this.#pcm.drop();
    this.#rest = 0;
    for (const voice of this.#voices) voice.end = 0;
  }

  #isActive(): boolean {
    const heard = this.#pcm.moved - this.#pcm.delay;
    for (const voice of this.#voices) {
      if (voice.stream.link.running || !voice.empty || voice.end > heard) return true;
    }
    return false;
  }

  #begin(): void {
    const pcm = this.#pcm;
    pcm.prepare();
    const cushion = Math.ceil(this.#level * CUSHION_SHARE);
    const silence = new Uint8Array(cushion * this.#frameBytes);
    pcm.format.silence(silence, 0, silence.length);
    pcm.write(silence, cushion);
    // What it had not taken when it ran dry.
    for (const voice of this.#voices) voice.end = this.#rest > 0 ? cushion + this.#rest : 0;
    this.#write();
    pcm.start();
  }

  get #frameBytes(): number {
    return this.#pcm.format.bytes * this.#pcm.channels;
  }

  /** Brings the PCM to its level, as far as there is sound. */
  #feed(): void {
    this.#write();
    if (this.#rest > 0) return;
    const pcm = this.#pcm;
    const level = this.#level;
    const cushion = Math.ceil(level * CUSHION_SHARE);
    const wanted = level - pcm.level;
    let ready = Infinity;
    for (const voice of this.#voices) {
      voice.aim(level, cushion, Math.max(0, pcm.delay - pcm.level));
      if (wanted > 0) ready = Math.min(ready, voice.ready(wanted));
    }
    const frames = Math.max(ready === Infinity ? 0 : Math.min(ready, wanted), cushion - pcm.level);
    if (frames <= 0) return;
    this.#make(frames);
    this.#write();
  }

  /** Makes the next frames of the sum. */
  #make(frames: number): void {
    const { format, channels, moved } = this.#pcm;
    const samples = frames * channels;
    if (this.#mix.length < samples) {
      this.#mix = new Float64Array(samples);
      this.#bytes = new Uint8Array(samples * format.bytes);
    }
    this.#mix.fill(0, 0, samples);
    for (const voice of this.#voices) voice.addTo(this.#mix, frames, moved);
    format.encode(this.#mix, 0, this.#bytes, 0, samples);
    this.#restStart = 0;
    this.#rest = frames;
  }

  /** Writes what was made, as far as the PCM takes it. */
  #write(): void {
    if (this.#rest === 0) return;
    const bytes = this.#restStart === 0 ? this.#bytes : this.#bytes.subarray(this.#restStart);
    const taken = this.#pcm.write(bytes, this.#rest);
    this.#restStart += taken * this.#frameBytes;
    this.#rest -= taken;
  }

  #endVoices(heard: number): void {
    for (const voice of this.#voices) {
      if (!voice.stream.link.closed || !voice.empty || voice.end > heard) continue;
      this.#voices.delete(voice);
      voice.close();
      this.#ended(voice.stream);
    }
  }

  /** The PCM has run dry: it begins anew at the next turn, fuller. */
  recover(): void {
    this.#pcm.running = false;
    this.levelMs = Math.min(MOST_LEVEL_MS, this.levelMs * 2);
    for (const { stream } of this.#voices) if (stream.link.running) stream.link.addXrun();
  }

  close(): void {
    for (const voice of this.#voices) voice.close();
    this.#pcm.close();
  }
}
