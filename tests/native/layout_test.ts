// The struct tables against the C compiler's own offsetof and sizeof, for 64-bit and 32-bit programs,
// and the ioctl numbers against the headers they are from.

import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import * as abi from "../../lib/fuse/abi.ts";
import { DSP_CALLS } from "../../lib/oss/calls.ts";
import { DSP_ROWS } from "../../lib/oss/dsp_calls.ts";
import * as soundcard from "../../lib/oss/soundcard.ts";
import * as soundcard4 from "../../lib/oss/soundcard4.ts";
import type { Abi, FieldType, StructDescription } from "../../lib/struct.ts";

/** The layouts of a module for programs of one kind; most are the same for both. */
function structs(module: Record<string, unknown>, abi: Abi): StructDescription[] {
  const all = Object.entries(module).filter((entry): entry is [string, StructDescription] =>
    typeof entry[1] === "object" && entry[1] !== null && "$name" in entry[1]
  );
  return all.filter(([key]) =>
    key.endsWith("32") ? abi === "32" : abi === "64" || !(`${key}32` in module)
  ).map(([, table]) => table);
}

/** Compiles a C program; fails if the compiler has anything to say. */
async function compile(source: string, args: string[]): Promise<void> {
  const compiler = new Deno.Command("cc", { args, stdin: "piped", stderr: "piped" }).spawn();
  await new Blob([source]).stream().pipeTo(compiler.stdin);
  assertEquals(new TextDecoder().decode((await compiler.output()).stderr), "");
}

const HERE = fileURLToPath(new URL(".", import.meta.url));

/** Compiles and runs a C program; returns what it prints. */
async function runC(source: string): Promise<string> {
  const program = await Deno.makeTempFile();
  try {
    await compile(source, ["-I", HERE, "-o", program, "-x", "c", "-"]);
    return new TextDecoder().decode((await new Deno.Command(program).output()).stdout);
  } finally {
    await Deno.remove(program);
  }
}

/**
 * Compares layouts with the compiler's, where `declarations` declares the structs. Nothing is run:
 * kernels without 32-bit programs have compilers for them.
 */
async function check(declarations: string, tables: StructDescription[], abi: Abi = "64") {
  const lines = tables.flatMap((table) => {
    const type = TYPEDEFS.has(table.$name) ? table.$name : `struct ${table.$name}`;
    const offsets = table as unknown as Record<string, number>;
    return [
      `_Static_assert(sizeof(${type}) == ${table.$size}, "sizeof ${type}");`,
      ...table.$fields.map((field) =>
        `_Static_assert(offsetof(${type}, ${field}) == ${offsets[field]}, "${type}.${field}");`
      ),
    ];
  });
  assert(lines.length > 0);
  await compile(
    `#include <stddef.h>\n#include <stdint.h>\n${declarations}\n${lines.join("\n")}\n`,
    ["-fsyntax-only", "-I", HERE, ...(abi === "32" ? FOR_32_BITS : []), "-x", "c", "-"],
  );
}

// The kernel's headers are the same, and where only 64-bit programs are looked for.
const FOR_32_BITS = ["-m32", "-idirafter", "/usr/include/x86_64-linux-gnu"];

const TYPEDEFS = new Set([
  "audio_buf_info",
  "count_info",
  "mixer_info",
  "_old_mixer_info",
  "mixer_vol_table",
]);

const C_TYPES = {
  u8: "unsigned char",
  i16: "short",
  u16: "unsigned short",
  u32: "unsigned",
  i32: "int",
  u64: "unsigned long long",
  i64: "long long",
  long: "long",
  pointer: "void *",
};

function declare(field: string, type: FieldType): string {
  if (typeof type === "number") return `char ${field}[${type}];`;
  if (typeof type === "string") return `${C_TYPES[type]} ${field};`;
  if ("$size" in type) return `struct ${type.$name} ${field};`;
  return `${C_TYPES[type[0]]} ${field}[${type[1]}];`;
}

Deno.test("the protocol's structs are laid out as linux/fuse.h has them", async () => {
  await check("#include <linux/fuse.h>", structs(abi, "64"));
});

