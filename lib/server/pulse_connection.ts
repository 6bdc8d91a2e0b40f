// A connection to a PulseAudio server, and what is asked of the server as a whole.

import { cString } from "../../ffi/libc.ts";
import {
  deviceRateHz,
  PA_CONTEXT_FAILED,
  PA_CONTEXT_NOAUTOSPAWN,
  PA_CONTEXT_READY,
  PA_SUBSCRIPTION_MASK_SINK_INPUT,
  type PulseLibrary,
  serverName,
  SinkInputVolume,
} from "../../ffi/pulse.ts";
import { Operation, Query } from "./pulse_operation.ts";
import type { ServerStream } from "./server.ts";

/** A context in a main loop of libpulse, which runs only while it is waited for. */
export class Connection {
  readonly context: Deno.PointerObject;
  /** Whether its state may have changed since it was last looked at. */
  #touched = true;
  #state = 0;
  readonly #onState = new Deno.UnsafeCallback(
    { parameters: ["pointer"], result: "void" },
    () => {
      this.#touched = true;
    },
  );
  #serverName: Query<string> | undefined;
  /** What is called when something of a stream that plays has changed, by the stream's number. */
  readonly onChange = new Map<number, () => void>();
  readonly #onEvent = new Deno.UnsafeCallback(
    { parameters: ["pointer", "u32", "u32", "pointer"], result: "void" },
    (_context, _event, index) => this.onChange.get(index)?.(),
  );
  #subscribing: Operation | undefined;

  /** @param name the server's; empty for the default */
  constructor(readonly library: PulseLibrary, loop: Deno.PointerObject, name: string) {
    const properties = library.pa_proplist_new();
    library.pa_proplist_sets(properties, cString("application.icon_name"), cString("audio-card"));
    this.context = library.pa_context_new_with_proplist(
      library.pa_mainloop_get_api(loop),
      cString("ossp"),
      properties,
    )!;
    library.pa_proplist_free(properties);
    library.pa_context_set_state_callback(this.context, this.#onState.pointer, null);
    const server = name === "" ? null : cString(name);
    library.pa_context_connect(this.context, server, PA_CONTEXT_NOAUTOSPAWN, null);
  }

  get #current(): number {
    const { library, context } = this;
    if (this.#touched) this.#state = library.pa_context_get_state(context);
    this.#touched = false;
    if (this.#state === PA_CONTEXT_READY && !this.#serverName) {
      const ask = library.pa_context_get_server_info;
      this.#serverName = new Query(library, (callback) => ask(context, callback, null), serverName);
      library.pa_context_set_subscribe_callback(context, this.#onEvent.pointer, null);
      this.#subscribing = new Operation(
        library,
        library.pa_context_subscribe(context, PA_SUBSCRIPTION_MASK_SINK_INPUT, null, null),
      );
    }
    return this.#state;
  }

  get ready(): boolean {
    return this.#current === PA_CONTEXT_READY;
  }

  get failed(): boolean {
    return this.#current >= PA_CONTEXT_FAILED;
  }

  /** Why it failed, in the library's words. */
  get error(): string {
    const { library, context } = this;
    const text = library.pa_strerror(library.pa_context_errno(context));
    return Deno.UnsafePointerView.getCString(text!);
  }

  /**
   * Whether the server resamples as well as we do; undefined until it has answered. PulseAudio's own
   * default is 40 to 60 dB worse, PipeWire's is as good (README.md has the figures).
   */
  get resamplesWell(): boolean | undefined {
    const asked = this.#serverName;
    return asked?.done ? asked.answer?.includes("PipeWire") ?? true : undefined;
  }

  /** Asks for the sample rate of a device. */
  rateOf(direction: ServerStream["direction"], device: number): Query<number> {
    const { library, context } = this;
    const ask = direction === "play"
      ? library.pa_context_get_sink_info_by_index
      : library.pa_context_get_source_info_by_index;
    return new Query(library, (callback) => ask(context, device, callback, null), deviceRateHz);
  }

  /**
   * Asks for the volume of a stream that plays.
   *
   * @param onAnswer called with the answer
   */
  volumeOf(index: number, onAnswer: () => void): Query<SinkInputVolume> {
    const { library, context } = this;
    const ask = library.pa_context_get_sink_input_info;
    return new Query(library, (callback) => ask(context, index, callback, null), (info) => {
      onAnswer();
      return new SinkInputVolume(info);
    });
  }

  close(): void {
    const { library, context } = this;
    this.#serverName?.cancel();
    this.#subscribing?.cancel();
    library.pa_context_set_subscribe_callback(context, null, null);
    this.#onEvent.close();
    library.pa_context_set_state_callback(context, null, null);
    this.#onState.close();
    library.pa_context_disconnect(context);
    library.pa_context_unref(context);
  }
}

/** Runs a main loop until something has happened in it, or the time is over. */
export function iterate(library: PulseLibrary, loop: Deno.PointerObject, ms: number): void {
  const us = ms === Infinity ? -1 : Math.ceil(ms * 1000);
  library.pa_mainloop_prepare(loop, us);
  library.pa_mainloop_poll(loop);
  library.pa_mainloop_dispatch(loop);
}
