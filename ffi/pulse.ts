// libpulse, the client library of PulseAudio, which PipeWire's clients of that protocol use too:
// loaded when a sound server of that kind is chosen.

// From pulse/*.h. Sizes that are size_t in C are passed as u32: no buffer here reaches 4 GiB.
const symbols = {
  // pa_mainloop *pa_mainloop_new(void)
  pa_mainloop_new: { parameters: [], result: "pointer" },
  // void pa_mainloop_free(pa_mainloop *m)
  pa_mainloop_free: { parameters: ["pointer"], result: "void" },
  // int pa_mainloop_prepare(pa_mainloop *m, int timeout_us)
  pa_mainloop_prepare: { parameters: ["pointer", "i32"], result: "i32" },
  // int pa_mainloop_poll(pa_mainloop *m)
  pa_mainloop_poll: { parameters: ["pointer"], result: "i32" },
  // int pa_mainloop_dispatch(pa_mainloop *m)
  pa_mainloop_dispatch: { parameters: ["pointer"], result: "i32" },
  // pa_mainloop_api *pa_mainloop_get_api(pa_mainloop *m)
  pa_mainloop_get_api: { parameters: ["pointer"], result: "pointer" },
  // struct timeval *pa_gettimeofday(struct timeval *tv)
  pa_gettimeofday: { parameters: ["buffer"], result: "pointer" },
  // const char *pa_strerror(int error)
  pa_strerror: { parameters: ["i32"], result: "pointer" },

  // pa_proplist *pa_proplist_new(void)
  pa_proplist_new: { parameters: [], result: "pointer" },
  // void pa_proplist_free(pa_proplist *p)
  pa_proplist_free: { parameters: ["pointer"], result: "void" },
  // int pa_proplist_sets(pa_proplist *p, const char *key, const char *value)
  pa_proplist_sets: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },

  // pa_context *pa_context_new_with_proplist(pa_mainloop_api *mainloop, const char *name,
  //                                          const pa_proplist *proplist)
  pa_context_new_with_proplist: { parameters: ["pointer", "buffer", "pointer"], result: "pointer" },
  // int pa_context_connect(pa_context *c, const char *server, pa_context_flags_t flags,
  //                        const pa_spawn_api *api)
  pa_context_connect: { parameters: ["pointer", "buffer", "u32", "pointer"], result: "i32" },
  // void pa_context_disconnect(pa_context *c)
  pa_context_disconnect: { parameters: ["pointer"], result: "void" },
  // void pa_context_unref(pa_context *c)
  pa_context_unref: { parameters: ["pointer"], result: "void" },
  // pa_context_state_t pa_context_get_state(const pa_context *c)
  pa_context_get_state: { parameters: ["pointer"], result: "i32" },
  // void pa_context_set_state_callback(pa_context *c, pa_context_notify_cb_t cb, void *userdata)
  pa_context_set_state_callback: { parameters: ["pointer", "pointer", "pointer"], result: "void" },
  // int pa_context_errno(const pa_context *c)
  pa_context_errno: { parameters: ["pointer"], result: "i32" },

  // pa_operation *pa_context_get_server_info(pa_context *c, pa_server_info_cb_t cb, void *userdata)
  pa_context_get_server_info: { parameters: ["pointer", "pointer", "pointer"], result: "pointer" },
  // pa_operation *pa_context_get_sink_input_info(pa_context *c, uint32_t idx,
  //                                              pa_sink_input_info_cb_t cb, void *userdata)
  pa_context_get_sink_input_info: {
    parameters: ["pointer", "u32", "pointer", "pointer"],
    result: "pointer",
  },
  // pa_operation *pa_context_set_sink_input_volume(pa_context *c, uint32_t idx,
  //                                                const pa_cvolume *volume,
  //                                                pa_context_success_cb_t cb, void *userdata)
  pa_context_set_sink_input_volume: {
    parameters: ["pointer", "u32", "buffer", "pointer", "pointer"],
    result: "pointer",
  },
  // pa_operation *pa_context_set_sink_input_mute(pa_context *c, uint32_t idx, int mute,
  //                                              pa_context_success_cb_t cb, void *userdata)
  pa_context_set_sink_input_mute: {
    parameters: ["pointer", "u32", "i32", "pointer", "pointer"],
    result: "pointer",
  },
  // void pa_context_set_subscribe_callback(pa_context *c, pa_context_subscribe_cb_t cb,
  //                                        void *userdata)
  pa_context_set_subscribe_callback: {
    parameters: ["pointer", "pointer", "pointer"],
    result: "void",
  },
  // pa_operation *pa_context_subscribe(pa_context *c, pa_subscription_mask_t m,
  //                                    pa_context_success_cb_t cb, void *userdata)
  pa_context_subscribe: { parameters: ["pointer", "u32", "pointer", "pointer"], result: "pointer" },
  // uint32_t pa_stream_get_index(const pa_stream *s)
  pa_stream_get_index: { parameters: ["pointer"], result: "u32" },
  // pa_operation *pa_context_get_sink_info_by_index(pa_context *c, uint32_t idx,
  //                                                 pa_sink_info_cb_t cb, void *userdata)
  pa_context_get_sink_info_by_index: {
    parameters: ["pointer", "u32", "pointer", "pointer"],
    result: "pointer",
  },
  pa_context_get_source_info_by_index: {
    parameters: ["pointer", "u32", "pointer", "pointer"],
    result: "pointer",
  },

  // pa_stream *pa_stream_new_with_proplist(pa_context *c, const char *name,
  //                                        const pa_sample_spec *ss, const pa_channel_map *map,
  //                                        pa_proplist *p)
  pa_stream_new_with_proplist: {
    parameters: ["pointer", "buffer", "buffer", "buffer", "pointer"],
    result: "pointer",
  },
  // int pa_stream_connect_playback(pa_stream *s, const char *dev, const pa_buffer_attr *attr,
  //                                pa_stream_flags_t flags, const pa_cvolume *volume,
  //                                pa_stream *sync_stream)
  pa_stream_connect_playback: {
    parameters: ["pointer", "buffer", "buffer", "u32", "buffer", "pointer"],
    result: "i32",
  },
  // int pa_stream_connect_record(pa_stream *s, const char *dev, const pa_buffer_attr *attr,
  //                              pa_stream_flags_t flags)
  pa_stream_connect_record: { parameters: ["pointer", "buffer", "buffer", "u32"], result: "i32" },
  // int pa_stream_disconnect(pa_stream *s)
  pa_stream_disconnect: { parameters: ["pointer"], result: "i32" },
  // uint32_t pa_stream_get_device_index(const pa_stream *s)
  pa_stream_get_device_index: { parameters: ["pointer"], result: "u32" },
  // int pa_stream_is_suspended(const pa_stream *s)
  pa_stream_is_suspended: { parameters: ["pointer"], result: "i32" },
  // void pa_stream_set_state_callback(pa_stream *s, pa_stream_notify_cb_t cb, void *userdata), and
  // others of that kind
  pa_stream_set_state_callback: { parameters: ["pointer", "pointer", "pointer"], result: "void" },
  pa_stream_set_moved_callback: { parameters: ["pointer", "pointer", "pointer"], result: "void" },
  pa_stream_set_suspended_callback: {
    parameters: ["pointer", "pointer", "pointer"],
    result: "void",
  },
  pa_stream_set_underflow_callback: {
    parameters: ["pointer", "pointer", "pointer"],
    result: "void",
  },
  // void pa_stream_set_write_callback(pa_stream *p, pa_stream_request_cb_t cb, void *userdata)
  pa_stream_set_write_callback: { parameters: ["pointer", "pointer", "pointer"], result: "void" },
  pa_stream_set_read_callback: { parameters: ["pointer", "pointer", "pointer"], result: "void" },
  // void pa_stream_unref(pa_stream *s)
  pa_stream_unref: { parameters: ["pointer"], result: "void" },
  // pa_stream_state_t pa_stream_get_state(const pa_stream *s)
  pa_stream_get_state: { parameters: ["pointer"], result: "i32" },
  // const pa_buffer_attr *pa_stream_get_buffer_attr(pa_stream *s)
  pa_stream_get_buffer_attr: { parameters: ["pointer"], result: "pointer" },
  // const pa_timing_info *pa_stream_get_timing_info(pa_stream *s)
  pa_stream_get_timing_info: { parameters: ["pointer"], result: "pointer" },
  // pa_operation *pa_stream_update_timing_info(pa_stream *s, pa_stream_success_cb_t cb, void *data)
  pa_stream_update_timing_info: {
    parameters: ["pointer", "pointer", "pointer"],
    result: "pointer",
  },
  // pa_operation *pa_stream_cork(pa_stream *s, int b, pa_stream_success_cb_t cb, void *data)
  pa_stream_cork: { parameters: ["pointer", "i32", "pointer", "pointer"], result: "pointer" },
  // pa_operation *pa_stream_flush(pa_stream *s, pa_stream_success_cb_t cb, void *data)
  pa_stream_flush: { parameters: ["pointer", "pointer", "pointer"], result: "pointer" },
  // pa_operation *pa_stream_drain(pa_stream *s, pa_stream_success_cb_t cb, void *data)
  pa_stream_drain: { parameters: ["pointer", "pointer", "pointer"], result: "pointer" },
  // size_t pa_stream_writable_size(const pa_stream *p)
  pa_stream_writable_size: { parameters: ["pointer"], result: "u32" },
  // int pa_stream_write(pa_stream *p, const void *data, size_t nbytes, pa_free_cb_t free_cb,
  //                     int64_t offset, pa_seek_mode_t seek)
  pa_stream_write: {
    parameters: ["pointer", "buffer", "u32", "pointer", "i64", "u32"],
    result: "i32",
  },
  // int64_t pa_stream_get_underflow_index(const pa_stream *p), its low half: it is looked at for
  // changes
  pa_stream_get_underflow_index: { parameters: ["pointer"], result: "i32" },
  // int pa_stream_peek(pa_stream *p, const void **data, size_t *nbytes)
  pa_stream_peek: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
  // int pa_stream_drop(pa_stream *p)
  pa_stream_drop: { parameters: ["pointer"], result: "i32" },

  // pa_operation_state_t pa_operation_get_state(const pa_operation *o)
  pa_operation_get_state: { parameters: ["pointer"], result: "i32" },
  // void pa_operation_cancel(pa_operation *o)
  pa_operation_cancel: { parameters: ["pointer"], result: "void" },
  // void pa_operation_unref(pa_operation *o)
  pa_operation_unref: { parameters: ["pointer"], result: "void" },
} as const;

