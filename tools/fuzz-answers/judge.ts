/**
 * What must hold of any text read as an answer. "Garbage" is a text that holds no opening bracket with the name of a level, a
 * verdict, a confidence or a flag behind it: no verdict can be read there, however patiently. "None" has to be said where a level
 * or a verdict is said, or be an explicit "no": judged here by plain search, not by the reader's own ways.
 */
import { parseAnswer } from "../../actors/scheduler/answer.ts";
import { riskLevels } from "../../protocols/ids.ts";
import { seededRandom } from "../../runtime/random.ts";
import { type AnswerRow, asked } from "./corpus.ts";
import { harm } from "./mutate.ts";

const names = "risklevel|level|verdict|confidence|score|hasdangerousdriving|风险等级|风险级别|等级|判定|核实结果|置信度";
const mayHoldVerdict = new RegExp(`[{[][\\s\\S]*(?:${names})[^:：=]{0,8}[:：=]`, "i");

const quote = `["'“”‘’「」＂\`*]*`;
const noneWord = "(?:(?:none|no|safe|normal|nil)(?:risk|level|risklevel|detected)?(?![a-z])|无|没有|正常|安全)";
const saysNone = new RegExp(
  `(?:level|等级|级别)${quote}[:：=]${quote}(?:very|extremely|relatively|rather|risklevel|level)?:?${noneWord}`,
  "i",
);
const rejects = new RegExp(
  `(?:verdict|判定|核实结果)${quote}[:：=]${quote}(?:rejected|reject|false|no|notconfirmed|否|不属实|不成立|排除)`,
  "i",
);
const flagged = new RegExp(`hasdangerousdriving${quote}[:：=]${quote}false`, "i");

/** However often it was encoded; names and words may hold space. */
const plain = (text: string): string => text.normalize("NFKC").replace(/\\+[nrtbf]?|[\s_-]/g, "");
const says = (text: string, ...what: readonly RegExp[]): boolean => what.some((each) => each.test(plain(text)));

/** Whether "none" is said in so many words. */
export const mentionsNone = (text: string): boolean => says(text, saysNone, rejects, flagged);
const saysHigh = new RegExp(`level${quote}[:：=]${quote}high`, "i");

type Parsed = ReturnType<typeof parseAnswer>;
const unsound = (parsed: Parsed): string | null => {
  if (!parsed.ok) return parsed.reason !== "" && parsed.excerpt.length <= 200 ? null : "a failure without its reason";
  const { riskLevel, confidence, description, riskTypes, triggerObjectIds = [], dangerObjectCount = 0 } = parsed.assessment;
  if (!riskLevels.includes(riskLevel)) return `the level ${riskLevel}`;
  if (confidence !== null && !(confidence >= 0 && confidence <= 1)) return `the confidence ${confidence}`;
  if (description.length > 2_000 || !description.isWellFormed()) return "the description";
  if (riskTypes.length > 10 || riskTypes.some((type) => type.length > 80 || !type.isWellFormed())) return "the kinds of risk";
  if (triggerObjectIds.some((id) => !asked.trackIds.has(id))) return `the ids ${triggerObjectIds}`;
  const isCount = Number.isInteger(dangerObjectCount) && dangerObjectCount >= 0 && dangerObjectCount <= asked.trackIds.size;
  if (!isCount) return `the count ${dangerObjectCount}`;
  if (parsed.pictureText.length > 5 || parsed.pictureText.some((text) => text.length > 120)) return "the text of the picture";
  return null;
};

/** Null, or what is wrong with how `text` was read; `isHigh`: it was made of an answer that says high, and nothing of none. */
export const wrongWith = (text: string, isHigh: boolean): string | null => {
  let parsed: Parsed;
  try {
    parsed = parseAnswer(text, asked);
  } catch (thrown) {
    return `it throws: ${thrown}`;
  }
  const unfit = unsound(parsed);
  if (unfit) return `not sound: ${unfit}`;
  if (!parsed.ok) return null;
  if (!says(text, mayHoldVerdict)) return `garbage read as ${parsed.assessment.riskLevel}`;
  if (parsed.assessment.riskLevel === "none" && isHigh && !mentionsNone(text)) return "high came out as none";
  return null;
};

/** Longer ones show nothing further and take their time. */
const lengthMax = 4_000;
export type Seed = { readonly name: string; readonly answer: string; readonly isHigh: boolean };
export const seedsOf = (rows: readonly AnswerRow[]): Seed[] =>
  rows
    .filter(({ answer }) => answer.length <= lengthMax)
    .map(({ name, answer, reads = "" }) => ({
      name,
      answer,
      isHigh: reads.startsWith("high") && says(answer, saysHigh) && !mentionsNone(answer),
    }));

export type Wrong = { readonly seed: number; readonly name: string; readonly text: string; readonly what: string };

/** One seeded mutation. */
export const runCase = (seeds: readonly Seed[], seed: number): Wrong | null => {
  const random = seededRandom(seed);
  const chosen = seeds[seed % seeds.length];
  if (!chosen) return null;
  const text = harm(chosen.answer, random);
  const what = wrongWith(text, chosen.isHigh);
  return what === null ? null : { seed, name: chosen.name, text, what };
};
