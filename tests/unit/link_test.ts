// A link between the loop and a server's thread, both ends in one thread, and the sink in front of it.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";
import { close, eventFd } from "../../ffi/libc.ts";
import { ServerLine, ServerSink, ServerSource } from "../../lib/backend/server.ts";
import { formatByName } from "../../lib/pcm/format.ts";
import { FULL_LEVEL, LEVEL_MUTED } from "../../lib/pcm/volume.ts";
import { LinkState, StreamLink } from "../../lib/server/link.ts";
import type { Order } from "../../lib/server/orders.ts";
import { levelOf, volumesOf } from "../../lib/server/pulse_volume.ts";
import type { ServerStream } from "../../lib/server/server.ts";
import { StreamGain } from "../../lib/server/stream_gain.ts";
import { fuzzRandom } from "../random.ts";

const FRAME_BYTES = 6;

Deno.test("what goes into a link comes out, in pieces of any size, across 2^32 frames", () => {
  const random = fuzzRandom();
  const memory = StreamLink.allocate(FRAME_BYTES, 100);
  // Both counts begin a little before they wrap.
  new Int32Array(memory).fill(-1000, 2, 4);
  const [writer, reader] = [new StreamLink(memory), new StreamLink(memory)];
  assertEquals([writer.frameBytes, writer.capacity], [FRAME_BYTES, 128]);
  const bytes = new Uint8Array(200 * FRAME_BYTES);
  let [written, read] = [0, 0];
  while (read < 3000 * FRAME_BYTES) {
    const wanted = random.below(150);
    for (let i = 0; i < wanted * FRAME_BYTES; i++) bytes[7 + i] = (written + i) * 31 >> 3;
    const taken = writer.write(bytes, 7, wanted);
    assertEquals(taken, Math.min(wanted, 128 - (written - read) / FRAME_BYTES));
    written += taken * FRAME_BYTES;
    if (random.chance(0.1)) {
      read += reader.skip(random.below(50)) * FRAME_BYTES;
      continue;
    }
    const given = reader.readInto(bytes, 3, random.below(150));
    for (let i = 0; i < given * FRAME_BYTES; i++) {
      if (bytes[3 + i] !== ((read + i) * 31 >> 3 & 0xff)) throw new Error(`byte ${read + i}`);
    }
    read += given * FRAME_BYTES;
    assertEquals(reader.filled, (written - read) / FRAME_BYTES);
  }
});

/** A sink's or a source's line, and the thread's end of each stream that is opened. */
function line() {
  const { port1, port2 } = new MessageChannel();
  const wakeFd = eventFd();
  return {
    line: new ServerLine(port1, wakeFd),
    opened(): StreamLink {
      const received = receiveMessageOnPort(port2) as { message: Order };
      assert(received.message.type === "open");
      return new StreamLink(received.message.stream.memory);
    },
    [Symbol.dispose]() {
      port1.close();
      close(wakeFd);
    },
  };
}

const PARAMETERS = { format: formatByName("s16le")!, rateHz: 1000, channels: 1 };
const CLIENT = { pid: 1, command: "test" };
const now = (ms: number) => performance.timeOrigin + ms;

Deno.test("a server's stream takes its target, and hears at its rate from the last report on", () => {
  using end = line();
  const stream = new ServerSink(end.line, "go-on", "medium").open(PARAMETERS, CLIENT);
  const link = end.opened();
  const bytes = new Uint8Array(2000);
  link.target = 100;
  assertEquals(stream.room(0, 0), 0);
  stream.start(0);
  assert(link.running);
  assertEquals(stream.room(0, 0), 100);
  stream.write(bytes, 100, 0);
  assertEquals([stream.room(10, 0), stream.delay(10), link.filled], [0, 100, 100]);
  // At 20 ms the server has taken 40 frames, of which 30 are not heard yet.
  link.skip(40);
  link.report({ atMs: now(20), frames: link.read, delayFrames: 30 });
  assertEquals([stream.delay(20), stream.delay(25), stream.room(25, 0)], [90, 85, 15]);
  assertEquals(stream.timeOfRoom(20, 25, 0), 30);
  // No more is heard than there is, and what was heard stays so.
  assertEquals(stream.delay(1000), 0);
  link.report({ atMs: now(1000), frames: link.read, delayFrames: 0 });
  assertEquals(stream.delay(1000), 0);
  stream.write(bytes, 50, 1000);
  stream.discard(1000);
  assertEquals([stream.delay(1000), link.flushes], [0, 1]);
  stream.close();
  assert(link.closed);
});

Deno.test("a thread that is stuck costs sound, not time", () => {
  using end = line();
  const stream = new ServerSink(end.line, "go-on", "medium").open(PARAMETERS, CLIENT);
  const link = end.opened();
  stream.start(0);
  const bytes = new Uint8Array(20_000);
  let taken = 0;
  for (let ms = 0; ms < 20_000; ms += 10) {
    const room = stream.room(ms, 0);
    stream.write(bytes, room, ms);
    taken += room;
  }
  assert(Math.abs(taken - 20_000) < 400, `${taken} frames in 20 s`);
  assertEquals(link.lost, taken - link.capacity);
});

