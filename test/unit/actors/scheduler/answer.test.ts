import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Assessment, parseAnswer } from "../../../../actors/scheduler/answer.ts";

const asked = { groupIndex: 2, trackIds: new Set([7, 9]) };
const read = (answer: unknown): Assessment | string => {
  const parsed = parseAnswer(typeof answer === "string" ? answer : JSON.stringify(answer), asked);
  return parsed.ok ? parsed.assessment : parsed.reason;
};

const full = {
  observations: ["a car and a person 1 m apart"],
  verdict: "confirmed",
  riskLevel: "high",
  confidence: 0.9,
  riskTypes: ["人车冲突"],
  triggerObjectIds: [7, 9],
  dangerObjectCount: 2,
  description: "车辆与行人即将碰撞",
};
const read1: Assessment = {
  verdict: "confirmed",
  riskLevel: "high",
  confidence: 0.9,
  riskTypes: ["人车冲突"],
  triggerObjectIds: [7, 9],
  dangerObjectCount: 2,
  description: "车辆与行人即将碰撞",
};
const json = JSON.stringify(full);

describe("where the JSON stands", () => {
  const rows: readonly [string, unknown][] = [
    ["it is the whole text", json],
    ["there is space and a byte order mark around it", `\uFEFF \n${json}\n`],
    ["it is fenced with its language", `\`\`\`json\n${json}\n\`\`\``],
    ["it is fenced among prose", `Here it is:\n\`\`\`\n${json}\n\`\`\`\nAnything else?`],
    ["prose stands before and after", `根据画面，${json} 以上。`],
    ["prose with other braces stands before it", `{see below} [1] ${json}`],
    ["a model thought aloud in JSON first", `<think>{"riskLevel":"none","verdict":"rejected"}</think>${json}`],
    ["it is encoded twice", JSON.stringify(json)],
    ["E1.2: it is nested in results", { hasDangerousDriving: true, maxRiskLevel: "high", results: [{ groupIndex: 2, ...full }] }],
    ["E1.2: it is an array", [{ groupIndex: 2, ...full }]],
    [
      "other groups are answered, too",
      {
        results: [
          { groupIndex: 1, riskLevel: "low" },
          { groupIndex: 2, ...full },
        ],
      },
    ],
    ["a lone entry miscounts its group", { results: [{ groupIndex: 0, ...full }] }],
    ["it is wrapped", { result: { data: full } }],
    ["names are written in another style", { ...full, riskLevel: undefined, Risk_Level: "HIGH " }],
  ];
  test.each(rows)("%s", (_, answer) => expect(read(answer)).toEqual(read1));
});

describe("what cannot be read is an error, never none", () => {
  const rows: readonly [string, unknown, string][] = [
    ["nothing", "", "the answer is empty"],
    ["prose", "I see a car and a person.", "the answer holds no JSON"],
    ["JSON that was cut off", json.slice(0, 60), "the answer names no risk level"],
    ["a number", "0.9", "the answer names no risk level"],
    ["null", "null", "the answer names no risk level"],
    ["an empty object", {}, "the answer names no risk level"],
    ["an empty list", [], "the answer names no risk level"],
    ["empty results that do not say that there is none", { results: [] }, "the answer names no risk level"],
    [
      "only other groups",
      {
        results: [
          { groupIndex: 1, riskLevel: "low" },
          { groupIndex: 3, riskLevel: "low" },
        ],
      },
      "the answer names no risk level",
    ],
    ["a confidence alone", { confidence: 0.9 }, "the answer names no risk level"],
    [
      "the schema sent back",
      { riskLevel: "none|low|medium|high", verdict: "confirmed|rejected", confidence: "0..1" },
      "the answer names no risk level",
    ],
    [
      "fields of the wrong type",
      { ...full, riskLevel: [3], verdict: 1, confidence: "fairly sure" },
      "the answer names no risk level",
    ],
    ["brackets without an end", "[".repeat(100_000), "the answer names no risk level"],
    ["deep nesting", "[".repeat(50_000) + "]".repeat(50_000), "the answer names no risk level"],
  ];
  test.each(rows)("%s", (_, answer, reason) => expect(read(answer)).toBe(reason));
  test("the beginning of the text is kept, on one line", () => {
    expect(parseAnswer(`no\njson\u0000 ${"x".repeat(500)}`, asked)).toMatchObject({
      ok: false,
      excerpt: `no json ${"x".repeat(192)}`,
    });
  });
});

