// Streams at a server of another rate: all of a sound is heard, to the resampler's last frame.

import { assertAlmostEquals, assertEquals } from "@std/assert";
import { formatByName } from "../../lib/pcm/format.ts";
import { StreamLink } from "../../lib/server/link.ts";
import type { ServerStream } from "../../lib/server/server.ts";
import { PlayingVoice } from "../../lib/server/voice.ts";

const FROM_HZ = 44100;
const TO_HZ = 48000;

function playing(): ServerStream {
  const format = formatByName("f32le")!;
  return {
    ...{ id: 1, direction: "play", format, rateHz: FROM_HZ, channels: 1, resample: "medium" },
    ...{ fragmentBytes: 4096, bufferBytes: 16384, pid: 1, command: "test" },
    link: new StreamLink(StreamLink.allocate(format.bytes, FROM_HZ)),
  };
}

/** Takes all that a voice has, in pieces of a cycle. */
function take(voice: PlayingVoice): number[] {
  const taken: number[] = [];
  for (;;) {
    const mix = new Float64Array(256);
    const given = voice.addTo(mix, mix.length);
    if (given === 0) return taken;
    taken.push(...mix.subarray(0, given));
  }
}

Deno.test("a sound is heard to its end, and not before it is over", () => {
  const stream = playing();
  const { link } = stream;
  const voice = new PlayingVoice(stream, TO_HZ, 1);
  const frames = 4410;
  const wanted = frames * TO_HZ / FROM_HZ;
  const sound = new Uint8Array(new Float32Array(frames).fill(0.5).buffer);

  // The next sound is another one, which begins with nothing of the last.
  for (let sounds = 0; sounds < 2; sounds++) {
    link.running = true;
    link.write(sound, 0, frames);
    const first = take(voice);
    const held = voice.heldFrames * TO_HZ / FROM_HZ;
    assertAlmostEquals(first.length + held, wanted, 1, "what is not given is held");
    link.running = false;
    const rest = take(voice);
    assertEquals(first.length + rest.length, wanted);
    assertEquals(voice.heldFrames, 0);
    assertAlmostEquals([...first, ...rest][Math.floor(wanted / 2)], 0.5, 1e-4);
    assertAlmostEquals(rest[0], 0.5, 0.1, "the tail is sound");
    assertEquals(take(voice), []);
  }
  voice.close();
});
