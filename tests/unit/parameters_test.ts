// OSS's rules for format, rate, channels and fragments.

import { assert, assertEquals } from "@std/assert";
import { MAX_BUFFER_BYTES, Parameters } from "../../lib/oss/parameters.ts";
import { AFMT_S16_LE, AFMT_U8, FORMATS } from "../../lib/pcm/format.ts";

Deno.test("a dsp opens as 8 kHz unsigned 8 bit mono", () => {
  const parameters = new Parameters();
  assertEquals(parameters.format.afmt, AFMT_U8);
  assertEquals([parameters.rateHz, parameters.channels], [8000, 1]);
});

Deno.test("every combination has a buffer of whole fragments, each a power of two", () => {
  const parameters = new Parameters();
  for (const format of FORMATS) {
    for (const rate of [1, 8000, 11025, 44100, 48000, 96000, 384000]) {
      for (let channels = 1; channels <= 8; channels++) {
        parameters.setFormat(format.afmt);
        parameters.setRate(rate);
        parameters.setChannels(channels);
        const { fragmentBytes, fragments, bufferBytes } = parameters;
        assertEquals(Math.log2(fragmentBytes) % 1, 0);
        assert(fragments >= 2 && fragmentBytes >= 16);
        assertEquals(bufferBytes, fragmentBytes * fragments);
        assert(bufferBytes <= MAX_BUFFER_BYTES);
      }
    }
  }
});

Deno.test("a default buffer is a fifth to a third of a second", () => {
  const parameters = new Parameters();
  for (const [rate, channels] of [[8000, 1], [22050, 2], [44100, 2], [48000, 2], [96000, 2]]) {
    parameters.setFormat(AFMT_S16_LE);
    parameters.setRate(rate);
    parameters.setChannels(channels);
    const seconds = parameters.bufferBytes / parameters.bytesPerSecond;
    assert(seconds > 0.16 && seconds < 0.35, `${rate} Hz: ${seconds} s`);
  }
});

Deno.test("SETFRAGMENT's size and count are kept, within reason", () => {
  const parameters = new Parameters();
  parameters.setFormat(AFMT_S16_LE);
  parameters.setRate(48000);
  parameters.setChannels(2);
  assert(parameters.setFragment(4 << 16 | 11));
  assertEquals([parameters.fragmentBytes, parameters.fragments], [2048, 4]);
  assert(parameters.setFragment(1 << 16 | 12));
  assertEquals([parameters.fragmentBytes, parameters.fragments], [4096, 2]);
  assert(parameters.setFragment(0x7fff << 16 | 10));
  assertEquals(parameters.fragmentBytes, 1024);
  assertEquals(parameters.bufferBytes, 65536);
  assert(parameters.setFragment(0xffff << 16 | 20));
  assert(parameters.bufferBytes <= MAX_BUFFER_BYTES);
  // 16 bytes are 83 microseconds: a millisecond is the least that is worth a wake-up.
  assert(parameters.setFragment(8 << 16 | 4));
  assertEquals(parameters.fragmentBytes, 256);
  assert(!parameters.setFragment(25));
});

Deno.test("values out of range move into it", () => {
  const parameters = new Parameters();
  parameters.setRate(10_000_000);
  assertEquals(parameters.rateHz, 384_000);
  parameters.setRate(-5);
  assertEquals(parameters.rateHz, 1);
  parameters.setChannels(99);
  assertEquals(parameters.channels, 8);
  parameters.setFormat(0x400);
  assertEquals(parameters.format.afmt, AFMT_U8);
});
