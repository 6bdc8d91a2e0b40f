// libasound, ALSA's library: loaded when the first PCM is opened.

// From alsa/pcm.h and alsa/error.h. A PCM is opaque, and so are the two kinds of parameters, but
// those tell their size, and lie in buffers here. Frames are long in C; as in ./libc.ts they are
// passed as 32 bits, which no transfer here fills.
const symbols = {
  // const char *snd_strerror(int errnum)
  snd_strerror: { parameters: ["i32"], result: "pointer" },
  // int snd_lib_error_set_handler(snd_lib_error_handler_t handler)
  snd_lib_error_set_handler: { parameters: ["pointer"], result: "i32" },
  // int snd_pcm_open(snd_pcm_t **pcm, const char *name, snd_pcm_stream_t stream, int mode)
  snd_pcm_open: { parameters: ["buffer", "buffer", "i32", "i32"], result: "i32" },
  // int snd_pcm_close(snd_pcm_t *pcm)
  snd_pcm_close: { parameters: ["pointer"], result: "i32" },
  // int snd_pcm_prepare(snd_pcm_t *pcm)
  snd_pcm_prepare: { parameters: ["pointer"], result: "i32" },
  // int snd_pcm_start(snd_pcm_t *pcm)
  snd_pcm_start: { parameters: ["pointer"], result: "i32" },
  // int snd_pcm_drop(snd_pcm_t *pcm)
  snd_pcm_drop: { parameters: ["pointer"], result: "i32" },
  // int snd_pcm_avail_delay(snd_pcm_t *pcm, snd_pcm_sframes_t *avail, snd_pcm_sframes_t *delay)
  snd_pcm_avail_delay: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
  // snd_pcm_sframes_t snd_pcm_writei(snd_pcm_t *pcm, const void *buffer, snd_pcm_uframes_t size)
  snd_pcm_writei: { parameters: ["pointer", "buffer", "u32"], result: "i32" },
  // snd_pcm_sframes_t snd_pcm_readi(snd_pcm_t *pcm, void *buffer, snd_pcm_uframes_t size)
  snd_pcm_readi: { parameters: ["pointer", "buffer", "u32"], result: "i32" },

  // size_t snd_pcm_hw_params_sizeof(void)
  snd_pcm_hw_params_sizeof: { parameters: [], result: "u32" },
  // int snd_pcm_hw_params_any(snd_pcm_t *pcm, snd_pcm_hw_params_t *params)
  snd_pcm_hw_params_any: { parameters: ["pointer", "buffer"], result: "i32" },
  // int snd_pcm_hw_params(snd_pcm_t *pcm, snd_pcm_hw_params_t *params)
  snd_pcm_hw_params: { parameters: ["pointer", "buffer"], result: "i32" },
  // int snd_pcm_hw_params_set_access(snd_pcm_t *pcm, snd_pcm_hw_params_t *params,
  //                                  snd_pcm_access_t access)
  snd_pcm_hw_params_set_access: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
  // int snd_pcm_hw_params_set_rate_resample(snd_pcm_t *pcm, snd_pcm_hw_params_t *params,
  //                                         unsigned int val)
  snd_pcm_hw_params_set_rate_resample: { parameters: ["pointer", "buffer", "u32"], result: "i32" },
  // int snd_pcm_hw_params_set_format(snd_pcm_t *pcm, snd_pcm_hw_params_t *params,
  //                                  snd_pcm_format_t val)
  snd_pcm_hw_params_set_format: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
  // int snd_pcm_hw_params_set_channels_near(snd_pcm_t *pcm, snd_pcm_hw_params_t *params,
  //                                         unsigned int *val)
  snd_pcm_hw_params_set_channels_near: {
    parameters: ["pointer", "buffer", "buffer"],
    result: "i32",
  },
  // int snd_pcm_hw_params_set_rate_near(snd_pcm_t *pcm, snd_pcm_hw_params_t *params,
  //                                     unsigned int *val, int *dir)
  snd_pcm_hw_params_set_rate_near: {
    parameters: ["pointer", "buffer", "buffer", "pointer"],
    result: "i32",
  },
  // int snd_pcm_hw_params_set_buffer_time_near(snd_pcm_t *pcm, snd_pcm_hw_params_t *params,
  //                                            unsigned int *val, int *dir)
  snd_pcm_hw_params_set_buffer_time_near: {
    parameters: ["pointer", "buffer", "buffer", "pointer"],
    result: "i32",
  },
  // int snd_pcm_hw_params_set_period_time_near(snd_pcm_t *pcm, snd_pcm_hw_params_t *params,
  //                                            unsigned int *val, int *dir)
  snd_pcm_hw_params_set_period_time_near: {
    parameters: ["pointer", "buffer", "buffer", "pointer"],
    result: "i32",
  },
  // int snd_pcm_get_params(snd_pcm_t *pcm, snd_pcm_uframes_t *buffer_size,
  //                        snd_pcm_uframes_t *period_size)
  snd_pcm_get_params: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },

  // size_t snd_pcm_sw_params_sizeof(void)
  snd_pcm_sw_params_sizeof: { parameters: [], result: "u32" },
  // int snd_pcm_sw_params_current(snd_pcm_t *pcm, snd_pcm_sw_params_t *params)
  snd_pcm_sw_params_current: { parameters: ["pointer", "buffer"], result: "i32" },
  // int snd_pcm_sw_params_get_boundary(const snd_pcm_sw_params_t *params, snd_pcm_uframes_t *val)
  snd_pcm_sw_params_get_boundary: { parameters: ["buffer", "buffer"], result: "i32" },
  // int snd_pcm_sw_params_set_start_threshold(snd_pcm_t *pcm, snd_pcm_sw_params_t *params,
  //                                           snd_pcm_uframes_t val)
  snd_pcm_sw_params_set_start_threshold: {
    parameters: ["pointer", "buffer", "u64"],
    result: "i32",
  },
  // int snd_pcm_sw_params_set_silence_size(snd_pcm_t *pcm, snd_pcm_sw_params_t *params,
  //                                        snd_pcm_uframes_t val)
  snd_pcm_sw_params_set_silence_size: { parameters: ["pointer", "buffer", "u64"], result: "i32" },
  // int snd_pcm_sw_params(snd_pcm_t *pcm, snd_pcm_sw_params_t *params)
  snd_pcm_sw_params: { parameters: ["pointer", "buffer"], result: "i32" },
} as const;

