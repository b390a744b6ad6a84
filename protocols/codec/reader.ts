/**
 * MessagePack values out of one message. Each function takes the place to read at, returns the value and leaves in `source.at`
 * the place behind it. `undefined`, which no bytes stand for, means that something else was there than the schema names: then
 * the library decodes the whole message instead.
 */
import type { Family } from "./form.ts";
import { limits } from "./limits.ts";

/** Reads a message's fields and puts its type beside them. */
export type DecodeMessage = (at: number) => object | undefined;

/** Small messages are copied to one place: a view of their own would cost more than the copy. */
const copiedMax = 16 * 1024;
const copy = new Uint8Array(copiedMax);
const copyView = new DataView(copy.buffer);

/** The message at hand. Behind `end` may stand what is left of another one, so the last `at` must be `end`. */
export const source = { bytes: copy, view: copyView, input: copy, end: 0, at: 0 };

export const open = (input: Uint8Array): void => {
  source.input = input as Uint8Array<ArrayBuffer>; // shared memory reads alike
  source.end = input.length;
  source.at = 0;
  if (input.length <= copiedMax) {
    copy.set(input);
    source.bytes = copy;
    source.view = copyView;
  } else {
    source.bytes = source.input;
    source.view = new DataView(input.buffer as ArrayBuffer, input.byteOffset, input.length); // as above
  }
};

/** Undefined: an extension, or no value at all. */
export const familyAt = (at: number): Family | undefined => {
  const head = source.bytes[at] ?? 0xc1;
  if (head < 0x80 || head >= 0xe0) return "number";
  if (head < 0x90) return "map";
  if (head < 0xa0) return "array";
  if (head < 0xc0) return "string";
  if (head === 0xc0) return "nil";
  if (head === 0xc2 || head === 0xc3) return "boolean";
  if (head >= 0xc4 && head <= 0xc6) return "bytes";
  if (head >= 0xca && head <= 0xd3) return "number";
  if (head >= 0xd9 && head <= 0xdb) return "string";
  if (head === 0xdc || head === 0xdd) return "array";
  return head === 0xde || head === 0xdf ? "map" : undefined;
};

export const readNumber = (at: number): number | undefined => {
  const { bytes, view } = source;
  const head = bytes[at] ?? 0xc1;
  if (head < 0x80) {
    source.at = at + 1;
    return head;
  }
  switch (head) {
    case 0xcb:
      source.at = at + 9;
      return view.getFloat64(at + 1);
    case 0xcc:
      source.at = at + 2;
      return view.getUint8(at + 1);
    case 0xcd:
      source.at = at + 3;
      return view.getUint16(at + 1);
    case 0xce:
      source.at = at + 5;
      return view.getUint32(at + 1);
    case 0xcf:
      source.at = at + 9;
      return view.getUint32(at + 1) * 0x1_0000_0000 + view.getUint32(at + 5);
    case 0xca:
      source.at = at + 5;
      return view.getFloat32(at + 1);
    case 0xd0:
      source.at = at + 2;
      return view.getInt8(at + 1);
    case 0xd1:
      source.at = at + 3;
      return view.getInt16(at + 1);
    case 0xd2:
      source.at = at + 5;
      return view.getInt32(at + 1);
    case 0xd3:
      source.at = at + 9;
      return view.getInt32(at + 1) * 0x1_0000_0000 + view.getUint32(at + 5);
  }
  if (head < 0xe0) return undefined;
  source.at = at + 1;
  return head - 0x100;
};

/** The number of items, or -1. */
export const readArrayHead = (at: number): number => {
  const head = source.bytes[at] ?? 0xc1;
  let count = head - 0x90;
  source.at = at + 1;
  if (head === 0xdc) {
    count = source.view.getUint16(at + 1);
    source.at = at + 3;
  } else if (head < 0x90 || head > 0x9f) return -1;
  // An item has at least one byte: a larger count is a lie, and must not be allocated.
  return count <= limits.arrayItems && count <= source.end - source.at ? count : -1;
};

/** The number of entries, or -1. */
export const readMapHead = (at: number): number => {
  const head = source.bytes[at] ?? 0xc1;
  source.at = at + 1;
  if (head >= 0x80 && head < 0x90) return head - 0x80;
  if (head !== 0xde) return -1;
  source.at = at + 3;
  return source.view.getUint16(at + 1);
};

