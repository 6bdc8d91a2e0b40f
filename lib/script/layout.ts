// Fields of a struct by their names, as scripts set and compare them: numbers, text of char arrays,
// one number of an array of numbers ("name[3]").

import type { FieldType, Integer, StructDescription } from "../struct.ts";
import { getU64, setU64 } from "../struct.ts";

const decoder = new TextDecoder("latin1");

interface Place {
  readonly offset: number;
  readonly type: FieldType;
}

function place(struct: StructDescription, name: string): Place {
  const [, field, index] = name.match(/^(\w+)(?:\[(\d+)\])?$/) ?? [];
  const offset = (struct as unknown as Record<string, number>)[field];
  const type = struct.$types[struct.$fields.indexOf(field)];
  if (type === undefined) throw new Error(`${struct.$name} has no ${name}`);
  if (index === undefined || typeof type !== "object" || !Array.isArray(type)) {
    return { offset, type };
  }
  const [integer] = type as readonly [Integer, number];
  return { offset: offset + Number(index) * widthOf(integer), type: integer };
}

function widthOf(type: Integer): number {
  if (type === "u8") return 1;
  if (type === "i16" || type === "u16") return 2;
  return type === "i32" || type === "u32" ? 4 : 8;
}

/** What a field holds. Of an array of numbers, or a struct, it is the bytes in hex. */
export function getField(struct: StructDescription, view: DataView, name: string): number | string {
  const { offset, type } = place(struct, name);
  if (typeof type === "number") return text(view, offset, type);
  if (typeof type === "string") return getInteger(view, offset, type);
  const size = "$size" in type ? type.$size : widthOf(type[0]) * type[1];
  return new Uint8Array(view.buffer, view.byteOffset + offset, size).toHex();
}

function text(view: DataView, offset: number, length: number): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + offset, length);
  const end = bytes.indexOf(0);
  return decoder.decode(bytes.subarray(0, end < 0 ? length : end));
}

function getInteger(view: DataView, offset: number, type: Integer): number {
  switch (type) {
    case "u8":
      return view.getUint8(offset);
    case "i16":
      return view.getInt16(offset, true);
    case "u16":
      return view.getUint16(offset, true);
    case "i32":
      return view.getInt32(offset, true);
    case "u32":
      return view.getUint32(offset, true);
    case "i64":
    case "long":
      return Number(view.getBigInt64(offset, true));
    default:
      return getU64(view, offset);
  }
}

/** Sets a field to a number, or a char array to a text. */
export function setField(
  struct: StructDescription,
  view: DataView,
  name: string,
  value: number | string,
): void {
  const { offset, type } = place(struct, name);
  if (typeof type === "number") {
    if (typeof value !== "string") throw new Error(`${name} takes text in quotes`);
    for (let i = 0; i < Math.min(value.length, type); i++) {
      view.setUint8(offset + i, value.charCodeAt(i));
    }
    return;
  }
  if (typeof type !== "string" || typeof value !== "number") {
    throw new Error(`${name} cannot be set to ${value}`);
  }
  switch (widthOf(type)) {
    case 1:
      return view.setUint8(offset, value);
    case 2:
      return view.setUint16(offset, value, true);
    case 4:
      return view.setUint32(offset, value, true);
    default:
      return value < 0
        ? view.setBigInt64(offset, BigInt(value), true)
        : setU64(view, offset, value);
  }
}
