// toArrayBuffer: a whole byte stream as a buffer.

/** Reads the stream to its end. Rejects with the stream's error if it fails. */
export function toArrayBuffer(readableStream: ReadableStream<Uint8Array>): Promise<ArrayBuffer> {
  return new Response(readableStream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer();
}
