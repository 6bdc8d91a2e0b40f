// TextLineStream: a stream of text cut at any place becomes a stream of lines.

/** Options of {@linkcode TextLineStream}. */
export interface TextLineStreamOptions {
  /** Whether a `\r` alone ends a line too; false by default. */
  allowCR?: boolean;
}

/**
 * Takes text in chunks and gives out its lines without their ends, `\n` or `\r\n`. A last line
 * without an end is given out too; an empty one is not.
 *
 * @example
 * ```ts
 * import { TextLineStream } from "@std/streams/text-line-stream";
 *
 * const child = new Deno.Command("dmesg", { stdout: "piped" }).spawn();
 * const lines = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
 * for await (const line of lines) console.log(line);
 * ```
 */
export class TextLineStream extends TransformStream<string, string> {
  constructor(options: TextLineStreamOptions = {}) {
    const allowCR = options.allowCR ?? false;
    // A \r at the end of what is here may be the first half of a \r\n.
    const lineEnd = allowCR ? /\r\n|\n|\r(?!$)/ : /\r?\n/;
    let unfinished = "";
    super({
      transform(chunk, controller) {
        if (chunk === "") return;
        const endsLine = chunk.includes("\n") ||
          (allowCR && (chunk.includes("\r") || unfinished.endsWith("\r")));
        unfinished += chunk;
        // A long line in many chunks is looked through once, when it is whole.
        if (!endsLine) return;
        const lines = unfinished.split(lineEnd);
        unfinished = lines.pop()!;
        for (const line of lines) controller.enqueue(line);
      },
      flush(controller) {
        if (unfinished === "") return;
        controller.enqueue(allowCR ? unfinished.replace(/\r$/, "") : unfinished);
      },
    });
  }
}
