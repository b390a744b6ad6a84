/** The fields of an answer in whatever clothes they come: names, numbers, texts, lists, ids. */
import { levelOfWord } from "./severity.ts";

export type Fields = ReadonlyMap<string, unknown>;

/** Keys without case, `_`, `-` and space, so that riskLevel, risk_level and "Risk Level" are one. The first of two such keys stands. */
export const fieldsOf = (value: unknown): Fields | null => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const fields = new Map<string, unknown>();
  for (const [key, field] of Object.entries(value)) {
    const folded = key.toLowerCase().replace(/[\s_-]/g, "");
    if (!fields.has(folded)) fields.set(folded, field);
  }
  return fields;
};

export const first = (fields: Fields, names: readonly string[]): unknown => {
  for (const name of names) {
    const value = fields.get(name);
    if (value !== undefined && value !== null) return value;
  }
  return null;
};

/** A single number in whatever clothes: 0.85, "0,85", "85%", "约 85％". Null when there is none, or more than one. */
const numberOf = (value: unknown): { readonly number: number; readonly percent: boolean } | null => {
  if (typeof value === "number") return Number.isFinite(value) ? { number: value, percent: false } : null;
  if (typeof value !== "string" || value.length > 40) return null;
  const match = /^[^\d.,-]*(-?(?:\d+(?:[.,]\d+)?|[.,]\d+))\s*(%?)[^\d]*$/.exec(value.normalize("NFKC"));
  return match ? { number: Number((match[1] ?? "").replace(",", ".")), percent: match[2] === "%" } : null;
};

export const confidenceOf = (value: unknown): number | null => {
  const read = numberOf(value);
  if (!read) return null;
  // 85 can only be a percentage; 1.5 is neither a share nor a likely percentage.
  const share = read.percent || (read.number >= 2 && read.number <= 100) ? read.number / 100 : read.number;
  return share >= 0 && share <= 1 ? share : null;
};

export const countOf = (value: unknown): number | null => {
  const read = numberOf(value);
  return read && Number.isInteger(read.number) && read.number >= 0 && read.number <= 10_000 ? read.number : null;
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
const spaces = /[\u0000-\u001f\u007f\s]+/g;

/** One line, bounded, well-formed. */
export const textOf = (value: unknown, lengthMax: number): string => {
  const text = Array.isArray(value)
    ? value
        .slice(0, 100)
        .filter((each) => typeof each === "string")
        .join("; ")
    : value;
  if (typeof text !== "string") return "";
  return text
    .slice(0, 4 * lengthMax)
    .replace(spaces, " ")
    .trim()
    .slice(0, lengthMax)
    .toWellFormed();
};

/** Short phrases, from a list or from one text with separators of either language; words for "nothing" are none. */
export const phrasesOf = (value: unknown): string[] => {
  const parts = (Array.isArray(value) ? value.slice(0, 50) : [value]).flatMap((each) =>
    typeof each === "string" ? each.slice(0, 1_000).split(/[;；,，、\n]/) : [],
  );
  const phrases = parts.map((part) => textOf(part, 80)).filter((part) => part !== "" && levelOfWord(part) !== "none");
  return [...new Set(phrases)].slice(0, 10);
};

/** Texts of a list, one by one and unsplit. */
export const textsOf = (value: unknown, countMax: number, lengthMax: number): string[] =>
  (Array.isArray(value) ? value.slice(0, 50) : [value])
    .map((each) => textOf(each, lengthMax))
    .filter((text) => text !== "")
    .slice(0, countMax);

export type Ids = { readonly known: readonly number[]; readonly unknown: number };

/** Those of the input, and how many others were named. */
export const idsOf = (value: unknown, input: ReadonlySet<number>): Ids => {
  const items = (Array.isArray(value) ? value.slice(0, 1_000) : [value]).flatMap((each) =>
    typeof each === "string" ? [...each.slice(0, 1_000).matchAll(/\d+/g)].map(([digits]) => Number(digits)) : [each],
  );
  const named = new Set(items.filter((item): item is number => typeof item === "number"));
  const known = [...named].filter((id) => input.has(id));
  return { known, unknown: named.size - known.length };
};
