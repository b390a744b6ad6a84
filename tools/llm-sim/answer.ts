/** Reads a question as the scheduler asks it, and words an answer in the asked schema. No picture is looked at. */
import { z } from "zod";
import type { RiskLevel } from "../../protocols/ids.ts";
import { type Random, randomInt } from "../../runtime/random.ts";

const Part = z.looseObject({ type: z.string(), text: z.string().optional() });
export const ChatRequest = z.looseObject({
  model: z.string().min(1).max(200),
  messages: z
    .array(z.looseObject({ role: z.string(), content: z.union([z.string(), z.array(Part)]) }))
    .min(1)
    .max(100),
  stream: z.boolean().nullish(),
});
export type ChatRequest = z.infer<typeof ChatRequest>;

export type Question = {
  readonly language: "en" | "zh";
  readonly groupIndex: number | null;
  /** The objects that an answer may name. */
  readonly ids: readonly number[];
  /** Those that the rules found in a hazard. */
  readonly hazardIds: readonly number[];
  readonly ruleLevel: RiskLevel | null;
  readonly hasPicture: boolean;
  readonly promptTokens: number;
};

const charactersPerToken = 4;
/** A crop of 640 × 640 costs qwen-vl about this much. */
const pictureTokens = 520;

export const tokensOf = (text: string): number => Math.ceil(text.length / charactersPerToken);

const numbersOf = (list: string): number[] =>
  list
    .split(",")
    .filter((item) => item.trim() !== "")
    .map(Number)
    .filter(Number.isInteger);

// The lines of config/prompts/risk.en.txt and risk.zh.txt.
const idsLine = /^(?:Object ids that may be used:|可用的目标编号：)\s*\[([-\d,\s]*)\]/m;
const levelLine = /^(?:Risk level by rules:|规则判定的风险等级：)\s*(none|low|medium|high)\s*$/m;
const hazardLine = /^- [\w-]+ ids=\[([-\d,\s]*)\]/gm;

export const readQuestion = (messages: ChatRequest["messages"]): Question => {
  const parts = messages.flatMap(({ role, content }) =>
    typeof content === "string" ? [{ role, type: "text", text: content }] : content.map((part) => ({ ...part, role })),
  );
  const texts = parts.flatMap(({ text }) => (text === undefined ? [] : [text]));
  const pictures = parts.filter(({ type }) => type === "image_url").length;
  const asked = parts.flatMap(({ role, text }) => (role === "user" && text !== undefined ? [text] : [])).join("\n");
  const ids = numbersOf(idsLine.exec(asked)?.[1] ?? "");
  const known = new Set(ids);
  const index = /\bgroupIndex=(\d{1,9})\b/.exec(asked)?.[1];
  return {
    language: texts.some((text) => /[\u4e00-\u9fff]/.test(text)) ? "zh" : "en",
    groupIndex: index === undefined ? null : Number(index),
    ids,
    hazardIds: [...new Set([...asked.matchAll(hazardLine)].flatMap(([, list = ""]) => numbersOf(list)))].filter((id) =>
      known.has(id),
    ),
    // The expression lets only levels through.
    ruleLevel: (levelLine.exec(asked)?.[1] ?? null) as RiskLevel | null,
    hasPicture: pictures > 0,
    promptTokens: texts.reduce((sum, text) => sum + tokensOf(text), 0) + pictures * pictureTokens,
  };
};

export const riskLevels: readonly RiskLevel[] = ["none", "low", "medium", "high"];

type Wording = { readonly riskTypes: readonly string[]; readonly says: string };
type Words = {
  readonly sees: (question: Question, triggers: string) => string;
  readonly group: (index: number | null) => string;
  readonly levels: Readonly<Record<RiskLevel, Wording>>;
};

