// The part of jsr:@std/streams that this project uses, for machines that cannot reach JSR
// (the "links" of deno.json put it in that package's place).

export * from "./text_line_stream.ts";
export * from "./to_array_buffer.ts";
export * from "./to_bytes.ts";
export * from "./to_text.ts";
