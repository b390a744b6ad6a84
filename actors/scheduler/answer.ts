/**
 * Reads a model's text as an assessment. Total: any text gives an assessment or a reason, and a text that cannot be read is
 * never "no risk". Tolerates fences, prose around the JSON, nested and flat shapes, other spellings of numbers and words.
 */
import type { RiskLevel } from "../../protocols/ids.ts";
import type { Verdict } from "../../protocols/verdict.ts";
import { jsonValues } from "./answer-json.ts";
import { borneOut, levelOfConfidence, levelOfWord } from "./severity.ts";

export type Assessment = Pick<Verdict, "confidence" | "description" | "riskTypes" | "dangerObjectCount" | "triggerObjectIds"> & {
  readonly verdict: NonNullable<Verdict["verdict"]>;
  readonly riskLevel: RiskLevel;
};

export type ParsedAnswer =
  | { readonly ok: true; readonly assessment: Assessment }
  | { readonly ok: false; readonly reason: string; readonly excerpt: string };

/** What was asked about: answers about other groups and objects are left out. */
export type AskedAbout = { readonly groupIndex: number; readonly trackIds: ReadonlySet<number> };

const wrappers = ["result", "data", "assessment", "answer", "output", "response"];
const depthMax = 4;

type Fields = ReadonlyMap<string, unknown>;

/** Keys without case, `_` and `-`, so that riskLevel, risk_level and RiskLevel are one. The first of two such keys stands. */
const fieldsOf = (value: unknown): Fields | null => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const fields = new Map<string, unknown>();
  for (const [key, field] of Object.entries(value)) {
    const folded = key.toLowerCase().replace(/[_-]/g, "");
    if (!fields.has(folded)) fields.set(folded, field);
  }
  return fields;
};

