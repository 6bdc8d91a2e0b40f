// Recording through real devices: what a client sees (the cases are record_client.c's), and what real
// programs, and our own, get of a WAV source, which is all of it to the bit from its first sample on.

import { assert, assertEquals } from "@std/assert";
import { formatByName } from "../../lib/pcm/format.ts";
import { wavHeader, wavSizes } from "../../lib/pcm/wav.ts";
import { available } from "../programs.ts";
import { LACKING, OSSP, Run, samplesOf, Scratch, until } from "./ossp.ts";

const CASES = [
  "blocking_read",
  "small_reads",
  "nonblocking_read",
  "poll_fragments",
  "ask_for_space",
  "overrun",
  "interrupted_read",
  "killed_in_read",
  "two_readers",
  "begin_anew",
  "duplex_on_one",
  "duplex_on_two",
  "other_way",
];

// As many clients at once as leave their times alone on two processors.
const AT_ONCE = 4;

/** What record_client.c wants to hear. */
const PATTERN = Uint8Array.from({ length: 1 << 18 }, (_, i) => i ^ i >> 8 ^ i >> 16);

function writeWav(
  path: string,
  format: string,
  rateHz: number,
  channels: number,
  data: Uint8Array,
) {
  const header = wavHeader(formatByName(format)!, rateHz, channels);
  wavSizes(header, data.length);
  Deno.writeFileSync(path, header.bytes);
  Deno.writeFileSync(path, data, { append: true });
}

/** Asserts that something begins as `sound`, repeated, does, and is not empty. */
function assertLoop(heard: Uint8Array, sound: Uint8Array, least: number): void {
  assert(heard.length >= least, `${heard.length} bytes; ${least} are wanted`);
  const wrong = heard.findIndex((byte, i) => byte !== sound[i % sound.length]);
  assertEquals(wrong, -1, "the first byte that is not the source's");
}

const step = { sanitizeOps: false, sanitizeResources: false, sanitizeExit: false };

