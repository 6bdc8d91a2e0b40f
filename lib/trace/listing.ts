// A trace for people: a line a call, with who made it, when, and how long it took.

import { printStatement } from "../script/printer.ts";
import type { CallListener } from "./assembler.ts";
import { Descriptors } from "./descriptors.ts";
import { type Style, writeCall } from "./statement.ts";
import type { TracedCall } from "./traced_call.ts";

const STYLE: Style = { ranges: false, content: () => ({ file: "...", offset: "0" }) };

/** Lists calls in the order of their ends. */
export class Listing implements CallListener {
  readonly #put: (text: string) => void;
  readonly #descriptors = new Descriptors();
  #originMs: number | undefined;

  /** @param put takes lines, each with its end */
  constructor(put: (text: string) => void) {
    this.#put = put;
  }

  began(call: TracedCall): void {
    this.#originMs ??= call.startMs;
  }

  ended(call: TracedCall): void {
    const { file, request, pid, startMs, endMs } = call;
    const isOpen = request.kind === "open";
    const name = isOpen ? this.#descriptors.opened(file) : this.#descriptors.nameOf(file);
    const { action, expected, comment } = writeCall(call, name, STYLE);
    if (request.kind === "close" || (isOpen && call.result < 0)) this.#descriptors.closed(file);
    const on = isOpen ? undefined : name;
    const text = action
      ? printStatement({ line: 0, on, action, expected })[0]
      : `${name}: ${comment}`;
    const seconds = ((startMs - this.#originMs!) / 1000).toFixed(6);
    const took = ((endMs - startMs) / 1000).toFixed(6);
    const note = action && comment ? ` # ${comment}` : "";
    this.#put(`${seconds} ${file.command}[${pid}] ${text}${note} <${took}>\n`);
  }

  lost(count: number): void {
    this.#put(`# missing here: ${count} (calls that came too fast to be written down)\n`);
  }
}