describe("levels", () => {
  const level = (fields: object) => {
    const assessment = read({ description: "车速很快", ...fields });
    return typeof assessment === "string" ? assessment : assessment.riskLevel;
  };
  const rows: readonly [string, object, string][] = [
    ["a word in another case", { riskLevel: " Medium" }, "medium"],
    ["a Chinese word", { riskLevel: "高风险" }, "high"],
    ["unknown, confidence .80", { riskLevel: "tremendous", confidence: 0.8 }, "high"],
    ["unknown, confidence .79", { riskLevel: "tremendous", confidence: 0.79 }, "medium"],
    ["unknown, confidence .65", { riskLevel: "tremendous", confidence: 0.65 }, "medium"],
    ["unknown, confidence .64", { riskLevel: "tremendous", confidence: 0.64 }, "low"],
    ["unknown, confidence .45", { riskLevel: "tremendous", confidence: 0.45 }, "low"],
    ["unknown, confidence .44", { riskLevel: "tremendous", confidence: 0.44, riskTypes: [] }, "none"],
    ["missing, confidence .9", { confidence: 0.9 }, "high"],
    [
      "unknown, confidence .44, but a severe act is told",
      { confidence: 0.44, description: "追尾" },
      "the answer names no risk level",
    ],
    ["unknown, confidence .44, but confirmed", { confidence: 0.44, verdict: "confirmed" }, "the answer names no risk level"],
    ["two neighbours", { riskLevel: "medium to high" }, "high"],
    ["two neighbours in Chinese", { riskLevel: "中高风险" }, "high"],
    ["missing, but rejected", { verdict: "rejected" }, "none"],
    ["missing, confirmed, no confidence", { verdict: "confirmed" }, "the answer names no risk level"],
  ];
  test.each(rows)("%s", (_, fields, expected) => expect(level(fields)).toBe(expected));

  const downgrades: readonly [string, readonly string[], string, string][] = [
    ["all types soft", ["交通拥堵", "跟车过近"], "", "low"],
    ["all types soft, in English", ["congestion"], "slow traffic", "low"],
    ["one type soft", ["车流拥堵", "其他"], "", "medium"],
    ["soft words in the description", [], "排队缓慢行驶", "medium"],
    ["nothing said", [], "", "medium"],
    ["a severe act among soft ones", ["交通拥堵", "追尾"], "", "high"],
    ["a severe act in the description", ["拥堵"], "闯红灯", "high"],
    ["a severe act in English", ["tailgating"], "a rear-end collision is imminent", "high"],
    ["neither soft nor severe", ["超速"], "车速很快", "high"],
  ];
  test.each(downgrades)("high with %s", (_, riskTypes, description, expected) =>
    expect(read({ riskLevel: "high", riskTypes, description })).toMatchObject({ riskLevel: expected }),
  );
  test("only high is downgraded", () => {
    expect(read({ riskLevel: "medium", riskTypes: ["拥堵"] })).toMatchObject({ riskLevel: "medium" });
  });
});

describe("verdicts", () => {
  const rows: readonly [string, object, string][] = [
    ["said", { verdict: "uncertain", riskLevel: "low" }, "uncertain"],
    ["said in Chinese", { verdict: "不确定", riskLevel: "low" }, "uncertain"],
    ["as a truth value", { verdict: true, riskLevel: "medium" }, "confirmed"],
    ["left out, none", { riskLevel: "none" }, "rejected"],
    ["left out, low", { riskLevel: "low" }, "uncertain"],
    ["left out, medium", { riskLevel: "medium" }, "confirmed"],
    ["rejected, yet high", { verdict: "rejected", riskLevel: "high", riskTypes: ["逆行"] }, "uncertain"],
    ["confirmed, yet none", { verdict: "confirmed", riskLevel: "none" }, "uncertain"],
  ];
  test.each(rows)("%s", (_, fields, expected) => expect(read(fields)).toMatchObject({ verdict: expected }));
  test("nothing found, said in the older schema", () => {
    expect(read({ hasDangerousDriving: false, results: [], maxRiskLevel: "none" })).toMatchObject({
      verdict: "rejected",
      riskLevel: "none",
      riskTypes: [],
    });
  });
});

