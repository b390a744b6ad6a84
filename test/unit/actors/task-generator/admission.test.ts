import { describe, expect, test } from "bun:test";
import { type AdmissionRules, admissionDefaults, decide } from "../../../../actors/task-generator/admission.ts";
import { learn, memoryOf, newMemory } from "../../../../actors/task-generator/memory.ts";
import type { DetectionResult } from "../../../../protocols/detection.ts";
import { aDetectionResult, aGroup } from "../../../support/build.ts";

const t0 = 1_700_000_000_000;
const hash = "00ff00ff00ff00ff";

/** One camera's records, decided one after another. */
const camera = (changed: Partial<AdmissionRules> = {}) => {
  const memory = newMemory();
  const rules = { ...admissionDefaults, ...changed };
  return (seq: number, atMs: number, group: Parameters<typeof aGroup>[0], more: Partial<DetectionResult> = {}, ageMs = 0) => {
    const trafficGroups = [aGroup(group)];
    const record = aDetectionResult({ messageId: `m${seq}`, capturedAt: t0 + atMs, trafficGroups, ...more });
    const [decision] = decide(record, memoryOf(memory, 1), rules, ageMs);
    if (!decision) throw new Error("a group without a decision");
    if (decision.asked) learn(memory, 1, decision.group.groupKey, decision.asked, 10 ** 9);
    return decision.outcome === "task" ? "task" : decision.reason;
  };
};
const withHash = { groupImages: [{ groupIndex: 1, objectCount: 2, classes: [], image: new Uint8Array(3), hash }] };
const without = { groupImages: [] };

describe("why a group has no task", () => {
  test("the order of reasons: members, conflict, cooldown, change, picture, the same picture, age", () => {
    const see = camera();
    expect(see(1, 0, {}, withHash)).toBe("task");
    expect(see(2, 500, { objectCount: 1 }, without, 20_000)).toBe("too_few_members");
    expect(see(3, 500, { spatial: { ...aGroup().spatial, pedestrians: 0 } }, without, 20_000)).toBe("no_conflict");
    expect(see(4, 500, {}, without, 20_000)).toBe("cooldown");
    expect(see(5, 5_000, {}, without, 20_000)).toBe("unchanged");
    expect(see(6, 5_000, { groupKey: "other" }, without, 20_000)).toBe("no_evidence");
    expect(see(7, 5_000, { groupKey: "other", memberTrackIds: [8, 9] }, withHash, 20_000)).toBe("same_picture");
    expect(see(8, 5_000, { groupKey: "third", bbox: [500, 100, 700, 200] }, {}, 20_000)).toBe("too_old");
  });

  test("a group whose risk rises passes the cooldown and the change score", () => {
    const see = camera();
    expect([see(1, 0, {}), see(2, 500, { riskLevel: "medium" }), see(3, 1_000, { riskLevel: "high" })]).toEqual([
      "task",
      "task",
      "task",
    ]);
    expect(see(4, 1_500, { riskLevel: "high" })).toBe("cooldown");
  });

  test.each([
    ["while its key stays", () => "g1", [0, 20_000, 40_000, 60_000, 80_000]],
    // A new key that came up within the old one's refresh has its own cooldown.
    ["though its key changes", (frame: number) => `g${Math.floor(frame / 17)}`, [0, 20_000, 40_000, 62_500, 82_500]],
  ] as const)("a parked queue costs one task in each refresh, %s", (_, keyOf, expected) => {
    const see = camera({ refreshMs: 20_000 });
    const ends = Array.from({ length: 200 }, (_, frame) =>
      see(frame, frame * 500, { groupKey: keyOf(frame), riskLevel: "none" }, withHash),
    );
    expect(ends.flatMap((end, frame) => (end === "task" ? [frame * 500] : []))).toEqual([...expected]);
  });

  test("a pedestrian who approaches passes while the queue stands", () => {
    const see = camera();
    const gaps = [400, 380, 300, 200, 140, 90, 60, 40, 28];
    const ends = gaps.map((gap, index) =>
      see(index, index * 3_000, { riskLevel: "none", spatial: { ...aGroup().spatial, pedVehicleMinDist: gap } }),
    );
    expect(ends.filter((end) => end === "task").length).toBeGreaterThanOrEqual(6);
    expect(ends[1]).toBe("unchanged");
  });

  test("a danger gets its task however late it comes, a wrong-way driver also alone", () => {
    const see = camera();
    expect(see(1, 0, { riskLevel: "high", objectCount: 1 }, {}, 60_000)).toBe("task");
  });
});

describe("a record that comes again", () => {
  test("is decided as before, though it is older by then", () => {
    const see = camera();
    expect(see(1, 0, {}, withHash, 0)).toBe("task");
    expect(see(2, 500, { groupKey: "b", memberTrackIds: [8, 9] }, withHash)).toBe("same_picture");
    expect(see(1, 0, {}, withHash, 60_000)).toBe("task");
    expect(see(2, 500, { groupKey: "b", memberTrackIds: [8, 9] }, withHash, 60_000)).toBe("same_picture");
  });

  test("finds room beside those that came after it only where it tells more", () => {
    const see = camera();
    expect(see(2, 1_000, {})).toBe("task");
    expect(see(1, 0, {})).toBe("cooldown");
    expect(see(0, 500, { riskLevel: "high" })).toBe("task");
  });

  test("gets all its tasks when one of them is out already", () => {
    const memory = newMemory();
    const trafficGroups = [aGroup(), aGroup({ groupIndex: 2, groupKey: "b", bbox: [500, 100, 700, 200] })];
    const record = aDetectionResult({ capturedAt: t0, trafficGroups });
    const [first] = decide(record, memoryOf(memory, 1), admissionDefaults, 0);
    if (!first?.asked) throw new Error("the first group gets a task");
    learn(memory, 1, "g1", first.asked, 10 ** 9);
    const again = decide(record, memoryOf(memory, 1), admissionDefaults, 60_000);
    expect(again.map(({ outcome }) => outcome)).toEqual(["task", "task"]);
  });
});
