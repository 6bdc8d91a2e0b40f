// Programs that are known to map the device, for kernels before 6.6, where an open has to be told from
// the start whether it will be mapped.

// The games of id Software for Linux and those made of them, whose snd_linux.c and linux_snd.c map it.
const NAMES: ReadonlySet<string> = new Set([
  "quake.x11",
  "squake",
  "glquake",
  "quake2",
  "quake3.x86",
  "wolf.x86",
  "wolfsp.x86",
  "et.x86",
]);

/** Whether a program of this name maps the device. */
export function isMappingProgram(command: string): boolean {
  return NAMES.has(command);
}
