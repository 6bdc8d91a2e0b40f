// toBytes: a whole byte stream as an array of bytes.

/** Reads the stream to its end. Rejects with the stream's error if it fails. */
export function toBytes(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).bytes();
}
