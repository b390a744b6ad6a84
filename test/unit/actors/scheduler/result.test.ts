import { describe, expect, test } from "bun:test";
import type { Ended } from "../../../../actors/scheduler/line.ts";
import { decodeAnswer, encodeAnswer, isWorthKeeping, resultByRules, resultOf } from "../../../../actors/scheduler/result.ts";
import { createSeenTasks } from "../../../../actors/scheduler/seen.ts";
import { createServiceTime } from "../../../../actors/scheduler/service-time.ts";
import { AssessmentResult } from "../../../../protocols/verdict.ts";
import { aTask } from "../../../support/task.ts";

const task = aTask();
const ended = (overrides: Partial<Ended> = {}): Ended => ({
  end: "answered",
  text: '{"verdict":"confirmed","riskLevel":"high","confidence":0.9,"riskTypes":["碰撞"],"triggerObjectIds":[7,8],"description":"d"}',
  reason: "",
  model: "qwen-vl-plus",
  keyId: "key-001",
  calls: 2,
  durationMs: 1_234.5678,
  ...overrides,
});
const result = (overrides: Partial<Ended> = {}) => resultOf(task, ended(overrides), "en", "qwen-vl-plus");

describe("a result", () => {
  test("says who was asked, how long it took and how often, with an id that follows from the task", () => {
    expect(result()).toMatchObject({
      messageId: "m1_group1_result",
      taskIdsOfRequest: ["m1_group1"],
      ruleRiskLevel: "high",
      results: [{ status: "ok", verdict: "confirmed", riskLevel: "high", assessedBy: "qwen-vl-plus", triggerObjectIds: [7] }],
      metadata: { llmLatency: 1.235, llmModel: "qwen-vl-plus", apiKeyId: "key-001", retryCount: 1 },
    });
  });

  const failures: readonly [string, Partial<Ended>, string, string][] = [
    ["a text that cannot be read", { text: "no idea" }, "parse_error", "the answer holds no JSON: no idea"],
    [
      "an answer without text",
      { end: "bad-answer", text: "", reason: "the response has no text" },
      "parse_error",
      "the response has no text",
    ],
    ["a refusal", { end: "refused", reason: "HTTP 400" }, "error", "HTTP 400"],
    ["a deadline that passed", { end: "expired", reason: "late" }, "expired", "late"],
  ];
  test.each(failures)("of %s claims no risk, and says why", (_, overrides, status, error) => {
    expect(result(overrides)).toMatchObject({
      error,
      results: [{ status, verdict: null, riskLevel: null, confidence: null, riskTypes: [] }],
    });
  });

  test("without a quota group is the rules' word, marked so", () => {
    expect(result({ end: "no-quota", calls: 0, model: null, keyId: null, reason: "none left" })).toMatchObject({
      error: "none left",
      results: [{ status: "degraded", verdict: "confirmed", riskLevel: "high", assessedBy: "rules" }],
      metadata: { llmLatency: null, llmModel: null, apiKeyId: null, retryCount: 0 },
    });
  });

  test("fits the schema whatever it is, and stays within its limits", () => {
    for (const end of ["answered", "bad-answer", "refused", "expired", "no-quota"] as const) {
      const { type: _, ...fields } = result({ end, text: "x".repeat(5_000), reason: "r".repeat(5_000) });
      expect(AssessmentResult.schema.parse(fields)).toEqual(fields);
    }
  });

  test("by rules is in time or expired", () => {
    expect(resultByRules(task, "en", task.deadlineAt - 1).results[0]).toMatchObject({ status: "ok", assessedBy: "rules" });
    expect(resultByRules(task, "en", task.deadlineAt).results[0]).toMatchObject({ status: "expired", riskLevel: null });
  });
});

describe("an answer that is kept", () => {
  test("comes back as the very same record", () => {
    const kept = decodeAnswer(encodeAnswer(result()), "m1_group1");
    expect(JSON.stringify(kept)).toBe(JSON.stringify(result()));
  });
  test("is left alone when it is not the answer to this task", () => {
    const bytes = encodeAnswer(result());
    expect(decodeAnswer(bytes, "m1_group2")).toBeNull();
    expect(decodeAnswer(bytes.subarray(0, 50), "m1_group1")).toBeNull();
    expect(decodeAnswer(new TextEncoder().encode('{"taskId":"m1_group1","type":"assessment.result"}'), "m1_group1")).toBeNull();
    expect(decodeAnswer(new Uint8Array([0, 255]), "m1_group1")).toBeNull();
  });
  test("is what would come out otherwise a second time", () => {
    expect(isWorthKeeping(result())).toBe(true);
    expect(isWorthKeeping(result({ end: "expired" }))).toBe(true); // a call was paid for
    expect(isWorthKeeping(result({ end: "no-quota", calls: 0, model: null }))).toBe(true);
    expect(isWorthKeeping(result({ end: "expired", calls: 0, model: null }))).toBe(false);
    expect(isWorthKeeping(resultByRules(task, "en", 0))).toBe(false);
  });
});

test("tasks that were seen are forgotten by number and by age, oldest first", () => {
  const seen = createSeenTasks(2, 1_000);
  seen.add("a", 0);
  seen.add("b", 10);
  seen.add("a", 20); // the newest now
  seen.add("c", 30);
  expect(["a", "b", "c"].map((id) => seen.has(id, 30))).toEqual([true, false, true]);
  expect([seen.has("a", 1_019), seen.has("a", 1_020)]).toEqual([true, false]);
  seen.add("d", 1_025);
  expect(seen.size()).toBe(2);
});

test("how long calls take is known from twenty on, and for a minute", () => {
  const times = createServiceTime();
  for (let call = 1; call < 20; call++) times.add(call * 100, 0);
  expect(times.p90Ms(0)).toBe(0);
  times.add(2_000, 0);
  expect(times.p90Ms(0)).toBe(1_900);
  for (let call = 0; call < 128; call++) times.add(50, 1_000);
  expect(times.p90Ms(1_000)).toBe(50);
  expect(times.p90Ms(61_001)).toBe(0);
});