Deno.test({
  name: "clients that record",
  ignore: LACKING,
  async fn(test) {
    await using scratch = new Scratch();
    const client = await scratch.client("record_client");
    const source = `${scratch.path}/source.wav`;
    writeWav(source, "u8", 16000, 1, PATTERN);
    const devices = `${scratch.path}/devices`;
    await using daemon = Run.ossp(["--dir", devices, "--source", `wav:${source}`]);
    await daemon.printed("serving", "stderr");
    const waiting = [...CASES];
    const worker = async () => {
      for (let name: string | undefined; (name = waiting.shift());) {
        const words = [client, name, `${devices}/dsp`];
        const fn = async () => {
          await using run = new Run(words);
          assertEquals([await run.end(), run.stderr], [0, ""], run.stdout);
        };
        await test.step({ name: name.replaceAll("_", " "), fn, ...step });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    daemon.kill("SIGTERM");
    assertEquals(await daemon.end(), 0, daemon.stderr);
    assert(!daemon.stderr.includes("warn"), daemon.stderr);

    await test.step("without a source there is no recording, but playing", async () => {
      await using run = Run.ossp(["--source", "none", "--", client, "no_source", "/dev/dsp"]);
      assertEquals([await run.end(), run.stderr], [0, ""], run.stdout);
    });

    await test.step("who records what is played hears himself at a constant offset", async () => {
      const options = [
        "--source",
        "monitor",
        "--format",
        "u8",
        "--rate",
        "16000",
        "--channels",
        "1",
      ];
      const words = [client, "duplex_with_oneself", "/dev/dsp"];
      await using run = Run.ossp([...options, "--", ...words]);
      assertEquals([await run.end(), run.stderr], [0, ""], run.stdout);
    });

    await test.step("a source without a clock gives a minute at once", async () => {
      const head =
        "head -c 960000 /dev/dsp | cksum; head -c 960000 /dev/zero | tr '\\0' '\\200' | cksum";
      const startMs = performance.now();
      await using run = Run.ossp(["--clock", "free", "--", "sh", "-c", head]);
      assertEquals([await run.end(), run.stderr], [0, ""]);
      const [heard, silence] = run.stdout.split("\n");
      assertEquals(heard, silence);
      assert(performance.now() - startMs < 15_000);
    });
  },
});

Deno.test({
  name: "programs that record",
  ignore: LACKING,
  async fn(test) {
    await using scratch = new Scratch();
    const { path } = scratch;
    // Loops several times in what is recorded.
    const stereo = crypto.getRandomValues(new Uint8Array(4 * 5003));
    writeWav(`${path}/stereo.wav`, "s16le", 44100, 2, stereo);
    const mono = crypto.getRandomValues(new Uint8Array(1201));
    writeWav(`${path}/mono.wav`, "u8", 8000, 1, mono);
    const serve = async (name: string) => {
      const source = `wav:${path}/${name}.wav`;
      const daemon = Run.ossp(["--dir", `${path}/${name}`, "--source", source]);
      await daemon.printed("serving", "stderr");
      return daemon;
    };
    await using high = await serve("stereo");
    await using low = await serve("mono");
    const highDsp = `${path}/stereo/dsp`;
    const lowDsp = `${path}/mono/dsp`;

    /** Runs a program that is to leave a file. */
    const program = async (words: readonly string[]) => {
      await using run = new Run(words, { cwd: path });
      assertEquals([await run.end(), run.stderr], [0, ""], words.join(" "));
    };
    const sox = ["-t", "oss", "-r", "44100", "-c", "2", "-b", "16", "-e", "signed"];
    const ffmpeg = ["-f", "oss", "-sample_rate", "44100", "-channels", "2"];
    const record = [...OSSP, "record", "--device"];
    const steps: Record<string, () => Promise<void>> = {
      async "dd"() {
        await program(["dd", `if=${lowDsp}`, "of=dd", "bs=1000", "count=4", "status=none"]);
        const heard = Deno.readFileSync(`${path}/dd`);
        assertEquals(heard.length, 4000);
        assertLoop(heard, mono, 4000);
      },
      async "cat"() {
        // It asks for 128 KiB at once, which are 16 s.
        const source = ["--clock", "free", "--source", `wav:${path}/mono.wav`];
        const script = "cat /dev/dsp | head -c 300000 > cat";
        await using run = Run.ossp([...source, "--", "sh", "-c", script], { cwd: path });
        assertEquals([await run.end(), run.stderr], [0, ""]);
        assertLoop(Deno.readFileSync(`${path}/cat`), mono, 300_000);
      },
      async "sox"() {
        if (!available("sox")) return;
        await program(["sox", "-q", ...sox, highDsp, "sox.wav", "trim", "0", "0.5"]);
        assertLoop(samplesOf(`${path}/sox.wav`), stereo, 22050 * 4);
      },
      async "ffmpeg"() {
        if (!available("ffmpeg")) return;
        // It forgets the bytes of a sample in its time stamps, and complains of them, and ends by them.
        const words = ["ffmpeg", "-v", "fatal", "-nostdin", ...ffmpeg, "-i", highDsp];
        await program([...words, "-t", "0.5", "-f", "s16le", "ffmpeg"]);
        assertLoop(Deno.readFileSync(`${path}/ffmpeg`), stereo, 20000 * 4);
      },
      async "GStreamer"() {
        if (!available("gst-launch-1.0")) return;
        // A buffer is 1024 bytes: the power of two within the 10 ms that it asks for.
        const source = ["osssrc", `device=${highDsp}`, "num-buffers=100"];
        const caps = "audio/x-raw,format=S16LE,rate=44100,channels=2";
        const words = ["gst-launch-1.0", "-q", ...source, "!", caps, "!"];
        await program([...words, "filesink", "location=gstreamer"]);
        assertLoop(Deno.readFileSync(`${path}/gstreamer`), stereo, 100 * 1024);
      },
      async "ossp record, for a time"() {
        await program([...record, highDsp, "--rate", "44100", "--seconds", "0.7", "time.wav"]);
        const heard = samplesOf(`${path}/time.wav`);
        assertEquals(heard.length, 30870 * 4);
        assertLoop(heard, stereo, heard.length);
      },
      async "ossp record, until SIGINT, true at every moment"() {
        const format = ["--rate", "8000", "--channels", "1", "--format", "u8"];
        await using run = new Run([...record, lowDsp, ...format, `${path}/until.wav`]);
        const size = () => {
          try {
            return Deno.statSync(`${path}/until.wav`).size;
          } catch {
            return 0;
          }
        };
        await until(() => size() > 2000, "a quarter of a second");
        run.kill("SIGINT");
        assertEquals([await run.end(), run.stdout, run.stderr], [0, "", ""]);
        assertLoop(samplesOf(`${path}/until.wav`), mono, 2000);
      },
      async "ossp record where there is nothing"() {
        await using run = new Run([...record, `${path}/mono/nothing`, `${path}/nothing.wav`]);
        assertEquals(await run.end(), 69);
        assertEquals(
          run.stderr,
          `ossp: ${path}/mono/nothing: open: ENOENT (No such file or directory)\n`,
        );
      },
    };
    await Promise.all(
      Object.entries(steps).map(([name, fn]) => test.step({ name, fn, ...step })),
    );
    for (const daemon of [high, low]) {
      daemon.kill("SIGTERM");
      assertEquals(await daemon.end(), 0, daemon.stderr);
    }
  },
});
