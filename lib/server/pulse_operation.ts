// What a PulseAudio server is asked, until it has answered.

import { PA_OPERATION_RUNNING, type PulseLibrary } from "../../ffi/pulse.ts";

/** Something asked of the server, until it has answered. */
export class Operation {
  readonly #library: PulseLibrary;
  #pointer: Deno.PointerValue;

  constructor(library: PulseLibrary, pointer: Deno.PointerValue) {
    this.#library = library;
    this.#pointer = pointer;
  }

  /** Whether the server has answered, or never will. */
  get done(): boolean {
    if (this.#pointer === null) return true;
    if (this.#library.pa_operation_get_state(this.#pointer) === PA_OPERATION_RUNNING) return false;
    this.#free();
    return true;
  }

  /** The answer is not waited for any more. */
  cancel(): void {
    if (this.#pointer === null) return;
    this.#library.pa_operation_cancel(this.#pointer);
    this.#free();
  }

  #free(): void {
    this.#library.pa_operation_unref(this.#pointer);
    this.#pointer = null;
  }
}

/** A question of which something in the answer is wanted. */
export class Query<Answer> {
  /** Undefined until the server has answered, and if it knew no answer. */
  answer: Answer | undefined;
  readonly #callback: Deno.UnsafeCallback<
    { parameters: readonly ["pointer", "pointer"]; result: "void" }
  >;
  readonly #operation: Operation;
  #closed = false;

  /**
   * @param ask asks the server, given the callback for the answer
   * @param read reads what is wanted from the struct that it answers with
   */
  constructor(
    library: PulseLibrary,
    ask: (callback: Deno.PointerValue) => Deno.PointerValue,
    read: (info: Deno.PointerObject) => Answer,
  ) {
    // What follows the struct (the end of a list, the user's data) is not needed.
    this.#callback = new Deno.UnsafeCallback(
      { parameters: ["pointer", "pointer"], result: "void" },
      (_context, info) => {
        if (info !== null) this.answer ??= read(info);
      },
    );
    this.#operation = new Operation(library, ask(this.#callback.pointer));
  }

  /** Whether the server has answered, or never will. */
  get done(): boolean {
    if (!this.#closed && this.#operation.done) this.#close();
    return this.#closed;
  }

  #close(): void {
    this.#closed = true;
    this.#callback.close();
  }

  /** The answer is not waited for any more. */
  cancel(): void {
    this.#operation.cancel();
    if (!this.#closed) this.#close();
  }
}