const first = (fields: Fields, ...names: string[]): unknown => {
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

const confidenceOf = (value: unknown): number | null => {
  const read = numberOf(value);
  if (!read) return null;
  // 85 can only be a percentage; 1.5 is neither a share nor a likely percentage.
  const share = read.percent || (read.number >= 2 && read.number <= 100) ? read.number / 100 : read.number;
  return share >= 0 && share <= 1 ? share : null;
};

const countOf = (value: unknown): number | null => {
  const read = numberOf(value);
  return read && Number.isInteger(read.number) && read.number >= 0 && read.number <= 10_000 ? read.number : null;
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
const spaces = /[\u0000-\u001f\u007f\s]+/g;

const textOf = (value: unknown, lengthMax: number): string => {
  const text = Array.isArray(value) ? value.filter((each) => typeof each === "string").join("; ") : value;
  if (typeof text !== "string") return "";
  return text.replace(spaces, " ").trim().slice(0, lengthMax).toWellFormed();
};

const riskTypesOf = (value: unknown): string[] => {
  const parts = (Array.isArray(value) ? value.slice(0, 50) : [value]).flatMap((each) =>
    typeof each === "string" ? each.slice(0, 1_000).split(/[;；,，、\n]/) : [],
  );
  const types = parts.map((part) => textOf(part, 80)).filter((part) => part !== "" && levelOfWord(part) !== "none");
  return [...new Set(types)].slice(0, 10);
};

const idsOf = (value: unknown, known: ReadonlySet<number>): number[] => {
  const items = (Array.isArray(value) ? value.slice(0, 1_000) : [value]).flatMap((each) =>
    typeof each === "string" ? [...each.slice(0, 1_000).matchAll(/\d+/g)].map(([digits]) => Number(digits)) : [each],
  );
  return [...new Set(items.filter((item): item is number => typeof item === "number" && known.has(item)))];
};

const verdictWords: readonly (readonly [RegExp, Assessment["verdict"]])[] = [
  [/^(uncertain|unsure|unknown|unclear|不确定|无法判断|无法确定)/, "uncertain"],
  [/^(rejected|reject|false|no|否定|否|不成立|排除)$/, "rejected"],
  [/^(confirmed|confirm|true|yes|确认|是|成立|属实)$/, "confirmed"],
];

const verdictOf = (value: unknown): Assessment["verdict"] | null => {
  if (typeof value !== "string" && typeof value !== "boolean") return null;
  const word = String(value).normalize("NFKC").trim().toLowerCase();
  return verdictWords.find(([words]) => words.test(word))?.[1] ?? null;
};

/** Said outright, or following from the level; an answer that contradicts itself is uncertain. */
const consistent = (said: Assessment["verdict"] | null, level: RiskLevel): Assessment["verdict"] => {
  const isRisk = level === "medium" || level === "high";
  if (said === null) return level === "none" ? "rejected" : isRisk ? "confirmed" : "uncertain";
  if ((said === "rejected" && isRisk) || (said === "confirmed" && level === "none")) return "uncertain";
  return said;
};

const flat = (fields: Fields, { trackIds }: AskedAbout): Assessment | null => {
  const confidence = confidenceOf(first(fields, "confidence", "modelconfidence", "score"));
  const said = verdictOf(first(fields, "verdict"));
  const stated = first(fields, "risklevel", "level", "maxrisklevel");
  const level =
    levelOfWord(stated) ?? (said === "rejected" ? "none" : null) ?? (confidence === null ? null : levelOfConfidence(confidence));
  // A confidence alone is no assessment: some other field has to show that this object is the answer.
  if (level === null || (stated === null && said === null && !fields.has("risktypes") && !fields.has("description"))) return null;

  const riskTypes = riskTypesOf(first(fields, "risktypes", "risktype", "hazards"));
  const described = textOf(first(fields, "description", "reason", "explanation"), 2_000);
  const riskLevel = borneOut(level, riskTypes, described);
  const dangerObjectCount = countOf(first(fields, "dangerobjectcount"));
  const ids = first(fields, "triggerobjectids", "dangerobjectids", "trackids");
  return {
    verdict: consistent(said, riskLevel),
    riskLevel,
    confidence,
    description: described || textOf(first(fields, "observations"), 2_000),
    riskTypes,
    ...(dangerObjectCount === null ? {} : { dangerObjectCount }),
    ...(ids === null ? {} : { triggerObjectIds: idsOf(ids, trackIds) }),
  };
};

const nothingFound: Assessment = { verdict: "rejected", riskLevel: "none", confidence: null, description: "", riskTypes: [] };

const fromList = (list: readonly unknown[], asked: AskedAbout, depth: number): Assessment | null => {
  const entries = list.slice(0, 100).flatMap((entry) => {
    const fields = fieldsOf(entry);
    return fields ? [{ entry, index: countOf(first(fields, "groupindex", "group")) }] : [];
  });
  // Only one group was asked about: an entry without its index is about it, one with another index is not.
  const about = entries.find(({ index }) => index === asked.groupIndex) ?? entries.find(({ index }) => index === null);
  const only = entries.length === 1 ? entries[0] : undefined; // a lone entry with a wrong index is a miscount
  const chosen = about ?? only;
  return chosen ? fromValue(chosen.entry, asked, depth + 1) : null;
};

const fromValue = (value: unknown, asked: AskedAbout, depth = 0): Assessment | null => {
  if (depth > depthMax) return null;
  if (Array.isArray(value)) return fromList(value, asked, depth);
  const fields = fieldsOf(value);
  if (!fields) return null;
  const results = first(fields, "results", "groups");
  if (Array.isArray(results)) {
    const nested = fromList(results, asked, depth);
    if (nested) return nested;
    const saysNone =
      levelOfWord(first(fields, "maxrisklevel", "risklevel")) === "none" || first(fields, "hasdangerousdriving") === false;
    if (results.length === 0 && saysNone) return { ...nothingFound, description: textOf(first(fields, "description"), 2_000) };
  }
  const direct = flat(fields, asked);
  if (direct) return direct;
  for (const name of wrappers) {
    const inner = fields.has(name) ? fromValue(fields.get(name), asked, depth + 1) : null;
    if (inner) return inner;
  }
  return null;
};

export const parseAnswer = (text: string, asked: AskedAbout): ParsedAnswer => {
  let sawJson = false;
  for (const value of jsonValues(text)) {
    sawJson = true;
    const assessment = fromValue(value, asked);
    if (assessment) return { ok: true, assessment };
  }
  const reason =
    text.trim() === "" ? "the answer is empty" : sawJson ? "the answer names no risk level" : "the answer holds no JSON";
  return { ok: false, reason, excerpt: textOf(text, 200) };
};
