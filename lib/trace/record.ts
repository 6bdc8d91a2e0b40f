// What one record of a trace holds: a message between the kernel and a device, when it passed, and
// what the device looked like then.

import { struct } from "../struct.ts";

/** What a record is about. */
export const RecordKind = { REQUEST: 1, ANSWER: 2 } as const;

/** The head of a record. The message follows it, and the text follows that. */
export const RecordHead = struct("trace_record", {
  /** Of the whole record. */
  length: "u32",
  /** A `RecordKind`. */
  kind: "u32",
  /** Milliseconds, a 64-bit floating point number. */
  time: "u64",
  /** Which connection to the kernel: each has its own numbers of requests and files. */
  connection: "u32",
  /** How many requests have been left out since the trace began. */
  lost: "u32",
  /** The stream's fragment and its whole buffer in bytes, and its bytes a second; 0 for a mixer. */
  fragment_bytes: "u32",
  buffer_bytes: "u32",
  bytes_per_second: "u32",
  /** How much of the message was kept. */
  message_bytes: "u32",
  /** Who opens what: the device's name and kind, the process and its name, NUL between them. */
  text_bytes: "u32",
});
