/** What may arrive instead of a message: values that do not fit, bytes that were harmed, bytes made to harm. */
import { type Random, randomInt } from "../../runtime/random.ts";
import { chance, pick } from "./sample.ts";

const intruders = (random: Random): unknown =>
  pick<() => unknown>(random, [
    () => null,
    () => undefined,
    () => Number.NaN,
    () => Number.POSITIVE_INFINITY,
    () => -1,
    () => -0,
    () => 1.5,
    () => 2 ** 53,
    () => "",
    () => "\ud800",
    () => "h".repeat(3_000),
    () => true,
    () => [],
    () => [1, "a", null],
    () => ({}),
    () => ({ type: "x", speed: [] }),
    () => new Uint8Array([1, 2, 3]),
    () => new Date(1_700_000_000_000),
    () => 7n,
  ])();

/** A copy with one thing changed somewhere: a value of another kind, a field too many, too few or elsewhere. */
export const perturb = (value: unknown, random: Random): unknown => {
  if (value instanceof Uint8Array || typeof value !== "object" || value === null) return intruders(random);
  if (Array.isArray(value)) {
    if (value.length === 0 || chance(random, 0.2)) return chance(random, 0.5) ? [...value, intruders(random)] : intruders(random);
    const at = randomInt(random, value.length);
    return value.map((item, index) => (index === at ? perturb(item, random) : item));
  }
  const entries = Object.entries(value);
  const at = randomInt(random, Math.max(1, entries.length));
  switch (randomInt(random, 6)) {
    case 0:
      return Object.fromEntries(entries.filter((_, index) => index !== at));
    case 1:
      return Object.fromEntries([...entries, [pick(random, ["extra", "toString", "constructor", "0"]), intruders(random)]]);
    case 2:
      return Object.fromEntries(entries.toReversed());
    default:
      return Object.fromEntries(entries.map(([key, each], index) => [key, index === at ? perturb(each, random) : each]));
  }
};

/** Heads that claim much, and heads that are nothing. */
const heads = [
  [0xc1],
  [0xc0],
  [0x80],
  [0x90],
  [0xa0],
  [0xbf],
  [0xca],
  [0xcb],
  [0xcf],
  [0xd3],
  [0xd4, 0xff],
  [0xd7, 0xff],
  [0xc7, 12, 0xff],
  [0xd8, 5],
  [0xdc, 0x40, 0x00],
  [0xdc, 0xff, 0xff],
  [0xdd, 0xff, 0xff, 0xff, 0xff],
  [0xde, 0x04, 0x00],
  [0xdf, 0xff, 0xff, 0xff, 0xff],
  [0xd9, 0xff],
  [0xda, 0xff, 0xff],
  [0xdb, 0xff, 0xff, 0xff, 0xff],
  [0xc4, 0xff],
  [0xc6, 0x7f, 0xff, 0xff, 0xff],
  [0xa9, 0x5f, 0x5f, 0x70, 0x72, 0x6f, 0x74, 0x6f, 0x5f, 0x5f],
  [0xa1, 0xe8],
  [0xa2, 0xf0, 0x9f],
  [0xa4, 0xff, 0xff, 0xff, 0xff],
] as const;

const splice = (bytes: Uint8Array, at: number, removed: number, added: Iterable<number>): Uint8Array =>
  new Uint8Array([...bytes.subarray(0, at), ...added, ...bytes.subarray(at + removed)]);

const randomBytes = (random: Random, length: number): Uint8Array => Uint8Array.from({ length }, () => randomInt(random, 256));

export const mutate = (bytes: Uint8Array, random: Random): Uint8Array => {
  const at = randomInt(random, bytes.length + 1);
  switch (randomInt(random, 9)) {
    case 0: {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ (1 << randomInt(random, 8));
      return changed;
    }
    case 1: {
      const changed = bytes.slice();
      changed[at] = randomInt(random, 256);
      return changed;
    }
    case 2:
      return bytes.slice(0, at);
    case 3:
      return splice(bytes, at, randomInt(random, 5), randomBytes(random, randomInt(random, 5)));
    case 4:
      return splice(bytes, at, randomInt(random, 3), heads[randomInt(random, heads.length)] ?? []);
    case 5:
      return splice(bytes, at, 0, bytes.subarray(at, at + randomInt(random, 40)));
    case 6:
      return splice(bytes, at, randomInt(random, 40), []);
    default:
      return chance(random, 0.5)
        ? mutate(mutate(bytes, random), random)
        : splice(bytes, at, 1, [pick(random, [0xc0, 0xc3, 0x05])]);
  }
};

/** Bytes without a message behind them. */
export const hostile = (random: Random): Uint8Array => {
  const length = randomInt(random, 2_000);
  switch (randomInt(random, 5)) {
    case 0:
      return randomBytes(random, length % 64);
    case 1:
      return new Uint8Array(length).fill(0x91); // arrays in arrays
    case 2:
      return Uint8Array.from({ length: 3 * length }, (_, index) => [0xdc, 0x40, 0x00][index % 3] ?? 0);
    case 3:
      return Uint8Array.from({ length: 3 * length }, (_, index) => [0x81, 0xa1, 0x61][index % 3] ?? 0);
    default:
      return new Uint8Array([...(heads[randomInt(random, heads.length)] ?? []), ...randomBytes(random, length % 16)]);
  }
};
