// Stands in for jsr:@std/streams where JSR cannot be reached: what this project uses of it, on top
// of node:stream.

import { text } from "node:stream/consumers";

/** Text in chunks becomes lines without their ends, "\n" or "\r\n". */
export class TextLineStream extends TransformStream<string, string> {
  constructor() {
    let rest = "";
    super({
      transform(chunk, controller) {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop()!;
        for (const line of lines) controller.enqueue(line.replace(/\r$/, ""));
      },
      flush(controller) {
        if (rest !== "") controller.enqueue(rest);
      },
    });
  }
}

/** All of a stream as one text. */
export function toText(stream: ReadableStream<Uint8Array>): Promise<string> {
  return text(stream);
}
