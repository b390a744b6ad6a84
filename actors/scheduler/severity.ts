/** Words of a model's answer to a level, and the downgrade of levels that the answer's own words do not bear out. */
import { type RiskLevel, worstRisk } from "../../protocols/ids.ts";

const words = (level: RiskLevel, list: string): [string, RiskLevel][] => list.split(" ").map((word) => [word, level]);
const levelWords: ReadonlyMap<string, RiskLevel> = new Map([
  ...words("none", "none no safe normal nil 无 没有 正常 安全 无明显"),
  ...words("low", "low minor minimal negligible slight mild 低 较低 轻微 轻度 低度"),
  ...words("medium", "medium moderate mid middle med 中 中等 一般 中度"),
  ...words("high", "high severe critical serious extreme danger dangerous 高 较高 极高 很高 高危 高度 严重 重大 重度 危险"),
]);

const exactly = (word: string): RiskLevel | null =>
  levelWords.get(word) ??
  levelWords.get(
    word
      .replace(/^(?:very|extremely|relatively|rather|risk[\s_-]*level|level)[\s:_-]+/, "")
      .replace(/(?:[\s_-]*(?:risk|level|risk[\s_-]*level|detected)|风险等级|风险级别|风险|等级|危险|级)$/, ""),
  ) ??
  null;

/** Null when the word is no level. Of two neighbours ("medium to high", 中高) the higher stands. */
export const levelOfWord = (value: unknown): RiskLevel | null => {
  if (typeof value !== "string" || value.length > 60) return null;
  const word = value
    .normalize("NFKC")
    .toLowerCase()
    .replace(/\([^)]*\)?/g, "")
    .replace(/^[\s*"'`_]+|[\s*"'`_.。,!]+$/g, "");
  const known = exactly(word);
  if (known !== null) return known;
  const pair =
    /^([低中高])([低中高])(?:风险|等级|级)?$/.exec(word) ?? /^(\S+?)(?:\s*[-/~–]\s*|\s+(?:to|or)\s+|[至到或])(.+)$/.exec(word);
  const [low, high] = [exactly(pair?.[1] ?? "?"), exactly(pair?.[2] ?? "?")];
  return low === null || high === null ? null : worstRisk([low, high]);
};

export const levelOfConfidence = (confidence: number): RiskLevel => {
  if (confidence >= 0.8) return "high";
  if (confidence >= 0.65) return "medium";
  return confidence >= 0.45 ? "low" : "none";
};

const severeWords = [
  "冲突 碰撞 追尾 逆行 闯红灯 危险动作 冲撞 驶入人行道 闯入人行道",
  "conflict collision rear-end wrong-way near-miss crash",
].flatMap((words) => words.split(" "));
const severePhrases = [...severeWords, "red light", "wrong way", "near miss", "onto the pavement", "onto the sidewalk"];
const softPhrases = [
  ..."交通拥堵 车流拥堵 拥堵 车距过近 跟车过近 排队 缓慢行驶 慢速行驶".split(" "),
  ..."congestion tailgating queue queuing".split(" "),
  "following too closely",
  "slow traffic",
  "dense traffic",
];

const mentions = (text: string, phrases: readonly string[]): boolean => phrases.some((phrase) => text.includes(phrase));

/** Whether the words name an act that is dangerous in itself. */
export const isSevere = (text: string): boolean => mentions(text.toLowerCase(), severePhrases);

/** "High" that names no severe act: low when every kind of risk is a soft one, medium when any is or nothing is said. */
export const borneOut = (level: RiskLevel, riskTypes: readonly string[], description: string): RiskLevel => {
  if (level !== "high") return level;
  const types = riskTypes.map((type) => type.toLowerCase());
  const text = [...types, description.toLowerCase()].join(" ").trim();
  if (mentions(text, severePhrases)) return "high";
  if (types.length > 0 && types.every((type) => mentions(type, softPhrases))) return "low";
  return text === "" || mentions(text, softPhrases) ? "medium" : "high";
};
