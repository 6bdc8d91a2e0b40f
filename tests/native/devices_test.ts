// The device files beside dsp and mixer: what they open as, and what their links lead to.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { noise, readWav, type Sound } from "../programs.ts";
import { LACKING, OSSP, Run, Scratch } from "./ossp.ts";

/** Half a second of a file's bytes as they are. */
function soundOf(format: string, sampleBytes: number): Sound {
  return { format, rateHz: 8000, channels: 1, bytes: noise(4000 * sampleBytes, sampleBytes) };
}

Deno.test({
  name: "/dev/audio opens as mu-law, /dev/dspW as 16 bit, both at 8 kHz in mono",
  ignore: LACKING,
  async fn() {
    await using scratch = new Scratch();
    const { path } = scratch;
    const sounds = {
      audio: soundOf("mulaw", 1),
      dspW: soundOf("s16le", 2),
      adsp: soundOf("u8", 1),
    };
    const words = Object.keys(sounds).map((device) => `cat ${path}/${device} >/dev/${device}`);
    for (const [device, { bytes }] of Object.entries(sounds)) {
      Deno.writeFileSync(`${path}/${device}`, bytes);
    }
    await using run = Run.ossp([
      "--sink",
      `wav:${path}/%n.wav`,
      "--",
      "sh",
      "-c",
      words.join("\n"),
    ]);
    assertEquals([await run.end(), run.stderr], [0, ""]);
    for (const [i, sound] of Object.values(sounds).entries()) {
      assertEquals(await readWav(`${path}/${i + 1}.wav`), sound);
    }
  },
});

Deno.test({
  name: "an .au file of sox's is heard as it is by way of cat",
  ignore: LACKING,
  async fn() {
    await using scratch = new Scratch();
    const { path } = scratch;
    const script = `
      cd ${path}
      sox -n -r 8000 -c 1 -e mu-law tone.au synth 1 sine 440
      sox tone.au tone.ul
      cat tone.au >/dev/audio
    `;
    await using run = Run.ossp(["--sink", `wav:${path}/%n.wav`, "--", "sh", "-c", script]);
    assertEquals([await run.end(), run.stderr], [0, ""]);
    const tone = Deno.readFileSync(`${path}/tone.ul`);
    const heard = await readWav(`${path}/1.wav`);
    assertEquals([heard.format, heard.rateHz, heard.channels], ["mulaw", 8000, 1]);
    assertEquals(heard.bytes, Deno.readFileSync(`${path}/tone.au`)); // its header is heard too
    assertEquals(heard.bytes.slice(-tone.length), tone);
  },
});

Deno.test({
  name: "a private /dev has the names that programs of FreeBSD, of OSS 4 and of devfs look for",
  ignore: LACKING,
  async fn() {
    await using scratch = new Scratch();
    const { path } = scratch;
    const sound = soundOf("mulaw", 1);
    Deno.writeFileSync(`${path}/sound`, sound.bytes);
    const devices = ["audio0", "sound/audio", "audio"];
    const script = devices.map((device) => `cat ${path}/sound >/dev/${device}`).join("\n");
    await using run = Run.ossp([
      ...["--sink", `wav:${path}/%n.wav`, "--", "sh", "-c"],
      `${script}\ncd /dev; ls -d dsp0 adsp0 mixer0 sound/dsp sound/mixer sound/sndstat >/dev/null`,
    ]);
    assertEquals([await run.end(), run.stderr], [0, ""]);
    for (const i of devices.keys()) assertEquals(await readWav(`${path}/${i + 1}.wav`), sound);
  },
});

