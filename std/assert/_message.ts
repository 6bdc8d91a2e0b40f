// How assertions word a failure: values in full, the caller's message at the end of the sentence.

/** The value as it would be written in a program, every property and element of it, keys sorted. */
export function format(value: unknown): string {
  return Deno.inspect(value, {
    compact: false,
    depth: Infinity,
    getters: true,
    iterableLimit: Infinity,
    sorted: true,
    strAbbreviateSize: Infinity,
    trailingComma: true,
  });
}

/** The end of a failure's sentence: `: msg` where the caller gave one, a full stop elsewhere. */
export function suffix(msg: string | undefined): string {
  return msg ? `: ${msg}` : ".";
}
