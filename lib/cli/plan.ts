// What the options of ossp run come to: the cards and all else that the engine is to serve.

import { parseSink, parseSource, type SinkSpec, type SourceSpec } from "../backend/spec.ts";
import type { OnLoss } from "../backend/server.ts";
import type { CardConfig, DeviceConfig, EngineConfig } from "../daemon/messages.ts";
import type { MixerScope } from "../oss/mixer.ts";
import { MAX_CHANNELS, MAX_RATE_HZ } from "../oss/parameters.ts";
import { formatByName } from "../pcm/format.ts";
import { DEFAULT_QUALITY, type ResamplerQuality } from "../pcm/resample.ts";
import type { JackOptions, ServerSpec } from "../server/orders.ts";
import type { CardOptions } from "./config.ts";
import { usage } from "./failure.ts";
import { cuse, demand } from "./needs.ts";
import { type Parsed, shownValue, type Subcommand, wholeNumber, wrongValue } from "./options.ts";

// The files of a card that lead to its sink and source, by their options, and the format that OSS
// opens each in.
const DSPS = [
  { option: "dsp", format: "u8" },
  { option: "adsp", format: "u8" },
  { option: "audio", format: "mulaw" },
  { option: "dspw", format: "s16le" },
];

/** What options say of the engine, before it is known where the devices will be. */
export type Plan = Omit<EngineConfig, "wakeFd" | "lines" | "directory" | "folder" | "trace">;

/**
 * The plan that a subcommand's options come to.
 *
 * @param cards the options of each card; those of the first hold for all where they are no card's own
 * @throws {Failure} if they make no sense, or ask for what is not there
 */
export function planOf(
  command: Subcommand,
  cards: readonly [CardOptions, ...CardOptions[]],
): Plan {
  const [first] = cards;
  const { values } = first;
  const number = (name: string, least: number, most: number) =>
    wholeNumber(command, first, name, least, most);
  const devices = {
    cards: cards.map((options) => cardConfig(command, options)),
    sndstat: named([deviceConfig(command, first, "sndstat")])[0],
  };
  const names = deviceNames(devices);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw usage(command.name, `two devices have the same name, ${twice}`);
  }
  if (names.length === 0) throw usage(command.name, "no device has a name");
  return {
    ...devices,
    frontend: chooseFrontend(command, first),
    mappedOptions: {
      leadMs: values["mmap-lead"] === undefined ? undefined : number("mmap-lead", 0, 10_000),
      silence: values["mmap-silence"] !== undefined,
    },
    mapsAlways: values.mmap !== undefined,
    maxStreams: number("max", 1, 4096),
    scripted: values.scripted !== undefined,
  };
}

/** The names of all devices. */
export function deviceNames({ cards, sndstat }: Pick<Plan, "cards" | "sndstat">): string[] {
  const ofCards = cards.flatMap(({ dsps, loopbacks, mixers }) => [
    ...[...dsps, ...mixers].map(({ name }) => name),
    ...loopbacks.flatMap((name) => [`${name}0`, `${name}1`]),
  ]);
  return sndstat ? [...ofCards, sndstat.name] : ofCards;
}

/**
 * Where programs look for the devices in /dev, and the files that are there. Most open "dsp"; FreeBSD
 * and OSS 4 number the first card's too; devfs, and programs of its time, had them in "sound".
 */
export function deviceLinks(plan: Plan): Map<string, string> {
  const names = deviceNames(plan);
  const { dsps, mixers } = plan.cards[0];
  const numbered = [...dsps, ...mixers].map(({ name }) => [`${name}0`, name]);
  return new Map([
    ...numbered,
    ...names.map((name) => [`sound/${name}`, name]),
    ...names.map((name) => [name, name]),
  ] as [string, string][]);
}

/** The devices that are wanted: an empty name is none. */
function named<Device extends DeviceConfig>(devices: readonly Device[]): Device[] {
  return devices.filter(({ name }) => name !== "");
}

