/** Messages that their schemas accept, with a liking for the values at which the wire form changes. */
import type { Form, Lengths, MessageForm, NumberForm, ObjectForm, StringForm } from "../../protocols/codec/form.ts";
import { ruleOf } from "../../protocols/codec/rules.ts";
import type { Tagged } from "../../protocols/message.ts";
import { type Random, randomInt } from "../../runtime/random.ts";

export const pick = <T>(random: Random, values: readonly [T, ...T[]]): T => values[randomInt(random, values.length)] ?? values[0];
export const chance = (random: Random, share: number): boolean => random.next() < share;

const integers = [
  0,
  1,
  2,
  7,
  31,
  127,
  128,
  255,
  256,
  65_535,
  65_536,
  2_147_483_647,
  2_147_483_648,
  4_294_967_295,
  4_294_967_296,
  1_700_000_000_000,
  Number.MAX_SAFE_INTEGER,
  -1,
  -32,
  -33,
  -128,
  -129,
  -32_768,
  -32_769,
  -2_147_483_648,
  -2_147_483_649,
  Number.MIN_SAFE_INTEGER,
] as const;
const fractions = [0.05, 0.5, 0.1, 1.5, 29.97, 640.25, -0.25, 1e300, 5e-324, 2 ** 60, Math.PI] as const;

/** ASCII of each head's length, and text of two, three and four bytes a character. */
export const texts: readonly string[] = [
  "",
  "a",
  "car",
  "motorcycle",
  "near-miss",
  "0123456789abcdef",
  "0".repeat(20),
  "0".repeat(21),
  "b".repeat(31),
  "c".repeat(32),
  "d".repeat(200),
  "e".repeat(201),
  "f".repeat(256),
  "\u00e9t\u00e9",
  "\u8f66\u8f86",
  "\u{1f697}",
  "\u8f66".repeat(10),
  "\u8f66".repeat(40),
  "\u{1f697}".repeat(30),
  "\u00e9".repeat(150),
];

/** Lone surrogates and byte order marks, which each implementation treats its own way and the library differently by length. */
export const oddTexts: readonly string[] = [
  ...texts,
  "x\ud800y",
  "\udc00",
  "\ufeffz",
  "\ufeff\u8f66".repeat(20),
  `\ud800${"g".repeat(49)}`,
  `\ud800${"g".repeat(50)}`,
  `\ud800${"g".repeat(60)}`,
  "\ufeff".concat("\u00e9".repeat(150)),
];

const numberSample = (form: NumberForm, random: Random): number => {
  const fits = ruleOf(form) ?? (() => true);
  const bound = form.bounds.map(({ value }) => value);
  for (let attempt = 0; attempt < 60; attempt++) {
    const near = (bound[randomInt(random, Math.max(1, bound.length))] ?? 0) + random.next() * (form.isInteger ? 0 : 1);
    const value = pick(random, [
      pick(random, integers),
      random.next() * 1_000,
      pick(random, fractions),
      randomInt(random, 2_000),
      near,
    ]);
    if (fits(value)) return value;
  }
  return Math.ceil((bound[0] ?? 0) + 1);
};

const stringSample = (form: StringForm, random: Random, from: readonly string[]): string => {
  const fits = ruleOf(form) ?? (() => true);
  const any = () => from[randomInt(random, from.length)] ?? "";
  for (let attempt = 0; attempt < 40; attempt++) {
    const text = pick(random, [any(), `g${randomInt(random, 5_000)}`, any() + any()]);
    if (fits(text)) return text;
  }
  return texts.find(fits) ?? "a".repeat(Math.max(1, form.lengths.min));
};

const countSample = ({ min, max }: Lengths, random: Random): number =>
  Math.min(max, min + pick(random, [0, 1, 2, 3, 4, chance(random, 0.1) ? 17 : 1]));

const bytesSample = (random: Random): Uint8Array => {
  const length = pick(random, [0, 3, 255, 256, chance(random, 0.005) ? 66_000 : 40]);
  return new Uint8Array(length).fill(randomInt(random, 256));
};

/** A message as its form says, with strings out of `from` and what is made of them. */
export const messageSample = ({ type, body }: MessageForm, random: Random, from: readonly string[] = oddTexts): Tagged => {
  const object = ({ fields }: ObjectForm): Record<string, unknown> => {
    const members: Record<string, unknown> = {};
    for (const { key, form, presence } of fields) if (presence === "required" || chance(random, 0.5)) members[key] = value(form);
    return members;
  };

  const value = (form: Form): unknown => {
    switch (form.kind) {
      case "number":
        return numberSample(form, random);
      case "string":
        return stringSample(form, random, from);
      case "boolean":
        return chance(random, 0.5);
      case "bytes":
        return bytesSample(random);
      case "choice":
        return form.values[randomInt(random, form.values.length)];
      case "nullable":
        return chance(random, 0.3) ? null : value(form.inner);
      case "tuple":
        return form.items.map(value);
      case "array":
        return Array.from({ length: countSample(form.lengths, random) }, () => value(form.item));
      case "object":
        return object(form);
      case "union": {
        const option = form.options[randomInt(random, form.options.length)];
        return option && value(option);
      }
    }
  };

  return { ...object(body), type };
};
