/**
 * Reads a model's text as an assessment. Total: any text gives an assessment or a reason, and a text that cannot be read is
 * never "no risk". Tolerates fences, prose around the JSON, nested and flat shapes, other spellings of numbers and words.
 */
import { type RiskLevel, riskRank } from "../../protocols/ids.ts";
import type { Verdict } from "../../protocols/verdict.ts";
import { confidenceOf, countOf, type Fields, fieldsOf, first, idsOf, phrasesOf, textOf, textsOf } from "./answer-fields.ts";
import { type Found, jsonValues } from "./answer-json.ts";
import { borneOut, isSevere, levelOfConfidence, levelOfWord } from "./severity.ts";

export type Assessment = Pick<Verdict, "confidence" | "description" | "riskTypes" | "dangerObjectCount" | "triggerObjectIds"> & {
  readonly verdict: NonNullable<Verdict["verdict"]>;
  readonly riskLevel: RiskLevel;
};

/**
 * What had to be mended: the answer was cut off · it comes in several versions that differ · an id, a hazard or a count is not of
 * the input and was dropped.
 */
export const findings = ["cut", "several", "unknown_id", "unknown_hazard", "unknown_count"] as const;
export type Finding = (typeof findings)[number];

export type ReadAnswer = {
  readonly ok: true;
  readonly assessment: Assessment;
  /** Text in the picture that gives orders or says what the scene is, in the model's own report. */
  readonly pictureText: readonly string[];
  readonly findings: readonly Finding[];
};
export type ParsedAnswer = ReadAnswer | { readonly ok: false; readonly reason: string; readonly excerpt: string };

/** What was asked about: answers about other groups and objects are left out. */
export type AskedAbout = { readonly groupIndex: number; readonly trackIds: ReadonlySet<number> };

type Reading = Omit<ReadAnswer, "ok">;
type Place = AskedAbout & { readonly isCut: boolean; readonly depth: number };

const depthMax = 4;
const names = {
  level: ["risklevel", "level", "maxrisklevel", "风险等级", "风险级别", "等级"],
  verdict: ["verdict", "判定", "核实结果"],
  confidence: ["confidence", "modelconfidence", "score", "置信度"],
  description: ["description", "reason", "explanation", "描述", "说明"],
  observations: ["observations", "观察"],
  riskTypes: ["risktypes", "risktype", "风险类型"],
  hazards: ["hazards", "hazard", "危险"],
  hazardType: ["type", "hazard", "name", "risktype", "类型"],
  ids: ["triggerobjectids", "dangerobjectids", "objectids", "trackids", "membertrackids", "ids", "触发目标编号", "目标编号"],
  count: ["dangerobjectcount", "涉险目标数"],
  pictureText: ["picturetext", "visibletext", "画面文字"],
  detected: ["bbox", "bbox2d", "label", "class", "trackid"],
  groups: ["results", "groups"],
  group: ["groupindex", "group"],
} as const;

const verdictWords: readonly (readonly [RegExp, Assessment["verdict"]])[] = [
  [/^(uncertain|unsure|unknown|unclear|cannot be told|不确定|无法判断|无法确定)/, "uncertain"],
  [/^(rejected|reject|false|no|not confirmed|否定|否|不属实|不成立|排除)$/, "rejected"],
  [/^(confirmed|confirm|true|yes|确认|是|属实|成立|危险属实)$/, "confirmed"],
];

