// A C struct as a table of field offsets, computed from the field types as the C ABI of 64-bit
// Linux lays them out (natural alignment). The wire protocol and the ioctl arguments are such
// tables; tests/native/layout_test.ts checks each against the C compiler's offsetof.

/** What describes a struct as a whole. */
export interface StructDescription {
  /** The struct's name in its C header, e.g. "fuse_in_header". */
  readonly $name: string;
  /** sizeof. */
  readonly $size: number;
  /** The alignment of its widest member. */
  readonly $align: number;
  /** The field names in order. */
  readonly $fields: readonly string[];
  /** Their types, in the same order. */
  readonly $types: readonly FieldType[];
}

/**
 * Field types: integers by width and sign, C's long and pointers (as wide as the program's words), a
 * number of bytes (char[n]), an array of integers (its type and length), or a struct.
 */
export type FieldType = Integer | number | readonly [Integer, number] | StructDescription;

/** The integers' types. */
export type Integer = keyof typeof WIDTH | "long" | "pointer";

/** The programs that a layout is of: 64-bit ones, or those of a 32-bit x86, whose ABI differs. */
export type Abi = "64" | "32";

/** A struct's offsets by field name, and its description. */
export type Struct<F extends string> = Readonly<Record<F, number>> & StructDescription;

const WIDTH = { u8: 1, i16: 2, u16: 2, u32: 4, i32: 4, u64: 8, i64: 8 };

function sizeAndAlign(type: FieldType, abi: Abi): [size: number, align: number] {
  if (typeof type === "number") return [type, 1];
  if (typeof type === "string") {
    const width = type === "long" || type === "pointer" ? Number(abi) / 8 : WIDTH[type];
    return [width, Math.min(width, Number(abi) / 8)];
  }
  if (!("$size" in type)) {
    const [size, align] = sizeAndAlign(type[0], abi);
    return [size * type[1], align];
  }
  return [type.$size, type.$align];
}

/**
 * Lays out a struct.
 *
 * @param name its name in C
 * @param fields its members in order
 * @param abi the programs that it is of
 */
export function struct<F extends string>(
  name: string,
  fields: Record<F, FieldType>,
  abi: Abi = "64",
): Struct<F> {
  const offsets: Record<string, number> = {};
  let end = 0;
  let widest = 1;
  for (const field of Object.keys(fields) as F[]) {
    const [size, align] = sizeAndAlign(fields[field], abi);
    end = Math.ceil(end / align) * align;
    offsets[field] = end;
    end += size;
    widest = Math.max(widest, align);
  }
  return Object.freeze({
    ...offsets,
    $name: name,
    $size: Math.ceil(end / widest) * widest,
    $align: widest,
    $fields: Object.keys(fields),
    $types: Object.values(fields),
  }) as unknown as Struct<F>;
}

/**
 * A 64-bit field as a number. Exact below 2^53, which covers every id that the kernel or this
 * program hands out; larger ones round, and so match nothing.
 */
export function getU64(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * 0x1_0000_0000;
}

/** Writes a non-negative integer below 2^53 as a 64-bit field. */
export function setU64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value % 0x1_0000_0000, true);
  view.setUint32(offset + 4, Math.floor(value / 0x1_0000_0000), true);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Writes a text into a char[size], with a zero at its end; what does not fit is cut off. */
export function setText(view: DataView, offset: number, size: number, text: string): void {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + offset, size).fill(0);
  encoder.encodeInto(text, bytes.subarray(0, size - 1));
}

/** The text in a char[size], up to a zero if there is one. */
export function getText(view: DataView, offset: number, size: number): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + offset, size);
  const end = bytes.indexOf(0);
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
}
