// Games that are known by their names. They map the device, which on kernels before 6.6 an open has to
// be told from the start, and sound servers treat a game's sound as such.

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

/** Whether a program of this name is such a game. */
export function isMappingGame(command: string): boolean {
  return NAMES.has(command);
}