for (const abi of ["64", "32"] as const) {
  Deno.test(`the arguments of ${abi}-bit programs are laid out as linux/soundcard.h has them`, async () => {
    // mixer_record has no members.
    const tables = structs(soundcard, abi).filter(({ $name }) => $name !== "mixer_record");
    await check('#include "oss4_mixer.h"', tables, abi);
  });

  // OSS 4's header is in no package: the compiler gets the structs from the table.
  Deno.test(`OSS 4's arguments of ${abi}-bit programs are laid out as a compiler does`, async () => {
    const tables = structs(soundcard4, abi);
    const declarations = tables.map(({ $name, $fields, $types }) =>
      `struct ${$name} { ${$fields.map((field, i) => declare(field, $types[i])).join(" ")} };`
    );
    await check(declarations.join("\n"), tables, abi);
  });
}

// What OSS 4.2's own header makes of them, compiled for 64 bits.
Deno.test("OSS 4's arguments are as large as in its header", () => {
  const sizes = Object.fromEntries(structs(soundcard4, "64").map((it) => [it.$name, it.$size]));
  assertEquals(sizes, {
    audio_errinfo: 112, // 104 there, where it has ints for what was a long in 4.0
    oss_count_t: 144,
    oss_digital_control: 284,
    oss_syncgroup: 72,
    oss_chnorder: 8,
    oss_peaks: 256,
    oss_longname: 64,
    oss_label: 16,
    oss_sysinfo: 1248,
    oss_card_info: 1176,
    oss_audioinfo: 1180,
    oss_midi_info: 1256,
  });
  assertEquals(soundcard4.AudioErrInfo32.$size, 104);
});

Deno.test("the numbers that GStreamer's plugin for OSS 4 was compiled with are in the table", async () => {
  const folder = "/usr/lib/x86_64-linux-gnu/gstreamer-1.0";
  const code = await Deno.readFile(`${folder}/libgstoss4.so`);
  const view = new DataView(code.buffer);
  const known = new Set<string>();
  for (let at = 0; at + 4 <= code.length; at++) {
    const call = DSP_CALLS.get(view.getUint32(at, true));
    if (call && call.argument !== "none") known.add(call.name);
  }
  const wanted = ["SNDCTL_SYSINFO", "SNDCTL_AUDIOINFO", "SNDCTL_ENGINEINFO"].concat(
    ["GET_PLAYTGT_NAMES", "GET_CHNORDER", "GETODELAY"].map((name) => `SNDCTL_DSP_${name}`),
  );
  for (const name of wanted) assert(known.has(name), `${name} has another number there`);
});

Deno.test("opcodes, flags and ioctl numbers are the headers' own", async () => {
  const { calls, defines } = { calls: [] as [string, number][], defines: [] as [string, number][] };
  for (const { name, command, variant } of DSP_ROWS) if (!variant) calls.push([name, command]);
  for (const { name, command, variant } of DSP_CALLS.values()) {
    const inHeader = /^(SOUND_|OSS_|SNDCTL_MIX)|(PLAY|REC)VOL$/.test(name);
    if (inHeader && !variant && !/MIXER_(READ|WRITE)_[A-Z0-9]+$|OUTSRC|^SOUND_PCM/.test(name)) {
      calls.push([name, command]);
    }
  }
  for (const [name, value] of Object.entries(abi)) {
    if (/^F(USE|OPEN|ATTR)_[A-Z_]+$/.test(name) && typeof value === "number") {
      if (name !== "FUSE_KERNEL_MINOR_VERSION") defines.push([name, value]);
    }
  }
  for (const [name, value] of Object.entries(abi.Opcode)) {
    defines.push([name === "CUSE_INIT" ? name : `FUSE_${name}`, value]);
  }
  for (const values of [soundcard.CAPS, soundcard.FORMAT, soundcard.TRIGGER, soundcard.PROFILE]) {
    if ("names" in values) {
      defines.push(
        ...Object.entries(values.names).filter(([name]) => !OSS_4_ONLY.test(name)),
      );
    }
  }
  const entries = [...calls, ...defines];
  const printed = await runC(
    "#include <stdio.h>\n#include <stdint.h>\n#include <sys/ioctl.h>\n#include <linux/fuse.h>\n" +
      "#include <oss4_mixer.h>\nint main(void) {\n" +
      entries.map(([name]) => `printf("${name} %lu\\n", (unsigned long)(uint32_t)${name});`).join(
        "\n",
      ) +
      "\nreturn 0;\n}\n",
  );
  assertEquals(printed.trim().split("\n"), entries.map(([name, value]) => `${name} ${value}`));
});

const OSS_4_ONLY = /^PCM_CAP_|^AFMT_(VORBIS|S32|S24|FLOAT|SPDIF)/;
