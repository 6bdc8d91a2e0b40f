// The part of jsr:@std/cli that this project uses, for machines that cannot reach JSR
// (the "links" of deno.json put it in that package's place).

export * from "./parse_args.ts";
