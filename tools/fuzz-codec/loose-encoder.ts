/** MessagePack as another writer may write it: the same values in wider heads, whole numbers as floats, keys in another order. */
import { type Random, randomInt } from "../../runtime/random.ts";
import { chance } from "./sample.ts";

const textEncoder = new TextEncoder();

const bigEndian = (value: number, size: number): number[] => {
  const bytes: number[] = [];
  for (let left = value, index = 0; index < size; index++) {
    bytes.unshift(((left % 256) + 256) % 256);
    left = Math.floor(left / 256);
  }
  return bytes;
};

const float = (value: number, size: 4 | 8): number[] => {
  const view = new DataView(new ArrayBuffer(size));
  if (size === 4) view.setFloat32(0, value);
  else view.setFloat64(0, value);
  return [size === 4 ? 0xca : 0xcb, ...new Uint8Array(view.buffer)];
};

/** `widths` are [bytes of the length, head] from narrow to wide. */
const head = (length: number, widths: readonly (readonly [number, number])[], random: Random): number[] => {
  const fitting = widths.filter(([size]) => length < 256 ** size);
  const [size, byte] = fitting[randomInt(random, fitting.length)] ?? widths[0] ?? [1, 0xc1];
  return [byte, ...bigEndian(length, size)];
};

const ways = {
  string: [
    [1, 0xd9],
    [2, 0xda],
    [4, 0xdb],
  ],
  bin: [
    [1, 0xc4],
    [2, 0xc5],
    [4, 0xc6],
  ],
  array: [
    [2, 0xdc],
    [4, 0xdd],
  ],
  map: [
    [2, 0xde],
    [4, 0xdf],
  ],
  unsigned: [
    [1, 0xcc],
    [2, 0xcd],
    [4, 0xce],
    [8, 0xcf],
  ],
} as const;
const signed = [
  [1, 0xd0],
  [2, 0xd1],
  [4, 0xd2],
  [8, 0xd3],
] as const;

const number = (value: number, random: Random): number[] => {
  if (!Number.isSafeInteger(value)) return float(value, Math.fround(value) === value && chance(random, 0.5) ? 4 : 8);
  if (chance(random, 0.2)) return float(value, Math.fround(value) === value ? 4 : 8);
  if (value >= 0 && chance(random, 0.7)) return value < 128 && chance(random, 0.5) ? [value] : head(value, ways.unsigned, random);
  const widths = signed.filter(([size]) => value >= -(256 ** size) / 2 && value < 256 ** size / 2);
  const [size, byte] = widths[randomInt(random, widths.length)] ?? signed[3];
  return [byte, ...bigEndian(value, size)];
};

const compact = (length: number, max: number, fix: number, random: Random): number[] | null =>
  length <= max && chance(random, 0.7) ? [fix | length] : null;

export const encodeLoosely = (value: unknown, random: Random): number[] => {
  if (value === null || value === undefined) return [0xc0];
  if (typeof value === "boolean") return [value ? 0xc3 : 0xc2];
  if (typeof value === "number") return number(value, random);
  if (typeof value === "string") {
    const bytes = textEncoder.encode(value);
    return [...(compact(bytes.length, 31, 0xa0, random) ?? head(bytes.length, ways.string, random)), ...bytes];
  }
  if (value instanceof Uint8Array) return [...head(value.length, ways.bin, random), ...value];
  if (Array.isArray(value)) {
    const items = value.flatMap((item) => encodeLoosely(item, random));
    return [...(compact(value.length, 15, 0x90, random) ?? head(value.length, ways.array, random)), ...items];
  }
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  if (chance(random, 0.2)) entries.reverse();
  const members = entries.flatMap(([key, each]) => [...encodeLoosely(key, random), ...encodeLoosely(each, random)]);
  return [...(compact(entries.length, 15, 0x80, random) ?? head(entries.length, ways.map, random)), ...members];
};
