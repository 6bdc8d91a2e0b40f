// Several cards by a configuration file: each plays to its own sink and records from its own source.

import { assertEquals, assertMatch } from "@std/assert";
import { noise, readWav, type Sound, writeWav } from "../programs.ts";
import { LACKING, OSSP, Run, Scratch } from "./ossp.ts";

Deno.test({
  name: "two cards at once: each has its sink, its source, its mixer and its names",
  ignore: LACKING,
  async fn() {
    await using scratch = new Scratch();
    const { path } = scratch;
    const sound = (seed: number): Sound => ({
      ...{ format: "u8", rateHz: 8000, channels: 1 },
      bytes: noise(8000, seed),
    });
    const [first, second, voice] = [sound(1), sound(2), sound(3)];
    Deno.writeFileSync(`${path}/first`, first.bytes);
    Deno.writeFileSync(`${path}/second`, second.bytes);
    await writeWav(`${path}/voice.wav`, voice);
    Deno.writeTextFileSync(
      `${path}/ossp.conf`,
      `
      source silence
      adsp             # none
      [card headset]
      sink wav:${path}/second.wav
      source wav:${path}/voice.wav
      format u8
      rate 8000
      channels 1
      `,
    );
    const script = `
      cd ${path}; exec 2>&1
      cat first >/dev/dsp & cat second >/dev/dsp1 & dd if=/dev/dsp1 of=heard bs=4000 count=1 status=none & wait
      dd if=/dev/audio1 of=heard-mulaw bs=8 count=1 status=none
      ls /dev | grep -E '^(dsp|adsp|audio|mixer|sndstat|dspW)[0-9]*$' | tr '\\n' ' '
      grep -A3 -E '^(Card config|Audio devices|Mixers)' /dev/sndstat
    `;
    await using run = Run.ossp([
      ...["--config", `${path}/ossp.conf`, "--sink", `wav:${path}/played-%n.wav`],
      ...["--", "sh", "-c", script],
    ]);
    assertEquals([await run.end(), run.stderr], [0, ""]);
    assertEquals(await readWav(`${path}/played-1.wav`), first);
    assertEquals(await readWav(`${path}/second.wav`), second);
    assertEquals(Deno.readFileSync(`${path}/heard`), voice.bytes.slice(0, 4000));
    assertMatch(
      run.stdout,
      /^adsp1 audio audio0 audio1 dsp dsp0 dsp1 dspW dspW0 dspW1 mixer mixer0 mixer1 sndstat /,
    );
    for (
      const part of [
        /Card config: \nossp: wav:.*played-%n.wav, recorded from silence\nheadset: wav:.*voice.wav\n/,
        /Audio devices:\n0: ossp: .* \(DUPLEX\)\n1: headset: .* \(DUPLEX\)\n/,
        /Mixers:\n0: ossp\n1: headset\n/,
      ]
    ) assertMatch(run.stdout, part);
  },
});

Deno.test({
  name:
    "a configuration that makes no sense is refused with its line, one that is missing with its name",
  ignore: LACKING,
  async fn() {
    await using scratch = new Scratch();
    const path = `${scratch.path}/ossp.conf`;
    Deno.writeTextFileSync(path, "sink null\n[card]\nsink wave:x\n");
    const refuse = async (config: string) => {
      await using run = new Run([...OSSP, "run", "--config", config, "--", "true"]);
      return [await run.end(), run.stderr.split(": ").slice(0, 3).join(": ")];
    };
    assertEquals(await refuse(path), [64, `ossp: ${path}:3: no sink "wave:x"`]);
    const [status, message] = await refuse(`${path}.not`);
    assertEquals(status, 69);
    assertMatch(String(message), /^ossp: .*ossp\.conf\.not: No such file/);
  },
});

Deno.test({
  name: "without COMMAND /etc/ossp.conf is read where it exists, with COMMAND it is not",
  ignore: LACKING,
  async fn() {
    await using scratch = new Scratch();
    const { path } = scratch;
    for (const folder of ["etc", "old"]) Deno.mkdirSync(`${path}/${folder}`);
    for (const { name } of Deno.readDirSync("/etc")) {
      Deno.symlinkSync(`${path}/old/${name}`, `${path}/etc/${name}`);
    }
    Deno.writeTextFileSync(`${path}/etc/ossp.conf`, "dsp tuba\nadsp\naudio\ndspw\nmixer\n");
    // The machine's /etc with one more file, in a mount namespace of this run.
    const mounts = `mount --bind /etc ${path}/old && mount --bind ${path}/etc /etc`;
    const by = ["unshare", "--mount", "--", "sh", "-c", `${mounts} && exec "$@"`, "sh"];
    await using daemon = Run.ossp(["--dir", `${path}/dev`], { by });
    await daemon.printed("serving", "stderr");
    assertMatch(daemon.stderr, /serving .*\/dev\/tuba .*\/dev\/sndstat$/m);
    daemon.kill("SIGTERM");
    assertEquals(await daemon.end(), 0, daemon.stderr);
    const script = "test -e /dev/dsp -a ! -e /dev/tuba";
    await using run = Run.ossp(["--", "sh", "-c", script], { by });
    assertEquals([await run.end(), run.stderr], [0, ""]);
  },
});
