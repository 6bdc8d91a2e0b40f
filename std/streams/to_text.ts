// toText: a whole stream, of bytes in UTF-8 or of text, as one text.

/**
 * Reads the stream to its end; what is not UTF-8 becomes U+FFFD. Rejects with the stream's error if
 * it fails.
 */
export async function toText(
  stream: ReadableStream<string> | ReadableStream<Uint8Array>,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream as ReadableStream<string | Uint8Array>) {
    text += typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