/** The loaded library. */
export type PulseLibrary = Deno.DynamicLibrary<typeof symbols>["symbols"];

/** Flags of pa_context_connect. */
export const PA_CONTEXT_NOAUTOSPAWN = 0x1;

/** pa_context_state_t. */
export const PA_CONTEXT_READY = 4;
export const PA_CONTEXT_FAILED = 5;
export const PA_CONTEXT_TERMINATED = 6;

/** pa_stream_state_t. */
export const PA_STREAM_READY = 2;
export const PA_STREAM_FAILED = 3;
export const PA_STREAM_TERMINATED = 4;

/** Flags of pa_stream_connect_*. */
export const PA_STREAM_START_CORKED = 0x1;
export const PA_STREAM_START_MUTED = 0x1000;
export const PA_STREAM_ADJUST_LATENCY = 0x2000;
export const PA_STREAM_START_UNMUTED = 0x10000;

/** pa_subscription_mask_t. */
export const PA_SUBSCRIPTION_MASK_SINK_INPUT = 0x4;

/** pa_operation_state_t. */
export const PA_OPERATION_RUNNING = 0;

/** pa_seek_mode_t. */
export const PA_SEEK_RELATIVE = 0;

/** Events of a pa_mainloop_api's descriptors. */
const PA_IO_EVENT_INPUT = 1;