const verdictOf = (value: unknown): Assessment["verdict"] | null => {
  if (typeof value !== "string" && typeof value !== "boolean") return null;
  const word = String(value)
    .slice(0, 100)
    .normalize("NFKC")
    .toLowerCase()
    .replace(/\([^)]*\)?|[.。!*_"']/g, "") // "confirmed (the danger is real)", as the prompt explains it
    .trim();
  return verdictWords.find(([words]) => words.test(word))?.[1] ?? null;
};

/** Said outright, or following from the level; an answer that contradicts itself is uncertain. */
const consistent = (said: Assessment["verdict"] | null, level: RiskLevel): Assessment["verdict"] => {
  const isRisk = level === "medium" || level === "high";
  if (said === null) return level === "none" ? "rejected" : isRisk ? "confirmed" : "uncertain";
  if ((said === "rejected" && isRisk) || (said === "confirmed" && level === "none")) return "uncertain";
  return said;
};

type Hazards = {
  readonly types: readonly string[];
  readonly ids: readonly number[];
  readonly unknownIds: number;
  readonly dropped: readonly string[];
};

/** A hazard all of whose objects are unknown tells of something else than what was asked about. */
const hazardsOf = (value: unknown, { trackIds }: Place): Hazards => {
  const types: string[] = [];
  const dropped: string[] = [];
  const ids = new Set<number>();
  let unknownIds = 0;
  for (const each of Array.isArray(value) ? value.slice(0, 20) : [value]) {
    const fields = fieldsOf(each);
    const said = phrasesOf(fields ? first(fields, names.hazardType) : each);
    const named = fields ? idsOf(first(fields, names.ids), trackIds) : { known: [], unknown: 0 };
    if (named.unknown > 0 && named.known.length === 0) dropped.push(...(said.length > 0 ? said : [""]));
    else {
      types.push(...said);
      for (const id of named.known) ids.add(id);
      unknownIds += named.unknown;
    }
  }
  return { types, ids: [...ids], unknownIds, dropped };
};

type Said = {
  readonly stated: unknown;
  readonly verdict: Assessment["verdict"] | null;
  readonly confidence: number | null;
  /** The kinds of risk are listed, there are none, and no other word tells of a danger. */
  readonly listsNothing: boolean;
};

/** "None" has to be said; from a low confidence it follows only in an answer that is whole and tells of neither danger nor doubt. */
const levelOf = ({ stated, verdict, confidence, listsNothing }: Said): RiskLevel | null => {
  const word = levelOfWord(stated);
  if (word !== null) return word;
  if (verdict === "rejected") return "none";
  if (confidence === null) return null;
  const level = levelOfConfidence(confidence);
  const isCalm = stated !== null && listsNothing && verdict === null && verdictOf(stated) !== "uncertain";
  return level === "none" && !isCalm ? null : level;
};

const flat = (fields: Fields, place: Place): Reading | null => {
  const confidence = confidenceOf(first(fields, names.confidence));
  const said = verdictOf(first(fields, names.verdict));
  const stated = first(fields, names.level);
  const hazards = hazardsOf(first(fields, names.hazards), place);
  const riskTypes = [...new Set([...phrasesOf(first(fields, names.riskTypes)), ...hazards.types])].filter(
    (type) => hazards.types.includes(type) || !hazards.dropped.includes(type),
  );
  const described = textOf(first(fields, names.description), 2_000);
  const observed = textOf(first(fields, names.observations), 2_000);
  const isListed = [names.riskTypes, names.hazards].some((name) => Array.isArray(first(fields, name)));
  const tells = riskTypes.length > 0 || hazards.dropped.length > 0 || isSevere(described);
  const level = levelOf({ stated, verdict: said, confidence, listsNothing: isListed && !tells && !place.isCut });
  // A confidence alone is no assessment: some other field has to show that this is the answer, and not an object that was detected.
  const isDetected = names.detected.some((name) => fields.has(name));
  const isOther = !fields.has("risktypes") && hazards.types.length === 0 && (described === "" || isDetected);
  if (level === null || (stated === null && said === null && isOther)) return null;

  // What was cut off may have borne the level out; it is no reason to lower it.
  const words = place.isCut ? `${described} ${observed}`.trim() : described;
  const riskLevel = place.isCut && words === "" && riskTypes.length === 0 ? level : borneOut(level, riskTypes, words);
  const isUnfounded = hazards.dropped.length > 0 && riskTypes.length === 0 && riskRank(riskLevel) > 0;
  const count = countOf(first(fields, names.count));
  const isCounted = count !== null && count <= place.trackIds.size;
  const listed = first(fields, names.ids);
  const ids = listed === null ? { known: hazards.ids, unknown: hazards.unknownIds } : idsOf(listed, place.trackIds);
  const hasIds = listed !== null || Array.isArray(first(fields, names.hazards));
  return {
    assessment: {
      verdict: isUnfounded ? "uncertain" : consistent(said, riskLevel),
      riskLevel,
      confidence,
      description: described || observed,
      riskTypes: riskTypes.slice(0, 10),
      ...(isCounted ? { dangerObjectCount: count } : {}),
      ...(hasIds ? { triggerObjectIds: [...ids.known] } : {}),
    },
    pictureText: textsOf(first(fields, names.pictureText), 5, 120),
    findings: [
      ...(place.isCut ? ["cut" as const] : []),
      ...(ids.unknown > 0 ? ["unknown_id" as const] : []),
      ...hazards.dropped.map(() => "unknown_hazard" as const),
      ...(count !== null && !isCounted ? ["unknown_count" as const] : []),
    ],
  };
};

const nothingFound: Assessment = { verdict: "rejected", riskLevel: "none", confidence: null, description: "", riskTypes: [] };

/** Of several versions of one answer the worst stands; when they differ in level, nothing is confirmed. */
const worstOf = (readings: readonly Reading[]): Reading | null => {
  const [head, ...others] = readings;
  if (!head || others.length === 0) return head ?? null;
  const worst = others.reduce(
    (known, each) => (riskRank(each.assessment.riskLevel) >= riskRank(known.assessment.riskLevel) ? each : known),
    head,
  );
  const isOne = readings.every(({ assessment }) => assessment.riskLevel === worst.assessment.riskLevel);
  if (isOne) return worst;
  return { ...worst, assessment: { ...worst.assessment, verdict: "uncertain" }, findings: [...worst.findings, "several"] };
};

const fromList = (list: readonly unknown[], place: Place): Reading | null => {
  const entries = list.slice(0, 100).flatMap((entry) => {
    const fields = fieldsOf(entry);
    return fields ? [{ entry, index: countOf(first(fields, names.group)) }] : [];
  });
  // Only one group was asked about: an entry without its index is about it, one with another index is not.
  const about = entries.filter(({ index }) => index === place.groupIndex);
  const unnamed = entries.filter(({ index }) => index === null);
  const only = entries.length === 1 && !place.isCut ? entries : []; // a lone entry with a wrong index is a miscount
  const chosen = about.length > 0 ? about : unnamed.length > 0 ? unnamed : only;
  return worstOf(chosen.flatMap(({ entry }) => fromValue(entry, { ...place, depth: place.depth + 1 }) ?? []));
};

/** Fields that hold objects: wrappers of whatever name, and groups by their index. */
const fromWithin = (fields: Fields, place: Place): Reading | null => {
  const readings: Reading[] = [];
  for (const [name, value] of [...fields].slice(0, 20)) {
    const index = /^(?:group)?(\d{1,9})$/.exec(name)?.[1];
    if (index !== undefined && Number(index) !== place.groupIndex) continue;
    const isText = typeof value === "string" && /^\s*[[{`]/.test(value);
    const inner = isText
      ? fromFound(jsonValues(value) ?? [], { ...place, depth: place.depth + 1 })
      : fromValue(value, { ...place, depth: place.depth + 1 });
    if (inner) readings.push(inner);
  }
  return worstOf(readings);
};

const fromValue = (value: unknown, place: Place): Reading | null => {
  if (place.depth > depthMax) return null;
  if (Array.isArray(value)) return fromList(value, place);
  const fields = fieldsOf(value);
  if (!fields) return null;
  const results = first(fields, names.groups);
  if (Array.isArray(results)) {
    const nested = fromList(results, place);
    if (nested) return nested;
    const saysNone =
      levelOfWord(first(fields, ["maxrisklevel", "risklevel"])) === "none" || first(fields, ["hasdangerousdriving"]) === false;
    const isEmpty = results.length === 0 && saysNone && !place.isCut;
    if (isEmpty) {
      const description = textOf(first(fields, names.description), 2_000);
      return { assessment: { ...nothingFound, description }, pictureText: [], findings: [] };
    }
  }
  return flat(fields, place) ?? fromWithin(fields, place);
};

const fromFound = (found: readonly Found[], place: Place): Reading | null =>
  worstOf(found.flatMap(({ value, isCut }) => fromValue(value, { ...place, isCut: place.isCut || isCut }) ?? []));

export const parseAnswer = (text: string, asked: AskedAbout): ParsedAnswer => {
  const found = jsonValues(text);
  const reading = found && fromFound(found, { ...asked, isCut: false, depth: 0 });
  if (reading) return { ok: true, ...reading };
  const excerpt = textOf(text, 200);
  if (text.trim() === "") return { ok: false, reason: "the answer is empty", excerpt };
  if (found === null) return { ok: false, reason: "the answer ends within its thoughts", excerpt };
  return { ok: false, reason: found.length > 0 ? "the answer names no risk level" : "the answer holds no JSON", excerpt };
};