function cardConfig(command: Subcommand, options: CardOptions): CardConfig {
  const { card, values } = options;
  const { loopback, sink, source } = values;
  if (loopback !== undefined) checkName(command, options, "loopback");
  return {
    name: card,
    about: source === undefined ? sink! : `${sink}, recorded from ${source}`,
    dsps: named(
      DSPS.map(({ option, format }) => ({ ...deviceConfig(command, options, option), format })),
    ),
    loopbacks: loopback ? [loopback] : [],
    mixers: named([deviceConfig(command, options, "mixer")]),
    mixerScope: values["mixer-scope"] as MixerScope,
    sink: sinkSpec(command, options),
    source: sourceSpec(command, options),
  };
}

function deviceConfig(command: Subcommand, options: Parsed, option: string): DeviceConfig {
  checkName(command, options, option);
  return {
    name: options.values[option]!,
    major: wholeNumber(command, options, `${option}-major`, 0, 4095),
    minor: wholeNumber(command, options, `${option}-minor`, 0, 1048575),
  };
}

function checkName(command: Subcommand, options: Parsed, option: string): void {
  if (/^[\w-]*$/.test(options.values[option]!)) return;
  const why = `${shownValue(options, option)}: not a device's name`;
  throw wrongValue(command, options, option, why);
}

/** A sink or a source whose server knows its options. */
function withOptions<Spec extends { readonly server?: ServerSpec }>(
  spec: Spec,
  values: Parsed["values"],
): Spec {
  if (!spec.server) return spec;
  const jack = {
    jackClient: values["jack-client"] as JackOptions["jackClient"],
    jackConnect: values["jack-connect"],
  };
  return { ...spec, server: { ...spec.server, ...jack } };
}

function sinkSpec(command: Subcommand, options: Parsed): SinkSpec {
  const { values } = options;
  return {
    ...withOptions(parsed(command, options, "sink", () => parseSink(values.sink!)), values),
    onLoss: values["on-server-loss"] as OnLoss,
    clock: values.clock as SinkSpec["clock"],
    resample: quality(values),
    format: formatByName(values.format!)!.name,
    rateHz: wholeNumber(command, options, "rate", 1, MAX_RATE_HZ),
    channels: wholeNumber(command, options, "channels", 1, MAX_CHANNELS),
  };
}

function sourceSpec(command: Subcommand, options: Parsed): SourceSpec {
  const { values } = options;
  // What goes to a server comes from it too, unless something else is said.
  const preset = parseSink(values.sink!).server ? values.sink! : "silence";
  const source = parsed(command, options, "source", () => parseSource(values.source ?? preset));
  return {
    ...withOptions(source, values),
    onLoss: values["on-server-loss"] as OnLoss,
    clock: values.clock as SourceSpec["clock"],
    resample: quality(values),
  };
}

/** What `parse` makes of an option's value; what it says of it if that makes no sense. */
function parsed<T>(command: Subcommand, options: Parsed, name: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw wrongValue(command, options, name, (error as Error).message);
  }
}

/** The quality of resampling that is wanted. */
export function quality({ resample }: Parsed["values"]): ResamplerQuality {
  return (resample ?? DEFAULT_QUALITY) as ResamplerQuality;
}

function chooseFrontend(command: Subcommand, options: Parsed): "cuse" | "fuse" {
  const { frontend: wanted, dir, mmap } = options.values;
  if (wanted === "cuse" && mmap) {
    throw wrongValue(
      command,
      options,
      "mmap",
      `${"mmap" in options.places ? "" : "--"}mmap wants the fuse front end`,
    );
  }
  if (wanted === "fuse" || (wanted === "auto" && (dir || mmap))) return "fuse";
  const need = cuse();
  if (wanted === "auto" && need.refusal !== undefined) return "fuse";
  demand(need);
  return "cuse";
}