/** What a pa_buffer_attr says of a field that the server may choose. */
export const PA_ANY = 0xffffffff;

/** pa_sample_format_t, by the names that lib/pcm has for them. */
export const PA_FORMATS: Readonly<Record<string, number>> = {
  u8: 0,
  alaw: 1,
  mulaw: 2,
  s16le: 3,
  s16be: 4,
  f32le: 5,
  s32le: 7,
  s32be: 8,
  s24packed: 9,
  s24le: 11,
  s24be: 12,
};

/** pa_channel_position_t. */
export const PA_POSITION = {
  mono: 0,
  frontLeft: 1,
  frontRight: 2,
  frontCenter: 3,
  rearCenter: 4,
  rearLeft: 5,
  rearRight: 6,
  lfe: 7,
  sideLeft: 10,
  sideRight: 11,
} as const;

let library: PulseLibrary | undefined;

/**
 * libpulse.
 *
 * @throws {Error} where it is not installed or may not be loaded
 */
export function pulseLibrary(): PulseLibrary {
  try {
    return library ??= Deno.dlopen("libpulse.so.0", symbols).symbols;
  } catch {
    throw new Error("libpulse.so.0 cannot be loaded (apt-get install libpulse0)");
  }
}

/** A `pa_sample_spec`. */
export function sampleSpec(
  format: number,
  rateHz: number,
  channels: number,
): Uint8Array<ArrayBuffer> {
  const spec = new DataView(new ArrayBuffer(12));
  spec.setInt32(0, format, true);
  spec.setUint32(4, rateHz, true);
  spec.setUint8(8, channels);
  return new Uint8Array(spec.buffer);
}

