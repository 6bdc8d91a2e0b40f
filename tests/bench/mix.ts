// What it costs to resample and mix many written streams of 44.1 kHz into one of 48 kHz, on the
// fuse front end: into a file, and into a PCM of ALSA's that only one program can have.

import { compile } from "./build.ts";
import {
  cpuSeconds,
  type Figure,
  figureTable,
  load,
  memoryMib,
  pin,
  type Server,
  startOssp,
} from "./measure.ts";
import { AlsaCard } from "./alsa_card.ts";

const STREAMS = 32;
const FROM_HZ = 44100;
const TO_HZ = 48000;
const FRAME_BYTES = 4;
const SECONDS = 20;

/** The file's growth is measured between these shares of the time. */
const FROM_SHARE = 0.2;
const TO_SHARE = 0.9;

/** ossp has been started, and all streams play, within this time. */
const SETTLE_MS = 4000;

/** ossp and the programs share these. */
const PROCESSORS = [0, 1];

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** What is the same whatever they are mixed into; `meanwhile` runs while they play. */
async function play(
  ossp: Server,
  device: string,
  program: string,
  into: string,
  meanwhile: () => Promise<Figure[]>,
): Promise<Figure[]> {
  await pin(ossp.pid, ...PROCESSORS);
  const before = cpuSeconds(ossp.pid);
  const playing = load(program, device, STREAMS, FROM_HZ, SECONDS);
  const figures = await meanwhile();
  const { rss } = memoryMib(ossp.pid);
  const { underruns, median, p99 } = await playing;
  const percent = (cpuSeconds(ossp.pid) - before) / SECONDS * 100;
  return [
    { what: `underruns, ${into}`, value: underruns, limit: 0 },
    { what: `${into}: CPU of ossp, % of one`, value: percent },
    { what: `${into}: RSS of ossp, MiB`, value: rss },
    { what: `${into}: a call meanwhile, µs`, value: median / 1000 },
    { what: `${into}: 99 % of them, µs`, value: p99 / 1000 },
    ...figures,
  ];
}

async function intoFile(program: string, folder: string): Promise<Figure[]> {
  const directory = `${folder}/mix-file`;
  const file = `${folder}/mix.raw`;
  const sink = ["--sink", `raw:${file}`, "--rate", String(TO_HZ)];
  await using ossp = await startOssp(["--frontend", "fuse", "--dir", directory, ...sink]);
  const into = "a file";
  const size = () => ({ ms: performance.now(), bytes: Deno.statSync(file).size });
  return await play(ossp, `${directory}/dsp`, program, into, async () => {
    await sleep(SECONDS * 1000 * FROM_SHARE);
    const from = size();
    await sleep(SECONDS * 1000 * (TO_SHARE - FROM_SHARE));
    const to = size();
    const rateHz = (to.bytes - from.bytes) / FRAME_BYTES / (to.ms - from.ms) * 1000;
    return [
      { what: `${into}: grows by frames a second`, value: Math.round(rateHz) },
      {
        what: `${into}: away from ${TO_HZ}, %`,
        value: Math.abs(rateHz / TO_HZ - 1) * 100,
        limit: 1,
      },
    ];
  });
}

async function intoPcm(program: string, folder: string): Promise<Figure[]> {
  const directory = `${folder}/mix-alsa`;
  const card = await AlsaCard.create(folder);
  const into = "an ALSA PCM";
  const settledMs = performance.timeOrigin + performance.now() + SETTLE_MS;
  let figures: Figure[];
  {
    const words = ["--frontend", "fuse", "--dir", directory, "--sink", `alsa:${card.pcm}`];
    await using ossp = await startOssp(words, { env: card.env });
    figures = await play(ossp, `${directory}/dsp`, program, into, async () => {
      await sleep(SECONDS * 1000 * TO_SHARE);
      return [];
    });
  }
  const late = card.gaps().filter((ms) => ms > settledMs).length;
  return [
    ...figures,
    { what: `${into}: had nothing to play at the start, times`, value: card.gaps().length - late },
    { what: `${into}: and afterwards`, value: late, limit: 0 },
  ];
}

/**
 * Measures the mixes and prints a table.
 *
 * @param folder where files and mount points go
 */
export async function mix(folder: string): Promise<Figure[]> {
  console.log(
    `\n${STREAMS} streams of ${FROM_HZ} Hz stereo S16 mixed at ${TO_HZ} Hz, ${SECONDS} s\n`,
  );
  const program = await compile("load", folder);
  const figures = [...await intoFile(program, folder), ...await intoPcm(program, folder)];
  console.log(figureTable(figures));
  return figures;
}
