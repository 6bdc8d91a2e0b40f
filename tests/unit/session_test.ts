// The session core without a kernel: requests as bytes in, answers as bytes out.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { EINTR, EINVAL, EIO, ENOENT, ENOSYS } from "../../ffi/libc.ts";
import * as abi from "../../lib/fuse/abi.ts";
import type { Device, OpenFile } from "../../lib/fuse/device.ts";
import { Directory } from "../../lib/fuse/directory.ts";
import { REQUEST_BUFFER_BYTES, Session } from "../../lib/fuse/session.ts";
import { getU64, setU64 } from "../../lib/struct.ts";

const { InHeader, OutHeader, Opcode } = abi;

interface Answer {
  unique: number;
  error: number;
  body: DataView;
}

/** A session with one device whose file records what it is asked. */
function harness(file: Partial<OpenFile> = {}) {
  const answers: Answer[] = [];
  const warnings: string[] = [];
  const device: Device = { name: "dsp", open: () => file as OpenFile };
  const directory = new Directory([{ device, major: 14, minor: 3 }]);
  const session = new Session({ directory }, {
    send(buffer, length) {
      const copy = new DataView(buffer.slice(0, length).buffer);
      assertEquals(copy.getUint32(OutHeader.len, true), length);
      answers.push({
        unique: getU64(copy, OutHeader.unique),
        error: copy.getInt32(OutHeader.error, true),
        body: new DataView(copy.buffer, OutHeader.$size),
      });
    },
    canSendAside: () => false,
    sendAside() {},
    warn: (message) => warnings.push(message),
  });
  const bytes = new Uint8Array(REQUEST_BUFFER_BYTES);
  const view = new DataView(bytes.buffer);
  let unique = 0;
  /** Sends a request with a body of u32 words and trailing bytes; returns its unique. */
  function send(opcode: number, nodeid: number, words: number[], tail = new Uint8Array()): number {
    unique += 2;
    const length = InHeader.$size + words.length * 4 + tail.length;
    view.setUint32(InHeader.len, length, true);
    view.setUint32(InHeader.opcode, opcode, true);
    setU64(view, InHeader.unique, unique);
    setU64(view, InHeader.nodeid, nodeid);
    words.forEach((word, i) => view.setUint32(InHeader.$size + i * 4, word, true));
    bytes.set(tail, InHeader.$size + words.length * 4);
    session.receive(bytes, view, length);
    return unique;
  }
  function lookup(name: string): Answer {
    send(Opcode.LOOKUP, abi.FUSE_ROOT_ID, [], new TextEncoder().encode(name + "\0"));
    return answers.at(-1)!;
  }
  /** Opens the device; returns the file's handle. */
  function open(): number {
    const nodeid = getU64(lookup("dsp").body, abi.EntryOut.nodeid);
    send(Opcode.OPEN, nodeid, [1, 0]);
    return answers.at(-1)!.body.getUint32(abi.OpenOut.fh, true);
  }
  return { session, directory, answers, warnings, bytes, view, send, lookup, open };
}

Deno.test("INIT agrees on a version and on big writes", () => {
  const { session, answers, send } = harness();
  send(Opcode.INIT, 0, [7, 45, 65536, abi.FUSE_BIG_WRITES | abi.FUSE_ATOMIC_O_TRUNC]);
  assert(session.ready);
  assertEquals(answers[0].error, 0);
  assertEquals(answers[0].body.byteLength, abi.InitOut.$size);
  assertEquals(answers[0].body.getUint32(abi.InitOut.flags, true), abi.FUSE_BIG_WRITES);
});

Deno.test("INIT of a kernel before 5.4 is refused in words", () => {
  const { session, answers, warnings, send } = harness();
  send(Opcode.INIT, 0, [7, 23, 65536, 0]);
  assert(!session.ready);
  assert(answers[0].error < 0);
  assertMatch(warnings[0], /FUSE 7\.23/);
});

Deno.test("each LOOKUP of a device hands out a node of its own, FORGET takes it back", () => {
  const { directory, lookup, send } = harness();
  const first = getU64(lookup("dsp").body, abi.EntryOut.nodeid);
  const second = getU64(lookup("dsp").body, abi.EntryOut.nodeid);
  assert(first !== second);
  assertEquals(directory.nodeCount, 2);
  send(Opcode.FORGET, first, [1, 0]);
  assertEquals(directory.nodeCount, 1);
  send(Opcode.BATCH_FORGET, 0, [1, 0, second, 0, 1, 0]);
  assertEquals(directory.nodeCount, 0);
});