Deno.test({
  name: "/dev/sndstat is a file that is read as any other, and tells what plays",
  ignore: LACKING,
  async fn() {
    await using scratch = new Scratch();
    const { path } = scratch;
    // All of it is heard before the first look, so each look sees the same.
    const script = `
      exec 2>&1
      perl -e '$^F = 9; open my $dsp, ">", "/dev/dsp" or die; open my $again, "<", "/dev/audio" or die;
        syswrite $dsp, "x" x 100; exec "sh", "-c", $ARGV[0]' '
          sleep 0.4
          cat /dev/sndstat >all
          dd if=/dev/sndstat bs=7 status=none >small
          head -c 100 /dev/sndstat >head
          tail -c +101 /dev/sndstat >tail
          cp /dev/sndstat copy
          wc -c </dev/sndstat >count
          { dd bs=10 count=1 status=none >one; cat >two; } </dev/sndstat
        '
      test -w /dev/sndstat && test "$(id -u)" != 0 && echo writable
      echo x 2>/dev/null >/dev/sndstat && echo written
      cat /dev/sndstat >after
      ls -lL /dev/sndstat | cut -c1-10
    `;
    await using run = Run.ossp(["--sink", "null", "--", "sh", "-c", script], { cwd: path });
    assertEquals([await run.end(), run.stdout, run.stderr], [0, "cr--r--r--\n", ""]);
    const text = (name: string) => Deno.readTextFileSync(`${path}/${name}`);
    const all = text("all");
    assertMatch(
      Deno.readTextFileSync(`${path}/all`),
      new RegExp(
        `^Sound Driver:3\\.8\\.1a-980706 \\(ossp [\\d.]+\\)
Kernel: Linux .*${Deno.osRelease()} .*
Config options: 0

Installed drivers: 
Type 10: ossp

Card config: 
ossp: null, recorded from silence

Audio devices:
0: ossp: null, recorded from silence \\(DUPLEX\\)

Synth devices: NOT ENABLED IN CONFIG

Midi devices: NOT ENABLED IN CONFIG

Timers: NOT ENABLED IN CONFIG

Mixers:
0: ossp

Open streams:
dsp: pid \\d+ cmd 'perl' OUT, u8 8000 Hz 1 ch, \\d+ of 2048 bytes queued \\(\\d+ ms\\), \\d+ played, \\d+ underruns
audio: pid \\d+ cmd 'perl' IN, mulaw 8000 Hz 1 ch, 0 of 2048 bytes to be read, 0 recorded, 0 overruns
$`,
      ),
    );
    for (const name of ["small", "copy"]) assertEquals(text(name), all, name);
    assertEquals(text("head") + text("tail"), all);
    assertEquals(text("one") + text("two"), all);
    assert(Number(Deno.readTextFileSync(`${path}/count`)) > 300);
    assertMatch(text("after"), /\nOpen streams: none\n$/);
  },
});

Deno.test({
  name: "a program that closes its device by becoming another one is not held up",
  ignore: LACKING,
  async fn() {
    await using scratch = new Scratch();
    // Perl's files are closed by exec(3), which holds a lock that /proc may want meanwhile; whoever
    // waits for that one cannot be looked at, only be killed.
    const become = `open my $dsp, ">", "/dev/dsp" or die; syswrite $dsp, "x" x 4000;
      exec "sh", "-c", "echo another"`;
    await using run = Run.ossp(
      ["--sink", `raw:${scratch.path}/heard`, "--format", "u8", "--rate", "8000"].concat([
        ...["--channels", "1", "--", "perl", "-e", become],
      ]),
      { by: ["timeout", "--signal=KILL", "12"] },
    );
    assertEquals([await run.end(), run.stdout, run.stderr], [0, "another\n", ""]);
    assertEquals(Deno.statSync(`${scratch.path}/heard`).size, 4000);
  },
});

Deno.test({
  name:
    "ossp status lists streams, and says all as JSON; what is no status file of ours is refused",
  ignore: LACKING,
  async fn() {
    await using scratch = new Scratch();
    const { path } = scratch;
    const ossp = OSSP.join(" ");
    // Held back by its trigger, what is written stays where it is.
    const script = `perl -e '$^F = 9; open my $dsp, "+>", "/dev/audio" or die;
      my $none = pack "i", 0; ioctl $dsp, 0x40045010, $none or die $!;
      syswrite $dsp, "x" x 512; exec "sh", "-c", $ARGV[0]' '
        ${ossp} status; ${ossp} status --json >${path}/json; echo $?
        ${ossp} status --device /dev/null; echo $?
        ${ossp} status --device ${path}/nothing; echo $?'
      ${ossp} status`;
    await using run = Run.ossp(["--sink", "null", "--", "sh", "-c", script]);
    assertEquals(await run.end(), 0, run.stderr);
    const { version, streams, cards } = JSON.parse(Deno.readTextFileSync(`${path}/json`));
    const head = `ossp ${version}\ncard 0: ossp: null, recorded from silence: /dev/dsp\n`;
    const pid = String(streams[0].pid);
    assertEquals(
      run.stdout,
      head +
        `DEVICE  ${"PID".padEnd(pid.length)}  COMMAND  WAY  FORMAT              FILL  LATENCY  XRUNS
audio   ${pid}  perl     out  mulaw 8000 Hz 1 ch  25 %  64 ms    0
audio   ${pid}  perl     in   mulaw 8000 Hz 1 ch  0 %   0 ms     0
0
69
69
${head}no streams
`,
    );
    assertMatch(
      run.stderr,
      /^ossp: \/dev\/null: not ossp's .*\nossp: .*\/nothing: ENOENT \(is ossp running\?.*\n$/,
    );
    assertEquals(cards, [{ name: "ossp", about: "null, recorded from silence" }]);
    const { play, record, ...rest } = streams[0];
    assertEquals(play, { queuedBytes: 512, queuedMs: 64, playedBytes: 0, underruns: 0 });
    assertEquals(record, { waitingBytes: 0, waitingMs: 0, recordedBytes: 0, overruns: 0 });
    assertEquals(rest, {
      ...{ device: "audio", card: 0, pid: Number(pid), command: "perl" },
      ...{ closed: false, mapped: false, format: "mulaw", rateHz: 8000, channels: 1 },
      ...{ fragmentBytes: 128, bufferBytes: 2048 },
    });
  },
});
