// The devices beside dsp as real character devices: their numbers, what they open as, a status that is
// read as any file, and a second card.

import { assert, assertEquals } from "@std/assert";
import { noise, readWav, runOssp, Scratch } from "../../programs.ts";

Deno.test("cuse: audio, dspW, sndstat and a second card, with OSS's numbers", async () => {
  await using scratch = await Scratch.create();
  const { path } = scratch;
  const bytes = noise(4000, 1);
  await Deno.writeFile(`${path}/sound`, bytes);
  await Deno.writeTextFile(`${path}/conf`, `[card second]\nsink wav:${path}/second-%n.wav\n`);
  const script = `
    cd ${path}
    for device in dsp adsp audio dspW mixer sndstat dsp1 adsp1 audio1 dspW1 mixer1; do
      stat -c '%n %F %Hr:%Lr %a' /dev/$device
    done
    for device in audio dspW audio1; do cat sound >/dev/$device; done
    perl -e '$^F = 9; open my $dsp, "<", "/dev/audio1" or die; exec "sh", "-c", $ARGV[0]' '
      cat /dev/sndstat >all; dd if=/dev/sndstat bs=7 status=none >small
      head -c 100 /dev/sndstat >head; { dd bs=10 count=1 status=none; cat; } </dev/sndstat >two'
    ! sh -c ': >/dev/sndstat' 2>/dev/null
  `;
  const { status, stdout, stderr } = await runOssp({
    options: [
      "--frontend",
      "cuse",
      "--config",
      `${path}/conf`,
      "--sink",
      `wav:${path}/first-%n.wav`,
    ],
    command: ["sh", "-c", script],
  });
  assertEquals([status, stderr], [0, ""]);
  const device = (name: string, minor: number, mode = 666) =>
    `/dev/${name} character special file 14:${minor} ${mode}\n`;
  assertEquals(
    stdout,
    [
      ...[device("dsp", 3), device("adsp", 12), device("audio", 4), device("dspW", 5)],
      ...[device("mixer", 0), device("sndstat", 6, 444), device("dsp1", 19)],
      ...[device("adsp1", 28), device("audio1", 20), device("dspW1", 21), device("mixer1", 16)],
    ].join(""),
  );
  const mulaw = { format: "mulaw", rateHz: 8000, channels: 1, bytes };
  assertEquals(await readWav(`${path}/first-1.wav`), mulaw);
  assertEquals(await readWav(`${path}/first-2.wav`), { ...mulaw, format: "s16le" });
  assertEquals(await readWav(`${path}/second-1.wav`), mulaw);
  const text = (name: string) => Deno.readTextFileSync(`${path}/${name}`);
  const all = text("all");
  assert(all.includes("\naudio1: pid ") && all.endsWith("\n"), all);
  assertEquals([text("small"), text("two"), text("head")], [all, all, all.slice(0, 100)]);
});