/** The loaded library. */
export type Asound = Deno.DynamicLibrary<typeof symbols>["symbols"];

/** snd_pcm_stream_t. */
export const SND_PCM_STREAM_PLAYBACK = 0;
export const SND_PCM_STREAM_CAPTURE = 1;

/** A mode of snd_pcm_open: neither it nor a transfer waits. */
export const SND_PCM_NONBLOCK = 1;

/** snd_pcm_access_t: frames one after the other, through snd_pcm_writei and snd_pcm_readi. */
export const SND_PCM_ACCESS_RW_INTERLEAVED = 3;

/** snd_pcm_format_t by the name of a `SampleFormat`. */
export const SND_PCM_FORMATS: Readonly<Record<string, number>> = {
  s8: 0,
  u8: 1,
  s16le: 2,
  s16be: 3,
  u16le: 4,
  u16be: 5,
  s24le: 6,
  s24be: 7,
  s32le: 10,
  s32be: 11,
  f32le: 14,
  mulaw: 20,
  alaw: 21,
  s24packed: 32,
};

let library: Asound | undefined;

/**
 * libasound.
 *
 * @throws {Error} with its mend if it is not installed
 */
export function asound(): Asound {
  if (library) return library;
  let loaded: Asound;
  try {
    loaded = Deno.dlopen("libasound.so.2", symbols).symbols;
  } catch {
    throw new Error("libasound.so.2 is missing (apt-get install libasound2)");
  }
  silence(loaded);
  return library = loaded;
}

// It writes to standard error at each open that is refused. Any function that does nothing with its
// arguments will do to handle its messages; one of ours could not be called by the threads that
// some plug-ins have.
function silence(loaded: Asound): void {
  const { getpid } = Deno.dlopen("libc.so.6", { getpid: { type: "pointer" } }).symbols;
  loaded.snd_lib_error_set_handler(getpid);
}

/** A failed call of libasound. */
export class AlsaError extends Error {
  override name = "AlsaError";

  /** @param errno what the call returned, negated */
  constructor(readonly errno: number, readonly call: string) {
    const text = asound().snd_strerror(-errno);
    super(`${call}: ${text ? Deno.UnsafePointerView.getCString(text) : errno}`);
  }
}

/**
 * The result of a call of libasound that has not failed.
 *
 * @throws {AlsaError} if it has
 */
export function checked(result: number, call: string): number {
  if (result < 0) throw new AlsaError(-result, call);
  return result;
}
