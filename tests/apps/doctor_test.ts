// `ossp doctor` with each sound server up, stopped and down: it says which, and soon.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { OSSP, Run, Scratch } from "../native/ossp.ts";
import { available } from "../programs.ts";
import { JackServer } from "./jack_server.ts";
import { PulseServer, SERVER_KINDS } from "./pulse_server.ts";
import { Sndiod } from "./sndio.ts";

/** How soon it answers, whatever is wrong. */
const LIMIT_MS = 3000;

/** The machine may be too busy for that. */
const TRIES = 4;

/** Its line on a server, on a machine that has no others than `env` says. */
async function lineOf(
  kind: string,
  folder: string,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const none = {
    HOME: folder,
    XDG_RUNTIME_DIR: folder,
    PULSE_SERVER: `unix:${folder}/no-pulse`,
    DBUS_SESSION_BUS_ADDRESS: "disabled:",
    JACK_DEFAULT_SERVER: `none-${crypto.randomUUID()}`,
    ALSA_CONFIG_PATH: `${folder}/no-alsa.conf`,
    AUDIODEVICE: "snd,14/none",
  };
  await Deno.writeTextFile(none.ALSA_CONFIG_PATH, "");
  for (let tries = 1;; tries++) {
    const startMs = performance.now();
    await using run = new Run([...OSSP, "doctor"], { env: { ...none, ...env } });
    await run.end();
    const ms = performance.now() - startMs;
    assertEquals(run.stderr, "");
    assert(ms < LIMIT_MS || tries < TRIES, `${ms} ms: ${run.stdout}`);
    if (ms >= LIMIT_MS) continue;
    const line = run.stdout.split("\n").find((line) => line.slice(7).startsWith(`--sink ${kind}`));
    assert(line, run.stdout);
    return line;
  }
}

const HAS = /^has {4}--sink \w+$/;

for (const [name, kind] of Object.entries(SERVER_KINDS)) {
  Deno.test(`doctor says whether ${name} is there, stands still or is gone`, async () => {
    if (!available(...kind.executables)) return;
    await using scratch = new Scratch();
    const { path } = scratch;
    await Deno.mkdir(`${path}/server`);
    await using server = new PulseServer(kind, `${path}/server`);
    await server.start();
    assertMatch(await lineOf("pulse", path, server.env), HAS);
    server.signal("SIGSTOP");
    assertMatch(await lineOf("pulse", path, server.env), /^lacks .*no answer.*\(.*\)$/);
    server.signal("SIGCONT");
    await server.kill();
    assertMatch(await lineOf("pulse", path, server.env), /^lacks .*refused \(start /);
  });
}

Deno.test("doctor says that nobody serves PulseAudio's socket, or that somebody else does", async () => {
  await using scratch = new Scratch();
  const { path } = scratch;
  const env = { PULSE_SERVER: `unix:${path}/socket` };
  const listener = Deno.listen({ transport: "unix", path: `${path}/socket` });
  assertMatch(await lineOf("pulse", path, env), /^lacks .*no answer/);
  listener.close();
  assertMatch(await lineOf("pulse", path, env), /^lacks .*refused/);
});

Deno.test("doctor says whether jackd is there, stands still or is gone", async () => {
  if (!available("jackd", "cc")) return;
  await using scratch = new Scratch();
  await using jack = await JackServer.start(scratch.path);
  const env = { JACK_DEFAULT_SERVER: jack.name };
  assertMatch(await lineOf("jack", scratch.path, env), HAS);
  jack.signal("SIGSTOP");
  assertMatch(await lineOf("jack", scratch.path, env), /^lacks .*no answer.*\(.*\)$/);
  jack.signal("SIGCONT");
  await jack.kill();
  assertMatch(await lineOf("jack", scratch.path, env), /^lacks .*no JACK server/);
});

Deno.test("doctor says whether sndiod is there, stands still or is gone", async () => {
  if (!available("sndiod")) return;
  await using scratch = new Scratch();
  await using sndiod = Sndiod.create(scratch.path);
  await sndiod.start();
  const env = { AUDIODEVICE: sndiod.device() };
  assertMatch(await lineOf("sndio", scratch.path, env), HAS);
  sndiod.signal("SIGSTOP");
  assertMatch(await lineOf("sndio", scratch.path, env), /^lacks .*no answer.*\(.*\)$/);
  sndiod.signal("SIGCONT");
  await sndiod.kill();
  assertMatch(await lineOf("sndio", scratch.path, env), /^lacks .*\(start sndiod\)$/);
});

Deno.test("doctor says whether there is an ALSA PCM", async () => {
  await using scratch = new Scratch();
  const config = `${scratch.path}/asound.conf`;
  await Deno.writeTextFile(config, "pcm.!default { type null }\n");
  assertMatch(await lineOf("alsa", scratch.path, { ALSA_CONFIG_PATH: config }), HAS);
  await Deno.writeTextFile(config, "pcm.!default { type hw card 9 }\n");
  assertMatch(
    await lineOf("alsa", scratch.path, { ALSA_CONFIG_PATH: config }),
    /^lacks .*default: /,
  );
});