export const readBytes = (at: number): Uint8Array | undefined => {
  const { bytes, view, input, end } = source;
  const head = bytes[at];
  let length = 0;
  let start = 0;
  if (head === 0xc4) {
    length = view.getUint8(at + 1);
    start = at + 2;
  } else if (head === 0xc5) {
    length = view.getUint16(at + 1);
    start = at + 3;
  } else if (head === 0xc6) {
    length = view.getUint32(at + 1);
    start = at + 5;
  } else return undefined;
  source.at = start + length;
  if (source.at > end || length > limits.binBytes) return undefined;
  return input.subarray(start, start + length);
};

export const readBoolean = (at: number): boolean | undefined => {
  const head = source.bytes[at];
  source.at = at + 1;
  return head === 0xc3 ? true : head === 0xc2 ? false : undefined;
};

// ---- text -----------------------------------------------------------------------------------------------------------

const textDecoder = new TextDecoder();
/** Up to here the library decodes unit by unit, above with a TextDecoder; on malformed text the two differ. */
const unitsMax = 200;
/** Class names, levels and group keys come again and again; ids and times do not, and are longer. */
const internedMax = 20;
/** One place a hash: a string that comes again rarely makes room for one that comes often, and the table cannot grow. */
const interned: string[] = Array.from({ length: 1024 }, () => "");

const decodeText = (start: number, length: number): string => textDecoder.decode(source.bytes.subarray(start, start + length));

/** As the library reads it: surrogates and overlong forms pass; what is cut off by the string's end is left to the library. */
const readWide = (start: number, length: number): string | undefined => {
  const { bytes } = source;
  const stop = start + length;
  let text = "";
  for (let at = start; at < stop; ) {
    const first = bytes[at] ?? 0;
    const size = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 1;
    if (at + size > stop) return undefined;
    let point = size === 1 ? first : first & (0xff >> (size + 1));
    for (let index = 1; index < size; index++) point = (point << 6) | ((bytes[at + index] ?? 0) & 0x3f);
    at += size;
    if (point > 0x10_ffff) return undefined;
    text += size < 4 ? String.fromCharCode(point) : String.fromCodePoint(point);
  }
  return text;
};

const readShort = (start: number, length: number): string | undefined => {
  const { bytes } = source;
  let hash = length;
  let seen = 0;
  for (let index = 0; index < length; index++) {
    const byte = bytes[start + index] ?? 0;
    hash = (Math.imul(hash, 31) + byte) | 0;
    seen |= byte;
  }
  if (seen > 0x7f) return readWide(start, length);
  const slot = (hash ^ (hash >>> 10)) & (interned.length - 1);
  const known = interned[slot] ?? "";
  let index = known.length === length ? 0 : -1;
  while (index >= 0 && index < length) index = known.charCodeAt(index) === bytes[start + index] ? index + 1 : -1;
  if (index === length) return known;
  const text = decodeText(start, length);
  interned[slot] = text;
  return text;
};

/** Ids and times: a view for each length on one small buffer costs a copy, and saves making a view for each text. */
const idMax = 64;
const id = new Uint8Array(idMax);
const idsByLength = Array.from({ length: idMax + 1 }, (_, length) => id.subarray(0, length));

const readId = (start: number, length: number): string | undefined => {
  const { bytes } = source;
  let seen = 0;
  for (let index = 0; index < length; index++) {
    const byte = bytes[start + index] ?? 0;
    id[index] = byte;
    seen |= byte;
  }
  return seen > 0x7f ? readWide(start, length) : textDecoder.decode(idsByLength[length]);
};

const isAscii = (start: number, length: number): boolean => {
  const { bytes, view } = source;
  const stop = start + length;
  let seen = 0;
  let at = start;
  for (; at + 4 <= stop; at += 4) seen |= view.getInt32(at) & 0x80808080;
  for (; at < stop; at++) seen |= (bytes[at] ?? 0) & 0x80;
  return seen === 0;
};

export const readString = (at: number): string | undefined => {
  const { bytes, view, end } = source;
  const head = bytes[at] ?? 0xc1;
  let length = head - 0xa0;
  let start = at + 1;
  if (head === 0xd9) {
    length = view.getUint8(at + 1);
    start = at + 2;
  } else if (head === 0xda) {
    length = view.getUint16(at + 1);
    start = at + 3;
  } else if (head < 0xa0 || head > 0xbf) return undefined;
  source.at = start + length;
  if (source.at > end) return undefined;
  if (length <= internedMax) return readShort(start, length);
  if (length <= idMax) return readId(start, length);
  return length > unitsMax || isAscii(start, length) ? decodeText(start, length) : readWide(start, length);
};
