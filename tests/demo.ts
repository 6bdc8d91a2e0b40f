// The main job in a few seconds: makes a tune, brings the devices up, plays the tune through
// /dev/dsp from a process of its own, and compares what arrived with what was sent.

import { parseWav } from "../lib/pcm/wav.ts";

const RATE_HZ = 48000;
const CHANNELS = 2;
const ROOT = new URL("..", import.meta.url).pathname;

/** A little arpeggio, 16 bit little-endian stereo. */
function tune(): Int16Array<ArrayBuffer> {
  const notesHz = [440, 554.37, 659.26, 880, 659.26, 554.37, 440];
  const noteFrames = Math.round(RATE_HZ * 0.25);
  const samples = new Int16Array(notesHz.length * noteFrames * CHANNELS);
  notesHz.forEach((hz, note) => {
    for (let i = 0; i < noteFrames; i++) {
      const fade = Math.exp(-4 * i / noteFrames) * Math.min(1, i / 200);
      const phase = 2 * Math.PI * hz * i / RATE_HZ;
      const at = (note * noteFrames + i) * CHANNELS;
      samples[at] = Math.round(24000 * fade * Math.sin(phase));
      samples[at + 1] = Math.round(24000 * fade * Math.sin(phase * 2));
    }
  });
  return samples;
}

/** The left channel's peaks as a line of text. */
function waveform(samples: Int16Array, columns: number): string {
  const blocks = " ▁▂▃▄▅▆▇█";
  const step = Math.floor(samples.length / CHANNELS / columns) * CHANNELS;
  return Array.from({ length: columns }, (_, column) => {
    let peak = 0;
    for (let i = column * step; i < (column + 1) * step; i += CHANNELS) {
      peak = Math.max(peak, Math.abs(samples[i]));
    }
    return blocks[Math.ceil(peak / 32768 * (blocks.length - 1))];
  }).join("");
}

const folder = await Deno.makeTempDir({ prefix: "ossp-demo-" });
let status = 0;
try {
  const sent = tune();
  await Deno.writeFile(`${folder}/tune.raw`, new Uint8Array(sent.buffer));
  const ossp = [Deno.execPath(), "run", "--allow-all", "--quiet", `${ROOT}main.ts`];
  const play = ["play", "--format", "s16le", "--rate", `${RATE_HZ}`, `${folder}/tune.raw`];
  const run = ["run", "--frontend", "fuse", "--sink", `wav:${folder}/heard-%n.wav`];
  const [program, ...args] = [...ossp, ...run, "--", ...ossp, ...play];
  const startMs = performance.now();
  const { code } = await new Deno.Command(program, { args }).spawn().status;
  if (code === 0) {
    const bytes = await Deno.readFile(`${folder}/heard-1.wav`);
    const { format, rateHz, channels, dataOffset, dataBytes } = parseWav(bytes);
    const heard = new Int16Array(bytes.slice(dataOffset, dataOffset + dataBytes).buffer);
    const exact = heard.length === sent.length && heard.every((sample, i) => sample === sent[i]);
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    console.log(waveform(heard, 70));
    console.log(
      `${heard.length / channels} frames, ${format.name}, ${rateHz} Hz, ${channels} channels ` +
        `through /dev/dsp in ${seconds} s: ${exact ? "bit-exact" : "NOT what was sent"}`,
    );
    status = exact ? 0 : 1;
  } else status = code;
} finally {
  await Deno.remove(folder, { recursive: true });
}
Deno.exit(status);
