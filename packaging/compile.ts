// Makes dist/ossp, one executable file that needs neither Deno nor Node where it runs: with
// `deno compile` where its base binary can be had, self-extracting elsewhere.
// Run by `deno task compile`.

import { mkdir, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { deno } from "./deno.ts";
import { type Entries, writeSelfExtracting } from "./self_extracting.ts";

/** How long the server of base binaries may take to answer, in milliseconds. */
const SERVER_TIMEOUT_MS = 3000;

/** What was made, and which way. */
export interface Executable {
  way: "deno compile" | "self-extracting";
  /** Why it is not the other way. */
  reason: string;
  sizeBytes: number;
}

/**
 * Writes the program as one executable file to `output`, whose folder is made.
 *
 * @throws {Error} if the program cannot be bundled; a file error if something cannot be read or written.
 */
export async function compile(entries: Entries, output: string): Promise<Executable> {
  await mkdir(dirname(output), { recursive: true });
  const base = await findBaseBinary();
  let { reason } = base;
  let way: Executable["way"] = "deno compile";
  const failure = base.found ? await denoCompile(entries, output) : reason;
  if (failure !== undefined) {
    way = "self-extracting";
    reason = failure;
    await writeSelfExtracting(entries, output);
  }
  return { way, reason, sizeBytes: (await stat(output)).size };
}

/** Whether `deno compile` will have denort, the runtime it puts programs into, and how. */
async function findBaseBinary(): Promise<{ found: boolean; reason: string }> {
  if (Deno.env.has("DENORT_BIN")) return { found: true, reason: "DENORT_BIN names a denort" };
  const path = `release/v${Deno.version.deno}/denort-${Deno.build.target}.zip`;
  const info = await deno("info", "--json");
  const { denoDir } = JSON.parse(new TextDecoder().decode(info.stdout)) as { denoDir: string };
  if (await stat(join(denoDir, "dl", path)).catch(() => undefined)) {
    return { found: true, reason: "denort is in Deno's cache" };
  }
  try {
    const response = await fetch(`https://dl.deno.land/${path}`, {
      method: "HEAD",
      signal: AbortSignal.timeout(SERVER_TIMEOUT_MS),
    });
    if (response.ok) return { found: true, reason: "denort can be downloaded" };
    return { found: false, reason: `dl.deno.land has no denort (status ${response.status})` };
  } catch {
    return { found: false, reason: "dl.deno.land does not answer and DENORT_BIN is not set" };
  }
}

/** Returns what went wrong, in one line, if anything did. */
async function denoCompile(entries: Entries, output: string): Promise<string | undefined> {
  // It replaces only what it made itself.
  await rm(output, { force: true });
  const options = ["--quiet", "--no-check", "--allow-all", "--include", entries.worker];
  const { failure } = await deno("compile", ...options, "--output", output, entries.main);
  return failure;
}

if (import.meta.main) {
  const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
  const entries = { main: here("../main.ts"), worker: here("../lib/daemon/worker.ts") };
  try {
    const { way, reason, sizeBytes } = await compile(entries, here("../dist/ossp"));
    console.log(`dist/ossp: ${(sizeBytes / 1e6).toFixed(1)} MB, ${way} (${reason})`);
  } catch (error) {
    console.error(`dist/ossp: ${error instanceof Error ? error.message : error}`);
    Deno.exit(1);
  }
}