Deno.test("a name that there is not, and a request that nobody knows, get their errno", () => {
  const { answers, lookup, send } = harness();
  assertEquals(lookup("midi").error, -ENOENT);
  send(4000, 1, []);
  assertEquals(answers.at(-1)!.error, -ENOSYS);
});

Deno.test("a request that is shorter than its struct is refused, not read beyond its end", () => {
  const { answers, warnings, send } = harness();
  send(Opcode.IOCTL, 2, [1, 0, 0]);
  assertEquals(answers.at(-1)!.error, -EINVAL);
  assertMatch(warnings[0], /IOCTL request: malformed/);
});

Deno.test("a WRITE that claims more data than came is refused", () => {
  const { answers, open, send } = harness({ write: () => assert(false) });
  const fh = open();
  send(Opcode.WRITE, 2, [fh, 0, 0, 0, 4096, 0, 0, 0, 0, 0], new Uint8Array(10));
  assertEquals(answers.at(-1)!.error, -EINVAL);
});

Deno.test("a handler that throws or forgets its answer costs the caller EIO, once", () => {
  const { answers, warnings, open, send } = harness({
    fsync() {
      throw new Error("bug");
    },
    read() {},
  });
  const fh = open();
  const before = answers.length;
  send(Opcode.FSYNC, 2, [fh, 0, 0, 0]);
  send(Opcode.READ, 2, [fh, 0, 0, 0, 16, 0, 0, 0, 0, 0]);
  assertEquals(answers.slice(before).map(({ error }) => error), [-EIO, -EIO]);
  assertMatch(warnings[0], /bug/);
});

Deno.test("a parked request is answered later, and an INTERRUPT reaches its file", () => {
  const file: Partial<OpenFile> = {};
  const parked = harness(file);
  file.fsync = (unique) => parked.session.park(unique, file as OpenFile);
  file.interrupt = (unique) => parked.session.replyError(unique, EINTR);
  const fh = parked.open();
  const before = parked.answers.length;
  const unique = parked.send(Opcode.FSYNC, 2, [fh, 0, 0, 0]);
  assertEquals(parked.answers.length, before);
  assertEquals(parked.session.parkedRequests, 1);
  parked.send(Opcode.INTERRUPT, 0, [unique, 0]);
  assertEquals(parked.answers.length, before + 1);
  assertEquals(parked.answers.at(-1)!.unique, unique);
  assertEquals(parked.answers.at(-1)!.error, -EINTR);
  assertEquals(parked.session.parkedRequests, 0);
});

Deno.test("an ioctl's argument goes in, and what the file makes of it comes out", () => {
  const h = harness({
    ioctl(unique, command, inSize, outSize) {
      assertEquals([command, inSize, outSize], [0xc0045002, 4, 4]);
      h.session.argument.setInt32(0, h.session.argument.getInt32(0, true) + 1, true);
      h.session.replyIoctl(unique, 0, outSize);
    },
  });
  const fh = h.open();
  h.send(Opcode.IOCTL, 2, [fh, 0, 0, 0xc0045002, 0, 0, 4, 4], new Uint8Array([41, 0, 0, 0]));
  const { body } = h.answers.at(-1)!;
  assertEquals(body.byteLength, abi.IoctlOut.$size + 4);
  assertEquals(body.getInt32(abi.IoctlOut.$size, true), 42);
});

Deno.test("the directory lists its devices in as many READDIRs as it takes", () => {
  const { answers, send } = harness();
  const names: string[] = [];
  for (let offset = 0;;) {
    send(Opcode.READDIR, abi.FUSE_ROOT_ID, [0, 0, offset, 0, 32, 0, 0, 0, 0, 0]);
    const { body } = answers.at(-1)!;
    if (body.byteLength === 0) break;
    const length = body.getUint32(abi.Dirent.namelen, true);
    names.push(
      new TextDecoder().decode(
        new Uint8Array(body.buffer, body.byteOffset + abi.Dirent.$size, length),
      ),
    );
    offset = getU64(body, abi.Dirent.off);
  }
  assertEquals(names, [".", "..", "dsp"]);
});
