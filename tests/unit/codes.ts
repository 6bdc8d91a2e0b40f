// Samples for tests of formats.

import type { SampleFormat } from "../../lib/pcm/format.ts";

/** Bytes of valid codes of a format: all of them up to 16 bits, edges and a spread beyond. */
export function codes(format: SampleFormat): Uint8Array<ArrayBuffer> {
  const count = format.bits <= 16 ? 2 ** format.bits : 60_000;
  const bytes = new Uint8Array(count * format.bytes);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < count; i++) {
    const at = i * format.bytes;
    const wide = Math.trunc((i / (count - 1) * 2 - 1) * (2 ** (format.bits - 1) - 1)) -
      (i === 0 ? 1 : 0);
    if (format.coding === "float") view.setFloat32(at, i / count * 4 - 2, true);
    else if (format.bytes === 1) bytes[at] = i;
    else if (format.bytes === 2) view.setUint16(at, i, !format.bigEndian);
    else if (format.bytes === 4) view.setInt32(at, wide, !format.bigEndian);
    else for (let k = 0; k < 3; k++) bytes[at + k] = wide >> 8 * k;
  }
  return bytes;
}
