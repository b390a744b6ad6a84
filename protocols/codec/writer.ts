/**
 * MessagePack values into one buffer. Each function takes the place to write at and returns the place behind what it wrote, or
 * `miss` when the value is not of the kind that the schema names: then the library encodes the whole message instead.
 *
 * The byte array drops what is written behind its end and the view throws; both are seen once, when the message is complete.
 */
import type { Family } from "./form.ts";
import { limits } from "./limits.ts";

export const miss = -1;

/** Writes a message's fields, without its type. */
export type EncodeMessage = (message: object, at: number) => number;

/** One buffer for all codecs: encoding is synchronous, and what leaves is a copy. Its pages cost memory when first written. */
export const room = new Uint8Array(limits.messageBytes);
export const roomView = new DataView(room.buffer);

const textEncoder = new TextEncoder();
/** Up to here the library writes text unit by unit, so that a lone surrogate survives; above it becomes U+FFFD. */
const unitsMax = 50;

export const writeArrayHead = (count: number, at: number): number => {
  if (count < 16) {
    room[at] = 0x90 | count;
    return at + 1;
  }
  if (count > 0xffff) return miss;
  room[at] = 0xdc;
  roomView.setUint16(at + 1, count);
  return at + 3;
};

export const writeMapHead = (count: number, at: number): number => {
  if (count < 16) {
    room[at] = 0x80 | count;
    return at + 1;
  }
  room[at] = 0xde;
  roomView.setUint16(at + 1, count);
  return at + 3;
};

/** Beyond 32 bits with a sign; what is too large to be exact is written as a float. */
const writeLarge = (value: number, at: number): number => {
  if (!Number.isSafeInteger(value)) {
    room[at] = 0xcb;
    roomView.setFloat64(at + 1, value);
    return at + 9;
  }
  if (value >= 0 && value < 0x1_0000_0000) {
    room[at] = 0xce;
    roomView.setUint32(at + 1, value);
    return at + 5;
  }
  room[at] = value >= 0 ? 0xcf : 0xd3;
  roomView.setUint32(at + 1, Math.floor(value / 0x1_0000_0000));
  roomView.setUint32(at + 5, value); // the view takes it modulo 2^32
  return at + 9;
};

const writeNegative = (value: number, at: number): number => {
  if (value >= -0x20) {
    room[at] = value;
    return at + 1;
  }
  if (value >= -0x80) {
    room[at] = 0xd0;
    room[at + 1] = value;
    return at + 2;
  }
  if (value >= -0x8000) {
    room[at] = 0xd1;
    roomView.setInt16(at + 1, value);
    return at + 3;
  }
  room[at] = 0xd2;
  roomView.setInt32(at + 1, value);
  return at + 5;
};

const writeWhole = (value: number, at: number): number => {
  if ((value | 0) !== value) return writeLarge(value, at);
  if (value < 0) return writeNegative(value, at);
  if (value < 0x80) {
    room[at] = value;
    return at + 1;
  }
  if (value < 0x100) {
    room[at] = 0xcc;
    room[at + 1] = value;
    return at + 2;
  }
  if (value < 0x1_0000) {
    room[at] = 0xcd;
    roomView.setUint16(at + 1, value);
    return at + 3;
  }
  room[at] = 0xce;
  roomView.setUint32(at + 1, value);
  return at + 5;
};

/** Short, so that an engine puts it where it is called: most numbers are coordinates. */
export const writeNumber = (value: unknown, at: number): number => {
  if (typeof value !== "number") return miss;
  if (Math.floor(value) === value) return writeWhole(value, at);
  room[at] = 0xcb;
  roomView.setFloat64(at + 1, value);
  return at + 9;
};

const writeStringHead = (byteLength: number, at: number): number => {
  if (byteLength < 32) {
    room[at] = 0xa0 | byteLength;
    return at + 1;
  }
  if (byteLength < 0x100) {
    room[at] = 0xd9;
    room[at + 1] = byteLength;
    return at + 2;
  }
  if (byteLength > 0xffff) return miss;
  room[at] = 0xda;
  roomView.setUint16(at + 1, byteLength);
  return at + 3;
};

/** The code point at a UTF-16 place; a lone surrogate stands for itself. */
const bytesOfPoint = (point: number): number => (point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x1_0000 ? 3 : 4);

const writeWide = (value: string, at: number): number => {
  let byteLength = 0;
  for (const character of value) byteLength += bytesOfPoint(character.codePointAt(0) ?? 0);
  let next = writeStringHead(byteLength, at);
  if (next === miss || next + byteLength > room.length) return miss;
  if (value.length > unitsMax) {
    textEncoder.encodeInto(value, room.subarray(next, next + byteLength));
    return next + byteLength;
  }
  for (const character of value) {
    const point = character.codePointAt(0) ?? 0;
    const size = bytesOfPoint(point);
    if (size === 1) room[next++] = point;
    else {
      room[next++] = (size === 2 ? 0xc0 : size === 3 ? 0xe0 : 0xf0) | (point >> (6 * (size - 1)));
      for (let shift = 6 * (size - 2); shift >= 0; shift -= 6) room[next++] = 0x80 | ((point >> shift) & 0x3f);
    }
  }
  return next;
};

export const writeString = (value: unknown, at: number): number => {
  if (typeof value !== "string") return miss;
  const { length } = value;
  const start = length < 32 ? at + 1 : length < 0x100 ? at + 2 : length <= 0xffff ? at + 3 : miss;
  if (start === miss) return miss;
  for (let index = 0; index < length; index++) {
    const unit = value.charCodeAt(index);
    if (unit > 0x7f) return writeWide(value, at);
    room[start + index] = unit;
  }
  writeStringHead(length, at);
  return start + length;
};

export const writeBytes = (value: unknown, at: number): number => {
  if (!(value instanceof Uint8Array)) return miss;
  const { length } = value;
  if (at + 5 + length > room.length) return miss;
  let start = at + 2;
  if (length < 0x100) {
    room[at] = 0xc4;
    room[at + 1] = length;
  } else if (length < 0x1_0000) {
    room[at] = 0xc5;
    roomView.setUint16(at + 1, length);
    start = at + 3;
  } else {
    room[at] = 0xc6;
    roomView.setUint32(at + 1, length);
    start = at + 5;
  }
  room.set(value, start);
  return start + length;
};

export const writeBoolean = (value: unknown, at: number): number => {
  if (typeof value !== "boolean") return miss;
  room[at] = value ? 0xc3 : 0xc2;
  return at + 1;
};

/** The family of a value; one that has none is taken for a map and found out there. */
export const familyOf = (value: unknown): Family => {
  if (value === null) return "nil";
  const kind = typeof value;
  if (kind === "boolean" || kind === "number" || kind === "string") return kind;
  return Array.isArray(value) ? "array" : value instanceof Uint8Array ? "bytes" : "map";
};

/** A plain object with no field that would be left out: it has `count` defined fields of the schema, whose keys are `known`. */
export const isPlain = (value: object, count: number, known: ReadonlySet<string>): boolean => {
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  const keys = Object.keys(value);
  if (keys.length === count) return true;
  const fields = value as Readonly<Record<string, unknown>>; // a plain object
  let defined = 0;
  for (const key of keys) {
    if (fields[key] === undefined) continue;
    if (!known.has(key)) return false;
    defined++;
  }
  return defined === count;
};
