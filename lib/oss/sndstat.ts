// The text of /dev/sndstat. Its sections are those of OSS 3.8 and snd-pcm-oss, in their order, for
// programs that look for them; what is open follows, in the words of OSS 4's "History".

import type { Status, StreamStatus } from "./status.ts";

/**
 * The text.
 *
 * @param kernel what uname(2) says of the kernel, on one line
 */
export function sndstatText(status: Status, kernel: string): string {
  const { version, cards, audios, mixers, streams } = status;
  return [
    `Sound Driver:3.8.1a-980706 (ossp ${version})`,
    `Kernel: ${kernel}`,
    "Config options: 0",
    "",
    "Installed drivers: ",
    "Type 10: ossp",
    "",
    "Card config: ",
    ...cards.map(({ name, about }) => `${name}: ${about}`),
    ...section(
      "Audio devices",
      audios.map(({ name, records }) => `${name}${records ? " (DUPLEX)" : ""}`),
    ),
    ...section("Synth devices", []),
    ...section("Midi devices", []),
    ...section("Timers", []),
    ...section("Mixers", mixers.map(({ name }) => name)),
    "",
    streams.length > 0 ? "Open streams:" : "Open streams: none",
    ...streams.map(streamLine),
    "",
  ].join("\n");
}

function section(title: string, names: readonly string[]): string[] {
  if (names.length === 0) return ["", `${title}: NOT ENABLED IN CONFIG`];
  return ["", `${title}:`, ...names.map((name, number) => `${number}: ${name}`)];
}

function streamLine(stream: StreamStatus): string {
  const { device, pid, command, format, rateHz, channels, bufferBytes, play, record } = stream;
  return [
    `${device}: pid ${pid} cmd '${command}'${play ? " OUT" : ""}${record ? " IN" : ""}`,
    `${format} ${rateHz} Hz ${channels} ch`,
    ...(stream.mapped ? ["mapped"] : []),
    ...(stream.closed ? ["closed"] : []),
    ...(play
      ? [
        `${play.queuedBytes} of ${bufferBytes} bytes queued (${play.queuedMs} ms)`,
        `${play.playedBytes} played`,
        `${play.underruns} underruns`,
      ]
      : []),
    ...(record
      ? [
        `${record.waitingBytes} of ${bufferBytes} bytes to be read`,
        `${record.recordedBytes} recorded`,
        `${record.overruns} overruns`,
      ]
      : []),
  ].join(", ");
}
