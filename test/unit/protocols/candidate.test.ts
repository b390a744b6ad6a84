import { describe, expect, test } from "bun:test";
import {
  type Asked,
  askedKept,
  type CandidateRules,
  candidateDefaults,
  candidateRefusal,
  type GroupMemory,
  laterRefusal,
  memoryRefusal,
  remember,
  repeatedBy,
  repeating,
  type Sight,
  withAsked,
} from "../../../protocols/candidate.ts";
import type { RiskLevel } from "../../../protocols/ids.ts";
import { lookOf } from "../../../protocols/look.ts";
import { aGroup } from "../../support/build.ts";

const rules: CandidateRules = candidateDefaults;

describe("who may be in conflict", () => {
  const group = (objectCount: number, vehicles: number, pedestrians: number, riskLevel: RiskLevel = "none") => ({
    objectCount,
    riskLevel,
    spatial: { vehicles, pedestrians },
  });
  test.each([
    ["two vehicles are a candidate", group(2, 2, 0), {}, null],
    ["a person and a vehicle are a candidate", group(2, 1, 1), {}, null],
    ["a person, a vehicle and a dog are a candidate", group(3, 1, 1), {}, null],
    ["two people are none", group(2, 0, 2), {}, "no_conflict"],
    ["a vehicle and a dog are none", group(2, 1, 0), {}, "no_conflict"],
    ["a vehicle and a dog are one where a vehicle is enough", group(2, 1, 0), { prefilter: "vehicle" }, null],
    ["two people are none where a vehicle is asked for", group(2, 0, 2), { prefilter: "vehicle" }, "no_conflict"],
    ["two people are one where any are", group(2, 0, 2), { prefilter: "any" }, null],
    ["one vehicle alone is too few", group(1, 1, 0), {}, "too_few_members"],
    ["one alone is too few also where any are enough", group(1, 1, 0), { prefilter: "any" }, "too_few_members"],
    ["two vehicles are too few where three are asked", group(2, 2, 0), { minMembers: 3 }, "too_few_members"],
    ["exactly the asked number is enough", group(3, 3, 0), { minMembers: 3 }, null],
    ["a wrong-way driver alone is one", group(1, 1, 0, "high"), {}, null],
    ["a low risk is no danger yet", group(1, 1, 0, "low"), {}, "too_few_members"],
  ] as const)("%s", (_, fields, changed, expected) => {
    expect(candidateRefusal(fields, { ...rules, ...changed })).toBe(expected);
  });
});

type Fields = Parameters<typeof aGroup>[0];
const look = (fields: Fields = {}) => lookOf(aGroup(fields), []);
const nearMiss = [{ type: "near-miss" as const, memberTrackIds: [1, 2], evidence: "" }];
const stalled = [{ type: "stalled" as const, memberTrackIds: [1], evidence: "" }];
const sight = (capturedAt: number, riskLevel: RiskLevel = "low", fields: Fields = {}): Sight => ({
  capturedAt,
  riskLevel,
  look: look(fields),
});
const at = (capturedAt: number, riskLevel: RiskLevel = "low", fields: Fields = {}): Asked => ({
  ...sight(capturedAt, riskLevel, fields),
  taskId: `t${capturedAt}`,
  hash: null,
});
const near = (gap: number): Fields => ({ spatial: { ...aGroup().spatial, minSpacing: gap, pedVehicleMinDist: gap } });