/** "High" names a severe act, as readers of answers expect of it. */
const words: Readonly<Record<Question["language"], Words>> = {
  en: {
    sees: ({ ids, hasPicture }, triggers) =>
      `llm-sim: ${ids.length} objects are listed${triggers && `, of which ${triggers} come close`}; ${hasPicture ? "a picture" : "no picture"} was sent`,
    group: (index) => (index === null ? "the group" : `group ${index}`),
    levels: {
      none: { riskTypes: [], says: "shows normal traffic." },
      low: { riskTypes: ["dense traffic"], says: "is dense but safe." },
      medium: { riskTypes: ["following too closely"], says: "may become dangerous: the gap is short." },
      high: { riskTypes: ["collision course"], says: "is dangerous: a collision is imminent." },
    },
  },
  zh: {
    sees: ({ ids, hasPicture }, triggers) =>
      `llm-sim：列出 ${ids.length} 个目标${triggers && `，其中 ${triggers} 彼此接近`}；${hasPicture ? "附有截图" : "没有截图"}`,
    group: (index) => (index === null ? "该群组" : `群组 ${index} `),
    levels: {
      none: { riskTypes: [], says: "正常通行。" },
      low: { riskTypes: ["车流密集"], says: "密集但安全。" },
      medium: { riskTypes: ["跟车过近"], says: "存在潜在危险，间距偏小。" },
      high: { riskTypes: ["碰撞危险"], says: "存在危险，即将发生碰撞。" },
    },
  },
};

const verdicts = { none: "rejected", low: "uncertain", medium: "confirmed", high: "confirmed" } as const;
/** The least confidence of a level; up to a tenth is added. */
const confidences: Readonly<Record<RiskLevel, number>> = { none: 0.85, low: 0.5, medium: 0.68, high: 0.86 };

/** The fields of the prompt's schema, in its order. */
export type Answer = {
  readonly observations: readonly string[];
  readonly pictureText: readonly string[];
  readonly hazards: readonly { readonly type: string; readonly objectIds: readonly number[] }[];
  readonly verdict: "confirmed" | "rejected" | "uncertain";
  readonly riskLevel: RiskLevel;
  readonly confidence: number;
  readonly dangerObjectCount: number;
  readonly description: string;
};

/** The level is the fixed one, else that of the rules, else drawn. */
export const answerTo = (question: Question, fixed: RiskLevel | null, random: Random): Answer => {
  const riskLevel = fixed ?? question.ruleLevel ?? riskLevels[randomInt(random, riskLevels.length)] ?? "none";
  const { sees, group, levels } = words[question.language];
  const { riskTypes, says } = levels[riskLevel];
  const involved = question.hazardIds.length > 0 ? question.hazardIds : question.ids.slice(0, 2);
  const triggers = riskLevel === "none" ? [] : involved;
  const mark = question.language === "zh" ? "llm-sim：" : "llm-sim: ";
  return {
    observations: [sees(question, triggers.join(", "))],
    pictureText: [],
    hazards: riskTypes.map((type) => ({ type, objectIds: triggers })),
    verdict: verdicts[riskLevel],
    riskLevel,
    confidence: Number((confidences[riskLevel] + random.next() / 10).toFixed(2)),
    dangerObjectCount: triggers.length,
    description: `${mark}${group(question.groupIndex)}${question.language === "zh" ? "" : " "}${says}`,
  };
};

export const garbageKinds = ["prose", "truncated", "fenced", "mistyped"] as const;

/** What models send instead of the asked object. Only the fenced one can be read. */
export const garbageOf = (kind: (typeof garbageKinds)[number], answer: Answer): string => {
  const json = JSON.stringify(answer);
  switch (kind) {
    case "prose":
      return `llm-sim: As far as I can see, ${answer.description} I would need more context to fill in the form.`;
    case "truncated":
      // Before the level, and with the object never closed.
      return json.slice(0, Math.floor(json.indexOf('"riskLevel"') * 0.8));
    case "fenced":
      return `llm-sim: here is the assessment.\n\`\`\`json\n${json}\n\`\`\`\nAnything else I can do?`;
    case "mistyped":
      return JSON.stringify({
        ...answer,
        verdict: 1,
        riskLevel: [riskLevels.indexOf(answer.riskLevel)],
        confidence: "llm-sim is fairly sure",
        hazards: { first: answer.hazards.map(({ type }) => type) },
        dangerObjectCount: "some",
      });
  }
};
