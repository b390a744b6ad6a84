import { describe, expect, test } from "bun:test";
import { groupingDefaults } from "../../../../actors/clusterer/grouping.ts";
import type { Finding } from "../../../../actors/clusterer/rules.ts";
import { describe as describeGroup, gather } from "../../../../actors/clusterer/traffic-groups.ts";
import { type DetectedObject, TrafficGroup } from "../../../../protocols/detection.ts";

const at = (trackId: number, x: number, className = "car"): DetectedObject => ({
  class: className,
  confidence: 0.8,
  bbox: [x, 100, x + 40, 140],
  trackId,
});
const finding = (type: Finding["type"], level: Finding["level"], ...trackIds: readonly number[]): Finding => ({
  type,
  level,
  trackIds,
  evidence: `${type} of ${trackIds.join(" and ")}`,
});

const told = (objects: readonly DetectedObject[], findings: readonly Finding[]) =>
  gather(objects, findings, groupingDefaults).map((each, index) => describeGroup(each, index + 1, `k${index}`, objects));

describe("which group a danger belongs to", () => {
  const objects = [at(7, 0), at(8, 100), at(9, 600), at(10, 700), at(11, 1200)];

  /** Members, level and dangers of each group. */
  const summary = (findings: readonly Finding[]): string[] =>
    told(objects, findings).map(({ memberTrackIds, riskLevel, hazards }) =>
      [memberTrackIds.join("+"), riskLevel, ...hazards.map(({ type }) => type)].join(" "),
    );

  test.each<[string, Finding[], string[]]>([
    ["without dangers there are the groups by distance", [], ["7+8 none", "9+10 none"]],
    [
      "one among the members of a group is that group's",
      [finding("tailgating", "medium", 9, 10)],
      ["7+8 none", "9+10 medium tailgating"],
    ],
    ["one of a loner makes a group of one", [finding("wrong-way", "high", 11)], ["7+8 none", "9+10 none", "11 high wrong-way"]],
    [
      "one between two groups makes a group of its members",
      [finding("near-miss", "high", 8, 9)],
      ["7+8 none", "9+10 none", "8+9 high near-miss"],
    ],
    [
      "two dangers of the same loner share a group",
      [finding("stalled", "medium", 11), finding("wrong-way", "high", 11)],
      ["7+8 none", "9+10 none", "11 high wrong-way stalled"],
    ],
    [
      "the worst stands first and gives the level",
      [finding("congestion", "low", 7, 8), finding("near-miss", "high", 7, 8)],
      ["7+8 high near-miss congestion", "9+10 none"],
    ],
    ["one with a member that is not told of is not told", [finding("near-miss", "high", 8, 99)], ["7+8 none", "9+10 none"]],
  ])("%s", (_, findings, expected) => {
    expect(summary(findings)).toEqual(expected);
  });
});

test("a group is told as its schema says", () => {
  const objects = [at(7, 0, "truck"), at(8, 60, "person")];
  const [group] = told(objects, [finding("near-miss", "high", 7, 8)]);
  const expected: TrafficGroup = {
    groupIndex: 1,
    groupKey: "k0",
    objectCount: 2,
    bbox: [0, 100, 100, 140],
    classes: ["person", "truck"],
    averageConfidence: 0.8,
    memberIndices: [0, 1],
    memberTrackIds: [7, 8],
    riskLevel: "high",
    hazards: [{ type: "near-miss", memberTrackIds: [7, 8], evidence: "near-miss of 7 and 8" }],
    spatial: { density: 5, avgSpacing: 60, minSpacing: 60, vehicles: 1, pedestrians: 1, pedVehicleMinDist: 60 },
  };
  expect(TrafficGroup.parse(group)).toEqual(expected);
});