describe("what was asked before decides", () => {
  test.each([
    ["a first sight is asked about", sight(1_000), [], null],
    ["within the cooldown it waits", sight(3_999, "low", near(20)), [at(1_000)], "cooldown"],
    ["at its end what has changed is asked about", sight(4_000, "low", near(20)), [at(1_000)], null],
    ["at its end what has not changed waits", sight(4_000), [at(1_000)], "unchanged"],
    ["until the refresh is over", sight(61_000), [at(1_000)], null],
    ["a millisecond before it is not", sight(60_999), [at(1_000)], "unchanged"],
    ["what got worse does not wait", sight(1_500, "high"), [at(1_000)], null],
    ["what got better waits", sight(1_500, "none"), [at(1_000)], "cooldown"],
    ["what got better and stays waits on", sight(5_000, "none"), [at(1_000)], "unchanged"],
    [
      "another kind of danger does not wait",
      sight(1_500, "high", { hazards: nearMiss }),
      [at(1_000, "high", { hazards: stalled })],
      null,
    ],
    [
      "two kinds of danger that take turns wait",
      sight(2_000, "high", { hazards: stalled }),
      [at(1_000, "high", { hazards: stalled }), at(1_500, "high", { hazards: nearMiss })],
      "cooldown",
    ],
    ["a danger is refreshed sooner", sight(11_000, "medium"), [at(1_000, "medium")], null],
    ["but not at once", sight(10_999, "medium"), [at(1_000, "medium")], "unchanged"],
    ["a sight that comes back is known", sight(8_000), [at(1_000), at(4_500, "low", near(20))], "unchanged"],
    ["an approaching person passes", sight(4_500, "low", near(50)), [at(1_000, "low", near(80))], null],
    ["one that stands does not", sight(4_500, "low", near(78)), [at(1_000, "low", near(80))], "unchanged"],
    ["what is asked later does not count", sight(5_000), [at(5_500)], null],
  ] as [string, Sight, GroupMemory, string | null][])("%s", (_, seen, memory, expected) => {
    expect(memoryRefusal(seen, memory, rules)).toBe(expected as never);
  });

  test("a record that comes late is measured by those after it, too", () => {
    expect(laterRefusal(sight(1_000), [at(2_000)], rules)).toBe("cooldown");
    expect(laterRefusal(sight(1_000), [at(9_000)], rules)).toBe("unchanged");
    expect(laterRefusal(sight(1_000, "high"), [at(2_000)], rules)).toBeNull();
    expect(laterRefusal(sight(1_000), [at(61_000)], rules)).toBeNull();
    expect(laterRefusal(sight(1_000), [at(500)], rules)).toBeNull();
  });

  test("with a change score of 0 every sight is a new one", () => {
    expect(memoryRefusal(sight(4_000), [at(1_000)], { ...rules, changeLeast: 0 })).toBeNull();
  });
});

describe("the same picture under another key", () => {
  const hash = "00000000000000ff";
  const before = { ...at(1_000, "low", { memberTrackIds: [1, 2] }), hash };
  const others = { memberTrackIds: [8, 9] };
  test.each([
    ["the same picture of as many at the same place", sight(5_000, "low", others), hash, {}, true],
    ["a picture that trembles", sight(5_000, "low", others), "00000000000000f0", {}, true],
    ["one bit more than allowed", sight(5_000, "low", others), "00000000000000f0", { pictureBits: 3 }, false],
    ["another picture", sight(5_000, "low", others), "ffffffff000000ff", {}, false],
    ["no picture to compare", sight(5_000, "low", others), null, {}, false],
    ["a higher risk", sight(5_000, "medium", others), hash, {}, false],
    ["another place", sight(5_000, "low", { ...others, bbox: [200, 100, 400, 200] }), hash, {}, false],
    ["one more vehicle", sight(5_000, "low", { ...others, spatial: { ...aGroup().spatial, vehicles: 3 } }), hash, {}, false],
    ["a person nearer by", sight(5_000, "low", { ...others, ...near(40) }), hash, {}, false],
    ["after the refresh", sight(61_000, "low", others), hash, {}, false],
    ["comparing none", sight(5_000, "low", others), hash, { pictureBits: -1 }, false],
    ["of the same frame", sight(1_000, "low", others), hash, {}, false],
  ] as [string, Sight, string | null, Partial<CandidateRules>, boolean][])("%s", (_, seen, picture, changed, expected) => {
    const found = repeatedBy(seen, picture, new Map([["a", [before]]]), { ...rules, ...changed });
    expect(found !== null).toBe(expected);
  });

  test("what repeats a picture is refreshed when the picture would be", () => {
    const repeat = repeating({ taskId: "x" }, sight(50_000), hash, before);
    expect(repeat).toMatchObject({ taskId: "x", capturedAt: 50_000, repeats: 1_000 });
    expect(memoryRefusal(sight(60_000), [repeat], rules)).toBe("unchanged");
    expect(memoryRefusal(sight(61_000), [repeat], rules)).toBeNull();
    expect(repeating({ taskId: "y" }, sight(55_000), hash, repeat).repeats).toBe(1_000);
  });
});

test("what was asked is kept in order, once each, and not for ever", () => {
  let kept: GroupMemory = [];
  for (let index = 40; index > 0; index--) kept = withAsked(withAsked(kept, at(index)), at(index));
  expect(kept).toHaveLength(askedKept);
  expect(kept.map(({ capturedAt }) => capturedAt)).toEqual([...kept.map(({ capturedAt }) => capturedAt)].sort((a, b) => a - b));
});

test("a camera's memory forgets groups by time and by number", () => {
  const keysAfter = (limits: Parameters<typeof remember>[3]) => {
    const memory = new Map<string, GroupMemory>();
    for (let count = 0; count < 100; count++) remember(memory, `g${count}`, at(1_000 + count * 500), limits);
    return [...memory.keys()];
  };
  expect(keysAfter({ keepMs: 1_500, groupsMax: 50 })).toEqual(["g97", "g98", "g99"]);
  expect(keysAfter({ keepMs: 1_000_000, groupsMax: 2 })).toEqual(["g98", "g99"]);
});
