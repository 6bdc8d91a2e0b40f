// libsamplerate, the sample rate converter: loaded when the first stream needs it.

// From samplerate.h. SRC_DATA, the struct, is laid out by who calls.
const symbols = {
  // SRC_STATE *src_new(int converter_type, int channels, int *error)
  src_new: { parameters: ["i32", "i32", "buffer"], result: "pointer" },
  // SRC_STATE *src_delete(SRC_STATE *state)
  src_delete: { parameters: ["pointer"], result: "pointer" },
  // int src_process(SRC_STATE *state, SRC_DATA *data)
  src_process: { parameters: ["pointer", "buffer"], result: "i32" },
  // int src_reset(SRC_STATE *state)
  src_reset: { parameters: ["pointer"], result: "i32" },
  // const char *src_strerror(int error)
  src_strerror: { parameters: ["i32"], result: "pointer" },
} as const;

/** The loaded library. */
export type SampleRate = Deno.DynamicLibrary<typeof symbols>["symbols"];

/** Converter types: the better, the slower. */
export const SRC_SINC_BEST_QUALITY = 0;
export const SRC_SINC_MEDIUM_QUALITY = 1;
export const SRC_SINC_FASTEST = 2;

let library: SampleRate | null | undefined;

/** libsamplerate, undefined where it is not installed or may not be loaded. */
export function sampleRate(): SampleRate | undefined {
  if (library === undefined) {
    try {
      library = Deno.dlopen("libsamplerate.so.0", symbols).symbols;
    } catch {
      library = null;
    }
  }
  return library ?? undefined;
}
