import { describe, expect, test } from "bun:test";
import { assessByRules } from "../../../../actors/scheduler/rules.ts";
import { type Hazard, hazardTypes } from "../../../../protocols/detection.ts";
import { Verdict } from "../../../../protocols/verdict.ts";
import { aTask } from "../../../support/task.ts";

const tailgating: Hazard = { type: "tailgating", memberTrackIds: [9, 3], evidence: "headway 0.6 s" };
const nearMiss: Hazard = { type: "near-miss", memberTrackIds: [7, 9], evidence: "time to collision 1.2 s" };

describe("the rules' word", () => {
  test("confirms measured hazards, with their figures and objects", () => {
    const verdict = assessByRules(aTask({ riskLevel: "high", hazards: [nearMiss, tailgating] }), "en", "ok");
    expect(verdict).toEqual({
      taskId: "m1_group1",
      groupIndex: 1,
      groupKey: "g1",
      status: "ok",
      verdict: "confirmed",
      riskLevel: "high",
      confidence: null,
      assessedBy: "rules",
      description: "By rules: near miss (objects 7, 9: time to collision 1.2 s); tailgating (objects 9, 3: headway 0.6 s)",
      riskTypes: ["near-miss", "tailgating"],
      dangerObjectCount: 3,
      triggerObjectIds: [3, 7, 9],
    });
  });

  test("rejects a group without hazards, and says what was measured", () => {
    expect(assessByRules(aTask({ riskLevel: "none", hazards: [] }), "zh", "degraded")).toMatchObject({
      status: "degraded",
      verdict: "rejected",
      riskLevel: "none",
      description: "规则判定：2 个目标，未发现危险行为，最小间距 85.3 像素",
      riskTypes: [],
      dangerObjectCount: 0,
      triggerObjectIds: [],
    });
  });

  test.each(["zh", "en"] as const)("has a word for each hazard in %s, and stays within the schema", (language) => {
    const hazards = Array.from({ length: 50 }, (_, index) => ({
      type: hazardTypes[index % hazardTypes.length] ?? "stalled",
      memberTrackIds: [index],
      evidence: "长".repeat(300),
    }));
    const verdict = assessByRules(aTask({ hazards }), language, "ok");
    expect(Verdict.parse(verdict)).toEqual(verdict);
    expect(verdict.description).not.toContain("undefined");
  });

  test("is the same each time", () => {
    expect(assessByRules(aTask(), "zh", "ok")).toEqual(assessByRules(aTask(), "zh", "ok"));
  });
});
