// The struct tables against the C compiler's own offsetof and sizeof, from the headers they name.

import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import * as abi from "../../lib/fuse/abi.ts";
import * as soundcard from "../../lib/oss/soundcard.ts";
import type { StructDescription } from "../../lib/struct.ts";

function structs(module: Record<string, unknown>): StructDescription[] {
  return Object.values(module).filter((value): value is StructDescription =>
    typeof value === "object" && value !== null && "$name" in value
  );
}

const HERE = fileURLToPath(new URL(".", import.meta.url));

/** Compiles and runs a C program; returns what it prints. */
async function runC(source: string): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/layout.c`, source);
    const compile = await new Deno.Command("cc", {
      args: ["-I", HERE, "-o", `${folder}/layout`, `${folder}/layout.c`],
    }).output();
    assertEquals(new TextDecoder().decode(compile.stderr), "");
    const run = await new Deno.Command(`${folder}/layout`).output();
    return new TextDecoder().decode(run.stdout);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function check(header: string, tables: StructDescription[]): Promise<void> {
  const lines = tables.flatMap((table) => {
    const type = TYPEDEFS.has(table.$name) ? table.$name : `struct ${table.$name}`;
    return [
      `printf("${table.$name} %zu\\n", sizeof(${type}));`,
      ...table.$fields.map((field) =>
        `printf("${table.$name}.${field} %zu\\n", offsetof(${type}, ${field}));`
      ),
    ];
  });
  const printed = await runC(
    `#include <stdio.h>\n#include <stddef.h>\n#include <stdint.h>\n#include <${header}>\n` +
      `int main(void) {\n${lines.join("\n")}\nreturn 0;\n}\n`,
  );
  const expected = tables.flatMap((table) => [
    `${table.$name} ${table.$size}`,
    ...table.$fields.map((field) =>
      `${table.$name}.${field} ${(table as unknown as Record<string, number>)[field]}`
    ),
  ]);
  assertEquals(printed.trim().split("\n"), expected);
}

const TYPEDEFS = new Set([
  "audio_buf_info",
  "count_info",
  "mixer_info",
  "_old_mixer_info",
  "mixer_vol_table",
]);

Deno.test("the protocol's structs are laid out as linux/fuse.h has them", async () => {
  await check("linux/fuse.h", structs(abi));
});

Deno.test("the ioctl arguments are laid out as linux/soundcard.h has them", async () => {
  // audio_errinfo is OSS 4's, which Linux's header does not have; mixer_record has no members.
  const tables = structs(soundcard).filter(({ $name }) =>
    !["audio_errinfo", "mixer_record"].includes($name)
  );
  await check("oss4_mixer.h", tables);
});

Deno.test("opcodes, flags and ioctl numbers are the headers' own", async () => {
  const { calls, defines } = { calls: [] as [string, number][], defines: [] as [string, number][] };
  const { DSP_CALLS } = await import("../../lib/oss/calls.ts");
  for (const { name, command } of DSP_CALLS.values()) {
    if (!/GETERROR|MIXER_(READ|WRITE)_[A-Z0-9]+$|OUTSRC/.test(name)) calls.push([name, command]);
  }
  for (const [name, value] of Object.entries(abi)) {
    if (/^F(USE|OPEN|ATTR)_[A-Z_]+$/.test(name) && typeof value === "number") {
      if (name !== "FUSE_KERNEL_MINOR_VERSION") defines.push([name, value]);
    }
  }
  for (const [name, value] of Object.entries(abi.Opcode)) {
    defines.push([name === "CUSE_INIT" ? name : `FUSE_${name}`, value]);
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
