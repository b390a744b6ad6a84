/** Words of a model's answer to a level, and the downgrade of levels that the answer's own words do not bear out. */
import type { RiskLevel } from "../../protocols/ids.ts";

const levelWords: Readonly<Record<string, RiskLevel>> = {
  none: "none",
  no: "none",
  safe: "none",
  normal: "none",
  无: "none",
  无风险: "none",
  正常: "none",
  安全: "none",
  low: "low",
  minor: "low",
  低: "low",
  低风险: "low",
  medium: "medium",
  moderate: "medium",
  中: "medium",
  中等: "medium",
  中风险: "medium",
  high: "high",
  severe: "high",
  critical: "high",
  高: "high",
  高风险: "high",
};

/** Null when the word is no level. */
export const levelOfWord = (value: unknown): RiskLevel | null => {
  if (typeof value !== "string") return null;
  const word = value.normalize("NFKC").trim().toLowerCase();
  return Object.hasOwn(levelWords, word) ? (levelWords[word] ?? null) : null;
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

/** "High" that names no severe act: low when every kind of risk is a soft one, medium when any is or nothing is said. */
export const borneOut = (level: RiskLevel, riskTypes: readonly string[], description: string): RiskLevel => {
  if (level !== "high") return level;
  const types = riskTypes.map((type) => type.toLowerCase());
  const text = [...types, description.toLowerCase()].join(" ").trim();
  if (mentions(text, severePhrases)) return "high";
  if (types.length > 0 && types.every((type) => mentions(type, softPhrases))) return "low";
  return text === "" || mentions(text, softPhrases) ? "medium" : "high";
};