describe("fields in other clothes", () => {
  const field = (fields: object, name: keyof Assessment) => {
    const assessment = read({ riskLevel: "low", ...fields });
    return typeof assessment === "string" ? assessment : assessment[name];
  };
  const confidences: readonly [unknown, number | null][] = [
    [0.85, 0.85],
    [1, 1],
    [0, 0],
    [85, 0.85],
    ["85%", 0.85],
    ["0,85", 0.85],
    ["约 85％", 0.85],
    [".5", 0.5],
    ["0.85 (high)", 0.85],
    [1.5, null],
    [-0.2, null],
    [101, null],
    ["0.8-0.9", null],
    ["high", null],
    [true, null],
    [[0.8], null],
  ];
  test.each(confidences)("confidence %p", (confidence, expected) => expect(field({ confidence }, "confidence")).toBe(expected));
  test("E1.10: a confidence of null is no failure", () => {
    expect(read({ ...full, confidence: null })).toEqual({ ...read1, confidence: null });
  });
  test.each([
    ["追尾；逆行、闯红灯，拥堵", ["追尾", "逆行", "闯红灯", "拥堵"]],
    [
      ["追尾、逆行", "追尾", " ", 3, null],
      ["追尾", "逆行"],
    ],
    ["无", []],
    [Array.from({ length: 30 }, (_, index) => `t${index}`), Array.from({ length: 10 }, (_, index) => `t${index}`)],
  ] as const)("risk types %p", (riskTypes, expected) => expect(field({ riskTypes }, "riskTypes")).toEqual([...expected]));
  test.each([
    [
      [7, 9, 7],
      [7, 9],
    ],
    [[7, 8, 1e9, -7, 7.5], [7]],
    ["7、9", [7, 9]],
    [["id=9", "#8"], [9]],
    [7, [7]],
    [{ 7: true }, []],
  ])("ids %p: those not in the input are dropped", (triggerObjectIds, expected) =>
    expect(field({ triggerObjectIds }, "triggerObjectIds")).toEqual(expected),
  );
  test.each([
    [2, 2],
    ["2 辆", 2],
    [-1, undefined],
    [1.5, undefined],
    [null, undefined],
  ])("count %p", (dangerObjectCount, expected) => expect(field({ dangerObjectCount }, "dangerObjectCount")).toBe(expected));
  test("a description is one line, bounded and well-formed; observations stand in for it", () => {
    expect(field({ description: "a\u0000\n b" }, "description")).toBe("a b");
    expect(field({ description: `${"x".repeat(1_999)}\u{1f600}` }, "description")).toBe(`${"x".repeat(1_999)}\uFFFD`);
    expect(field({ observations: ["one", "two"] }, "description")).toBe("one; two");
  });
});

describe("any text", () => {
  const isSound = (text: string) => {
    const parsed = parseAnswer(text, asked);
    if (!parsed.ok) return parsed.reason.length > 0 && parsed.excerpt.length <= 200;
    const { riskLevel, confidence, description, riskTypes, triggerObjectIds = [], dangerObjectCount = 0 } = parsed.assessment;
    return (
      ["none", "low", "medium", "high"].includes(riskLevel) &&
      (confidence === null || (confidence >= 0 && confidence <= 1)) &&
      description.length <= 2_000 &&
      description.isWellFormed() &&
      riskTypes.length <= 10 &&
      riskTypes.every((type) => type.length <= 80 && type.isWellFormed()) &&
      triggerObjectIds.every((id) => asked.trackIds.has(id)) &&
      Number.isInteger(dangerObjectCount) &&
      dangerObjectCount >= 0
    );
  };

  test("any JSON under any of the names", () => {
    const names = [
      "riskLevel",
      "verdict",
      "confidence",
      "riskTypes",
      "triggerObjectIds",
      "dangerObjectCount",
      "description",
      "results",
      "result",
      "groupIndex",
    ];
    const value = fc.oneof(fc.jsonValue(), fc.constantFrom("high", "none", "confirmed", 2, 0.7, "85%"));
    const answer = fc.dictionary(
      fc.constantFrom(...names),
      fc.oneof(value, fc.array(fc.dictionary(fc.constantFrom(...names), value))),
    );
    fc.assert(
      fc.property(answer, (fields) => isSound(JSON.stringify(fields))),
      { numRuns: 100, seed: 1 },
    );
  });
});
