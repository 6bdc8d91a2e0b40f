// Makes docs/api.md of the tables that the dispatcher uses. `deno task docs` writes it; a unit test
// fails when it is not what the tables say.

import { fileURLToPath } from "node:url";
import type { Call } from "../lib/oss/call.ts";
import { DSP_ROWS } from "../lib/oss/dsp_calls.ts";
import { DSP_ROWS_4 } from "../lib/oss/dsp_calls4.ts";
import { INFO_ROWS } from "../lib/oss/info_calls.ts";
import { DSP_VOLUME_ROWS, MIXER_ROWS } from "../lib/oss/mixer_calls.ts";
import { MIXER_EXTENSION_ROWS } from "../lib/oss/mixer_extension_calls.ts";

const REPOSITORY = fileURLToPath(new URL("..", import.meta.url));

/** Where it belongs. */
export const API_DOC = `${REPOSITORY}docs/api.md`;

/** What a page of the table needs of a row. */
type Row = Pick<
  Call<never>,
  "name" | "command" | "argument" | "about" | "variant" | "kernel" | "osspd" | "oss4"
>;

const INTRODUCTION = `
# The calls of the API

Every ioctl(2) that ossp's devices answer, and what others do where they do not do the same: the
kernel's own OSS (snd-pcm-oss and snd-mixer-oss of Linux 6.12), osspd 1.3.2, and OSS 4 (4.2, by its
sources). This file is made of the tables that the dispatcher uses (\`lib/oss/*_calls*.ts\`) by
\`deno task docs\`; change it there. An empty cell means: the same.

The column of numbers says which way the argument goes (\`<\` from the program, \`>\` to it) and what
it is: an int, or a struct of soundcard.h.

## What is not in the tables

A dsp refuses other calls with EINVAL, as snd-pcm-oss does, and so all of MIDI, sequencers and timers
(\`SNDCTL_SEQ_*\`, \`SNDCTL_MIDI_*\`, \`SNDCTL_TMR_*\`, \`SNDCTL_COPR_*\`) and a terminal's
(\`isatty\`). A mixer, and a dsp that is asked what is a mixer's, says EIO to those with an argument,
and ENXIO to those without, as snd-mixer-oss does. An argument that is not in the program's memory is
EFAULT; that the kernel finds out itself.

## Which version

\`OSS_GETVERSION\` says 4.1 (0x040100), where the kernel's OSS and osspd say 3.8.1 (0x030810). Most
programs do not ask: they are compiled against Linux's soundcard.h, which has the calls of OSS 3
alone, and what they find in it they use. In the machine code of 52 programs and libraries of Debian
12 that set a rate of /dev/dsp (MPlayer, SDL, ffmpeg, libao, OpenAL, PortAudio, xine, sox, mpg123, MPD,
MOC, ...) the call's number was searched for: two ask. GStreamer's oss4sink and oss4src refuse to work
below 4.0.3, and with 4.1 play and record. libcw plays with either. Programs in source that ask (QEMU
and VirtualBox where they are built with OSS 4's header, AeonWave) take less than 4 to mean that
OSS 4's calls are not there, or only print it; none was found that works less well with more.

## 32-bit programs

Structs that hold a long or a pointer, or end in a gap, differ in a 32-bit program, and so does the
call's number, which holds their size. Those are rows of their own here. All others are the same.
`;

function escape(text: string): string {
  return text.replaceAll("|", "\\|");
}

function argumentText({ argument, command }: Row): string {
  const direction = ["", "<", ">", "<>"][command >>> 30];
  if (argument === "none") return "none";
  return `${direction} ${argument === "int" ? "int" : argument.$name}`;
}

function number({ command }: Row): string {
  return `0x${command.toString(16).padStart(4, "0")}`;
}

function tableOf(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    `\`${row.name}\`${row.variant ? ` (${row.variant})` : ""}`,
    `${number(row)} ${argumentText(row)}`,
    ...[row.about, row.kernel, row.osspd, row.oss4].map((text = "") => escape(text)),
  ]);
  return [
    ["call", "number", "ossp", "kernel", "osspd", "OSS 4"],
    Array.from({ length: 6 }, () => "---"),
    ...cells,
  ].map((line) => `| ${line.join(" | ")} |`).join("\n");
}

const SECTIONS: readonly [title: string, rows: readonly Row[]][] = [
  ["Sound, as OSS 3 has it", DSP_ROWS],
  ["Sound, what OSS 4 adds", [...DSP_ROWS_4, ...DSP_VOLUME_ROWS]],
  ["The machine, on every device", INFO_ROWS],
  ["Levels, on mixers and dsps", MIXER_ROWS],
  ["Controls, on mixers and dsps", MIXER_EXTENSION_ROWS],
];

/** The text of docs/api.md. */
export async function apiDoc(): Promise<string> {
  const sections = SECTIONS.map(([title, rows]) => `## ${title}\n\n${tableOf(rows)}\n`);
  const formatter = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--quiet", "--ext", "md", "-"],
    cwd: REPOSITORY,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const text = [INTRODUCTION.trim(), ...sections].join("\n\n");
  await new Blob([text]).stream().pipeTo(formatter.stdin);
  return new TextDecoder().decode((await formatter.output()).stdout);
}

if (import.meta.main) await Deno.writeTextFile(API_DOC, await apiDoc());