const PA_CHANNELS_MAX = 32;

/** A `pa_channel_map`. */
export function channelMap(positions: readonly number[]): Uint8Array<ArrayBuffer> {
  const map = new DataView(new ArrayBuffer(4 + 4 * PA_CHANNELS_MAX));
  map.setUint8(0, positions.length);
  positions.forEach((position, channel) => map.setInt32(4 + 4 * channel, position, true));
  return new Uint8Array(map.buffer);
}

/** A `pa_buffer_attr`, all in bytes. */
export interface BufferAttributes {
  /** What the server wants to have under way. */
  readonly tlength?: number;
  /** What it waits for before it plays. */
  readonly prebuf?: number;
  /** The least that it asks for. */
  readonly minreq?: number;
  /** What it sends at once of what it records. */
  readonly fragsize?: number;
}

/** A `pa_buffer_attr`; the server chooses what is not given. */
export function bufferAttributes(attributes: BufferAttributes): Uint8Array<ArrayBuffer> {
  const { tlength = PA_ANY, prebuf = PA_ANY, minreq = PA_ANY, fragsize = PA_ANY } = attributes;
  return new Uint8Array(new Uint32Array([PA_ANY, tlength, prebuf, minreq, fragsize]).buffer);
}

/** A stream's `pa_buffer_attr`: the library's own memory, where it stays as long as the stream. */
export class GrantedAttributes {
  readonly #words: Uint32Array;

  constructor(pointer: Deno.PointerObject) {
    this.#words = new Uint32Array(Deno.UnsafePointerView.getArrayBuffer(pointer, 20));
  }

  /** What the server wants to have under way, in bytes. */
  get tlength(): number {
    return this.#words[1];
  }
}

/** A stream's `pa_timing_info`: the library's own memory, where it stays as long as the stream. */
export class TimingInfo {
  readonly #view: DataView;

  constructor(pointer: Deno.PointerObject) {
    const SIZE = 104;
    this.#view = new DataView(Deno.UnsafePointerView.getArrayBuffer(pointer, SIZE));
  }

