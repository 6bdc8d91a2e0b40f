// The control plane's question whether a sound server can be used, asked by a thread of its own: some
// libraries wait as long as they please for a server that is stopped.

import type { ProbeAnswer, ProbeStart } from "./worker.ts";
import { WORKER_URL } from "./worker_url.ts";

/**
 * Why the default server of a kind that needs no opener cannot be used now: one line; undefined if it
 * can.
 *
 * @param limitMs how long it is waited for once it has been asked; then the thread is left behind
 */
export async function probeAside(
  kind: ProbeStart["probe"],
  limitMs: number,
): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const worker = new Worker(WORKER_URL, { type: "module", name: `probe ${kind}` });
  let timer: ReturnType<typeof setTimeout> | undefined;
  worker.onmessage = ({ data }: MessageEvent<ProbeAnswer>) => {
    if (data !== "asked") return resolve(data.refusal);
    const late = `no answer in ${limitMs} ms (is the server stopped?)`;
    timer = setTimeout(() => resolve(late), limitMs);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    resolve(event.message);
  };
  const start: ProbeStart = { probe: kind };
  worker.postMessage(start);
  const refusal = await promise;
  clearTimeout(timer);
  worker.terminate();
  return refusal;
}