Deno.test("a server's recording is what is in the link", () => {
  using end = line();
  const stream = new ServerSource(end.line, "go-on", "medium").open(PARAMETERS, CLIENT);
  const link = end.opened();
  stream.start(0);
  link.write(Uint8Array.from({ length: 200 }, (_, i) => i), 0, 100);
  assertEquals(stream.available(0), 100);
  assertEquals(stream.timeOfAvailable(120, 0), 20);
  stream.skip(10, 0);
  const heard = new Uint8Array(20);
  stream.read(heard, 10, 0);
  assertEquals([heard[0], heard[19]], [20, 39]);
  stream.stop(0);
  assertEquals([stream.available(0), link.running], [0, false]);
});

Deno.test("who wants to know that the server is gone gets an error, and no other", () => {
  using end = line();
  for (const onLoss of ["go-on", "error"] as const) {
    const stream = new ServerSink(end.line, onLoss, "medium").open(PARAMETERS, CLIENT);
    const link = end.opened();
    stream.start(0);
    const write = () => stream.write(new Uint8Array(20), 10, 0);
    write();
    link.state = LinkState.LOST;
    if (onLoss === "go-on") write();
    else assertThrows(write, Error, "the server is gone");
  }
});

Deno.test("a level moves both ways; what the thread tells of the time before a move does not count", () => {
  using end = line();
  const sink = new ServerSink(end.line, "go-on", "medium");
  const stream = sink.open(PARAMETERS, CLIENT);
  const link = end.opened();
  assertEquals([link.level, link.levelMoves, stream.volume!.take()], [undefined, 0, undefined]);
  const before = link.levelMoves;
  link.tellLevel(0, before);
  assertEquals([stream.volume!.take(), stream.volume!.take(), link.level], [0, undefined, 0]);
  stream.volume!.set(30 | 40 << 8);
  assertEquals(link.level, 30 | 40 << 8);
  // The thread has not seen that yet.
  link.tellLevel(7, before);
  assertEquals([stream.volume!.take(), link.level], [undefined, 30 | 40 << 8]);
  link.tellLevel(50 | 60 << 8 | LEVEL_MUTED, link.levelMoves);
  assertEquals(stream.volume!.take(), 50 | 60 << 8 | LEVEL_MUTED);
  // Each move is another one, however many there were.
  for (let i = 0; i < 40_000; i++) {
    const last = link.levelMoves;
    stream.volume!.set(1);
    assert(link.levelMoves !== last && link.levelMoves !== 0 && link.level === 1);
  }
  const next = sink.open(PARAMETERS, CLIENT, 5);
  assertEquals([end.opened().level, next.volume!.take()], [5, undefined]);
});

Deno.test("PulseAudio's volumes are the same percent as OSS's", () => {
  for (let percent = 0; percent <= 100; percent++) {
    const level = percent | (100 - percent) << 8;
    assertEquals(levelOf(volumesOf(level, 6), false), level);
    assertEquals(
      levelOf(volumesOf(percent | percent << 8, 1), true),
      percent * 0x101 | LEVEL_MUTED,
    );
  }
  assertEquals(volumesOf(100 | 50 << 8, 3), [0x10000, 0x8000, 0x10000]);
  // Mono is the mean of the gains: 1 and 1/8.
  assertEquals(volumesOf(100 | 50 << 8, 1), [Math.round(Math.cbrt(9 / 16) * 0x10000)]);
  assertEquals(levelOf([0x20000, 1], false), 100);
});

Deno.test("where the server keeps no volume, the level is laid on what is taken from the link", () => {
  using end = line();
  new ServerSink(end.line, "go-on", "medium").open({ ...PARAMETERS, channels: 2 }, CLIENT);
  const link = end.opened();
  const stream = { link, format: PARAMETERS.format, channels: 2 } as ServerStream;
  const gain = new StreamGain(stream);
  const samples = Float64Array.of(0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
  gain.scale(samples, 2);
  assertEquals([...samples], [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]);
  link.moveLevel(50 | 100 << 8);
  gain.scale(samples, 2);
  assertEquals([...samples], [0.0625, 0.5, 0.0625, 0.5, 0.5, 0.5]);
  const bytes = new Uint8Array(Int16Array.of(8000, 8000, 8000, 8000).buffer);
  gain.apply(bytes, 1);
  assertEquals([...new Int16Array(bytes.buffer)], [1000, 8000, 8000, 8000]);
  link.moveLevel(FULL_LEVEL | LEVEL_MUTED);
  gain.scale(samples, 3);
  assert(samples.every((sample) => sample === 0));
});