  // Beyond 2^53 a number is not exact; that many bytes last longer than this machine.
  #long(offset: number): number {
    const view = this.#view;
    return view.getInt32(offset + 4, true) * 2 ** 32 + view.getUint32(offset, true);
  }

  /** When the server was asked, of the system's clock, in microseconds. */
  get timestampUs(): number {
    return this.#long(0) * 1e6 + this.#long(8);
  }

  /** How long what the sink takes now takes to be heard. */
  get sinkUs(): number {
    return this.#long(24);
  }

  /** How old what the source gives is. */
  get sourceUs(): number {
    return this.#long(32);
  }

  /** Whether the sink takes what the stream has. */
  get playing(): boolean {
    return this.#view.getInt32(48, true) !== 0;
  }

  /** Whether the indexes are not known, after a flush. */
  get corrupt(): boolean {
    return this.#view.getInt32(52, true) !== 0 || this.#view.getInt32(64, true) !== 0;
  }

  /** Bytes written to the stream's buffer at the server, or on the way to it. */
  get writeIndex(): number {
    return this.#long(56);
  }

  /** Bytes that the sink has taken. */
  get readIndex(): number {
    return this.#long(72);
  }

  /** What the sink's latency is set to. */
  get configuredSinkUs(): number {
    return this.#long(80);
  }

  /** Bytes for which the sink has played the stream, or has had nothing of it; -1 when it has not begun. */
  get sinceUnderrun(): number {
    return this.#long(96);
  }
}

/** The sample rate that a `pa_sink_info` or a `pa_source_info` has. */
export function deviceRateHz(info: Deno.PointerObject): number {
  return new Deno.UnsafePointerView(info).getUint32(28);
}

/** The volume that a `pa_sink_input_info` has. */
export class SinkInputVolume {
  /** Of each channel, 0x10000 for 100 %. */
  readonly volumes: readonly number[];
  readonly isMuted: boolean;

  constructor(info: Deno.PointerObject) {
    const view = new Deno.UnsafePointerView(info);
    const VOLUME = 172;
    this.volumes = Array.from(
      { length: view.getUint8(VOLUME) },
      (_, channel) => view.getUint32(VOLUME + 4 + 4 * channel),
    );
    this.isMuted = view.getInt32(336) !== 0;
  }

  /** A `pa_cvolume`. */
  static encode(volumes: readonly number[]): Uint8Array<ArrayBuffer> {
    const volume = new DataView(new ArrayBuffer(4 + 4 * PA_CHANNELS_MAX));
    volume.setUint8(0, volumes.length);
    volumes.forEach((value, channel) => volume.setUint32(4 + 4 * channel, value, true));
    return new Uint8Array(volume.buffer);
  }
}

/** The server's name for itself in a `pa_server_info`. */
export function serverName(info: Deno.PointerObject): string {
  const text = new Deno.UnsafePointerView(info).getPointer(24);
  return text === null ? "" : Deno.UnsafePointerView.getCString(text);
}

/** The main loop's watch on a descriptor: it ends a poll when that can be read. */
export class InputWatch {
  readonly #callback = new Deno.UnsafeCallback(
    { parameters: ["pointer", "pointer", "i32", "i32", "pointer"], result: "void" },
    () => {},
  );

  /** @param api the main loop's, which frees the watch with itself */
  constructor(api: Deno.PointerObject, fd: number) {
    // After the user data: pa_io_event *io_new(pa_mainloop_api *a, int fd, pa_io_event_flags_t
    // events, pa_io_event_cb_t cb, void *data)
    const ioNew = new Deno.UnsafeFnPointer(
      new Deno.UnsafePointerView(api).getPointer(8) as Deno.PointerObject<{
        parameters: ["pointer", "i32", "i32", "function", "pointer"];
        result: "pointer";
      }>,
      { parameters: ["pointer", "i32", "i32", "function", "pointer"], result: "pointer" },
    );
    ioNew.call(api, fd, PA_IO_EVENT_INPUT, this.#callback.pointer, null);
  }

  /** To be called when the main loop is gone. */
  close(): void {
    this.#callback.close();
  }
}
