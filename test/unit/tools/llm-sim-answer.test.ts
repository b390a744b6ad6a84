import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAnswer } from "../../../actors/scheduler/answer.ts";
import { parsePrompt, renderPrompt } from "../../../actors/scheduler/prompt.ts";
import type { AssessmentTask } from "../../../protocols/task.ts";
import { seededRandom } from "../../../runtime/random.ts";
import { answerTo, garbageKinds, garbageOf, readQuestion, riskLevels } from "../../../tools/llm-sim/answer.ts";
import { aDetectionResult, aGroup } from "../../support/build.ts";

const prompts = join(import.meta.dir, "../../../config/prompts");
const detection = aDetectionResult();
const [first] = detection.detectedObjects;
if (!first) throw new Error("the builder gives no object");

const aTask = (overrides: Partial<AssessmentTask> = {}): AssessmentTask => ({
  type: "assessment.task",
  schemaVersion: 1,
  traceId: detection.traceId,
  taskId: "m1_group3",
  requestId: "m1",
  taskIdsOfRequest: ["m1_group3"],
  cameraId: 1,
  timestamp: detection.timestamp,
  capturedAt: detection.capturedAt,
  deadlineAt: detection.capturedAt + 10_000,
  groupIndex: 3,
  groupKey: "g3",
  image: new Uint8Array([255, 216, 255]),
  detectedObjects: [7, 9, 12].map((trackId) => ({ ...first, trackId })),
  groupMetadata: { objectCount: 3, classes: ["car", "person"], bbox: [0, 0, 10, 10] },
  spatial: aGroup().spatial,
  riskLevel: "medium",
  hazards: [{ type: "near-miss", memberTrackIds: [9, 12, 99], evidence: "ids=[7] time to collision 1.4 s" }],
  ...overrides,
});

const questionOf = (language: "en" | "zh", task: AssessmentTask) => {
  const template = parsePrompt(readFileSync(join(prompts, `risk.${language}.txt`), "utf8"), language);
  const { system, user } = renderPrompt(template, task);
  return readQuestion([
    { role: "system", content: system },
    {
      role: "user",
      content: [
        { type: "image_url", image_url: { url: "data:image/jpeg;base64,/9j/" } },
        { type: "text", text: user },
      ],
    },
  ]);
};

describe.each(["en", "zh"] as const)("a question of risk.%s.txt", (language) => {
  test("is read as it was asked", () => {
    expect(questionOf(language, aTask())).toEqual({
      language,
      groupIndex: 3,
      ids: [7, 9, 12],
      hazardIds: [9, 12],
      ruleLevel: "medium",
      hasPicture: true,
      promptTokens: expect.any(Number),
    });
    expect(questionOf(language, aTask({ detectedObjects: [], hazards: [] }))).toMatchObject({ ids: [], hazardIds: [] });
  });

  test.each(riskLevels)("is answered so that the scheduler reads level %s, by rules or fixed", (level) => {
    const asked = { groupIndex: 3, trackIds: new Set([7, 9, 12]) };
    const byRules = answerTo(questionOf(language, aTask({ riskLevel: level })), null, seededRandom(1));
    const fixed = answerTo(questionOf(language, aTask()), level, seededRandom(1));
    for (const answer of [byRules, fixed]) {
      const involved = level === "none" ? [] : [9, 12];
      const { description, hazards, confidence, verdict } = answer;
      expect(parseAnswer(JSON.stringify(answer), asked)).toEqual({
        ok: true,
        assessment: {
          riskLevel: level,
          verdict,
          confidence,
          description,
          riskTypes: hazards.map(({ type }) => type),
          triggerObjectIds: involved,
          dangerObjectCount: involved.length,
        },
        pictureText: [],
        findings: [],
      });
      expect([description, ...answer.observations].every((text) => text.startsWith("llm-sim"))).toBe(true);
      expect(/[\u4e00-\u9fff]/.test(description)).toBe(language === "zh");
    }
  });

  test("is answered with garbage, of which the fenced kind alone can be read", () => {
    const answer = answerTo(questionOf(language, aTask()), "high", seededRandom(1));
    const isRead = garbageKinds.map((kind) => {
      const { ok } = parseAnswer(garbageOf(kind, answer), { groupIndex: 3, trackIds: new Set([7, 9, 12]) });
      return [kind, ok];
    });
    expect(isRead).toEqual([
      ["prose", false],
      ["truncated", false],
      ["fenced", true],
      ["mistyped", false],
    ]);
  });
});

describe("any other question", () => {
  const ping = readQuestion([{ role: "user", content: "12345678" }]);

  test("is read as far as it goes", () => {
    expect(ping).toEqual({
      language: "en",
      groupIndex: null,
      ids: [],
      hazardIds: [],
      ruleLevel: null,
      hasPicture: false,
      promptTokens: 2,
    });
  });

  test("gets levels that are drawn, and the same again with the same seed", () => {
    const draw = (seed: number) => {
      const random = seededRandom(seed);
      return Array.from({ length: 50 }, () => answerTo(ping, null, random));
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect([...new Set(draw(1).map(({ riskLevel }) => riskLevel))].toSorted()).toEqual(["high", "low", "medium", "none"]);
  });

  test("costs a fixed number of tokens a picture", () => {
    const picture = { type: "image_url", image_url: { url: "x".repeat(100_000) } };
    expect(readQuestion([{ role: "user", content: [picture, picture] }]).promptTokens).toBe(1_040);
  });
});
