// The configuration file: what its lines say of which card, and what is wrong where.

import { assertEquals, assertThrows } from "@std/assert";
import { parseConfig, withConfig } from "../../lib/cli/config.ts";
import type { Failure } from "../../lib/cli/failure.ts";
import { parseOptions } from "../../lib/cli/options.ts";
import { planOf } from "../../lib/cli/plan.ts";
import { RUN } from "../../lib/cli/run.ts";

/** What a command line and a file come to. */
function plan(text: string, ...words: string[]) {
  const path = Deno.makeTempFileSync();
  try {
    Deno.writeTextFileSync(path, text);
    const parsed = parseOptions(RUN, ["--frontend", "fuse", "--config", path, ...words]);
    return planOf(RUN, withConfig(RUN, parsed, undefined));
  } finally {
    Deno.removeSync(path);
  }
}

/** The message for a text that is in the file F. */
function complaint(text: string): string {
  const error = assertThrows(() => plan(text)) as Failure;
  assertEquals([error.name, error.status], ["Failure", 64], error.stack);
  return error.message.replace(/^\/[^:]*/, "F");
}

Deno.test("lines are options and values; comments and empty lines are nothing", () => {
  const { maxStreams, mapsAlways, cards } = plan(`
    # the whole line
    max 7           # the rest
\tsink\twav:/tmp/a b#c.wav
    mmap
    adsp
    max 9
  `);
  assertEquals([maxStreams, mapsAlways], [9, true]);
  assertEquals(cards[0].sink.path, "/tmp/a b#c.wav");
  assertEquals(cards[0].dsps.map(({ name }) => name), ["dsp", "audio", "dspW"]);
});

Deno.test("each section is a card of its own, with names and numbers that follow", () => {
  const { cards } = plan(`
    sink wav:one.wav
    rate 44100
    [card]
    sink null
    dsp music
    [card Head set]
    format u8
    mixer
    audio-minor 99
  `);
  assertEquals(cards.map(({ name }) => name), ["ossp", "ossp1", "Head set"]);
  assertEquals(cards.map(({ sink }) => sink.kind), ["wav", "null", "auto"]);
  assertEquals(cards.map(({ source }) => source.kind), ["silence", "silence", "auto"]);
  assertEquals(cards.map(({ sink }) => sink.rateHz), [44100, 48000, 48000]);
  assertEquals(cards.map(({ sink }) => sink.format), ["s16le", "s16le", "u8"]);
  assertEquals(cards.map(({ mixers }) => mixers), [
    [{ name: "mixer", major: 14, minor: 0 }],
    [{ name: "mixer1", major: 14, minor: 16 }],
    [],
  ]);
  assertEquals(
    cards.map(({ dsps }) => dsps.map(({ name, minor, format }) => `${name} ${minor} ${format}`)),
    [
      ["dsp 3 u8", "adsp 12 u8", "audio 4 mulaw", "dspW 5 s16le"],
      ["music 19 u8", "adsp1 28 u8", "audio1 20 mulaw", "dspW1 21 s16le"],
      ["dsp2 35 u8", "adsp2 44 u8", "audio2 99 mulaw", "dspW2 37 s16le"],
    ],
  );
});

Deno.test("the command line goes over the file, for the first card", () => {
  const text = "max 7\nsink null\nrate 8000\n[card]\nsink null\nrate 8000\n";
  const { maxStreams, cards } = plan(text, "--max", "8", "--sink", "raw:x");
  assertEquals(maxStreams, 8);
  assertEquals(cards.map(({ sink }) => sink.kind), ["raw", "null"]);
  assertEquals(cards.map(({ sink }) => sink.rateHz), [8000, 8000]);
  // What it replaces may even make no sense.
  assertEquals(plan("rate fast", "--rate", "9000").cards[0].sink.rateHz, 9000);
});

Deno.test("what is said of all cards holds for each", () => {
  const { cards } = plan("on-server-loss error\njack-connect none\n[card]\nsink jack\n");
  assertEquals(cards.map(({ sink }) => sink.onLoss), ["error", "error"]);
  assertEquals(cards[1].sink.server?.jackConnect, "none");
});

Deno.test("what is wrong is said with the file and the line", () => {
  const wrong: [text: string, message: string][] = [
    ["\n\nvolume 11", "F:3: unknown option volume"],
    ["--max 7", "F:1: unknown option --max"],
    ["config other", "F:1: unknown option config"],
    ["namespace", "F:1: unknown option namespace"],
    ["max", "F:1: max wants N"],
    ["mmap yes", "F:1: mmap takes no value"],
    ["frontend cause", "F:1: frontend cause: one of auto, cuse, fuse is wanted"],
    ["# a\nrate fast", "F:2: rate fast: a whole number from 1 to 384000 is wanted"],
    ["[card]\nrate 0", "F:2: rate 0: a whole number from 1 to 384000 is wanted"],
    [
      "[card]\n\nmax 7",
      "F:3: max is not an option of a card: it must stand above the first [card]",
    ],
    ["[sound]", "F:1: [sound]: [card] or [card NAME] is wanted"],
    ["[card", "F:1: [card: [card] or [card NAME] is wanted"],
    ["dsp a/b", "F:1: dsp a/b: not a device's name"],
    ["[card]\nloopback a/b", "F:2: loopback a/b: not a device's name"],
  ];
  assertEquals(wrong.map(([text]) => complaint(text)), wrong.map(([, message]) => message));
  assertEquals(complaint("[card]\nsink wave:x").startsWith('F:2: no sink "wave:x": one of '), true);
  assertEquals(complaint("source x").startsWith('F:1: no source "x": one of '), true);
  assertEquals(
    complaint("[card]\nmixer dsp"),
    "run: two devices have the same name, dsp (see ossp run --help)",
  );
});

Deno.test("sections and places as they stand in the file", () => {
  assertEquals(parseConfig("max 7\n[ card  A ]\ndsp\n", "F", RUN), [
    { title: "", given: { max: "7" }, places: { max: "F:1" } },
    { title: "A", given: { dsp: "" }, places: { dsp: "F:3" } },
  ]);
});
