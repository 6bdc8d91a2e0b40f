// libjack, JACK's client library, or PipeWire's in its place: loaded when the first client is made.

/** The file that is loaded. */
export const LIBJACK = "libjack.so.0";

// From jack/jack.h and jack/thread.h.
const symbols = {
  // jack_client_t *jack_client_open(const char *name, jack_options_t, jack_status_t *, ...)
  jack_client_open: { parameters: ["buffer", "i32", "buffer", "buffer"], result: "pointer" },
  // int jack_client_close(jack_client_t *)
  jack_client_close: { parameters: ["pointer"], result: "i32" },
  // char *jack_get_client_name(jack_client_t *)
  jack_get_client_name: { parameters: ["pointer"], result: "pointer" },
  // int jack_activate(jack_client_t *)
  jack_activate: { parameters: ["pointer"], result: "i32" },
  // int jack_deactivate(jack_client_t *)
  jack_deactivate: { parameters: ["pointer"], result: "i32" },
  // int jack_set_process_callback(jack_client_t *, JackProcessCallback, void *arg)
  jack_set_process_callback: { parameters: ["pointer", "pointer", "pointer"], result: "i32" },
  // int jack_set_freewheel_callback(jack_client_t *, JackFreewheelCallback, void *arg)
  jack_set_freewheel_callback: { parameters: ["pointer", "pointer", "pointer"], result: "i32" },
  // int jack_set_sample_rate_callback(jack_client_t *, JackSampleRateCallback, void *arg)
  jack_set_sample_rate_callback: { parameters: ["pointer", "pointer", "pointer"], result: "i32" },
  // int jack_set_latency_callback(jack_client_t *, JackLatencyCallback, void *arg)
  jack_set_latency_callback: { parameters: ["pointer", "pointer", "pointer"], result: "i32" },
  // void jack_on_shutdown(jack_client_t *, JackShutdownCallback, void *arg)
  jack_on_shutdown: { parameters: ["pointer", "pointer", "pointer"], result: "void" },
  // int jack_set_xrun_callback(jack_client_t *, JackXRunCallback, void *arg)
  jack_set_xrun_callback: { parameters: ["pointer", "pointer", "pointer"], result: "i32" },
  // int jack_set_graph_order_callback(jack_client_t *, JackGraphOrderCallback, void *arg)
  jack_set_graph_order_callback: { parameters: ["pointer", "pointer", "pointer"], result: "i32" },
  // void jack_set_error_function(void (*)(const char *))
  jack_set_error_function: { parameters: ["pointer"], result: "void" },
  // void jack_set_info_function(void (*)(const char *))
  jack_set_info_function: { parameters: ["pointer"], result: "void" },
  // jack_nframes_t jack_get_sample_rate(jack_client_t *)
  jack_get_sample_rate: { parameters: ["pointer"], result: "u32" },
  // jack_nframes_t jack_get_buffer_size(jack_client_t *)
  jack_get_buffer_size: { parameters: ["pointer"], result: "u32" },
  // jack_nframes_t jack_frames_since_cycle_start(const jack_client_t *)
  jack_frames_since_cycle_start: { parameters: ["pointer"], result: "u32" },
  // int jack_is_realtime(jack_client_t *)
  jack_is_realtime: { parameters: ["pointer"], result: "i32" },
  // int jack_client_real_time_priority(jack_client_t *)
  jack_client_real_time_priority: { parameters: ["pointer"], result: "i32" },
  // jack_port_t *jack_port_register(jack_client_t *, const char *name, const char *type,
  //                                 unsigned long flags, unsigned long buffer_size)
  jack_port_register: {
    parameters: ["pointer", "buffer", "buffer", "usize", "usize"],
    result: "pointer",
  },
  // int jack_port_unregister(jack_client_t *, jack_port_t *)
  jack_port_unregister: { parameters: ["pointer", "pointer"], result: "i32" },
  // void *jack_port_get_buffer(jack_port_t *, jack_nframes_t)
  jack_port_get_buffer: { parameters: ["pointer", "u32"], result: "pointer" },
  // void jack_port_get_latency_range(jack_port_t *, jack_latency_callback_mode_t,
  //                                  jack_latency_range_t *)
  jack_port_get_latency_range: { parameters: ["pointer", "i32", "buffer"], result: "void" },
  // void jack_port_set_latency_range(jack_port_t *, jack_latency_callback_mode_t,
  //                                  jack_latency_range_t *)
  jack_port_set_latency_range: { parameters: ["pointer", "i32", "buffer"], result: "void" },
  // int jack_recompute_total_latencies(jack_client_t *)
  jack_recompute_total_latencies: { parameters: ["pointer"], result: "i32" },
  // const char *jack_port_name(const jack_port_t *)
  jack_port_name: { parameters: ["pointer"], result: "pointer" },
  // jack_port_t *jack_port_by_name(jack_client_t *, const char *name)
  jack_port_by_name: { parameters: ["pointer", "buffer"], result: "pointer" },
  // int jack_port_is_mine(const jack_client_t *, const jack_port_t *)
  jack_port_is_mine: { parameters: ["pointer", "pointer"], result: "i32" },
  // const char **jack_port_get_all_connections(const jack_client_t *, const jack_port_t *)
  jack_port_get_all_connections: { parameters: ["pointer", "pointer"], result: "pointer" },
  // const char **jack_get_ports(jack_client_t *, const char *name_pattern, const char *type_pattern,
  //                             unsigned long flags)
  jack_get_ports: { parameters: ["pointer", "buffer", "buffer", "usize"], result: "pointer" },
  // void jack_free(void *)
  jack_free: { parameters: ["pointer"], result: "void" },
  // int jack_connect(jack_client_t *, const char *source, const char *destination)
  jack_connect: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
} as const;

/** The loaded library. */
export type Jack = Deno.DynamicLibrary<typeof symbols>["symbols"];

/** Of jack_options_t. */
export const JackNoStartServer = 0x01;
export const JackServerName = 0x04;

/** Of jack_port flags. */
export const JackPortIsInput = 0x1;
export const JackPortIsOutput = 0x2;
export const JackPortIsPhysical = 0x4;

/** Of jack_latency_callback_mode_t. */
export const JackCaptureLatency = 0;
export const JackPlaybackLatency = 1;

/** JACK_DEFAULT_AUDIO_TYPE. */
export const JACK_AUDIO_TYPE = "32 bit float mono audio";

let library: Jack | undefined;

/**
 * libjack.
 *
 * @throws {Error} where it is not installed
 */
export function jack(): Jack {
  try {
    return library ??= Deno.dlopen(LIBJACK, symbols).symbols;
  } catch {
    throw new Error(`${LIBJACK} cannot be loaded (Debian: apt-get install libjack-jackd2-0)`);
  }
}
