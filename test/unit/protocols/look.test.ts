import { expect, test } from "bun:test";
import { changeOf, hashDistance, Look, lookOf, overlapOf } from "../../../protocols/look.ts";
import { aGroup } from "../../support/build.ts";

type Fields = Parameters<typeof aGroup>[0];
const look = (fields: Fields = {}, speeds: readonly number[] = []) =>
  lookOf(
    aGroup(fields),
    speeds.map((speed) => ({ speed })),
  );
const spatial = (changed: Partial<ReturnType<typeof aGroup>["spatial"]>) => ({ spatial: { ...aGroup().spatial, ...changed } });
const cars = (trackIds: number[]): Fields => ({
  memberTrackIds: trackIds,
  ...spatial({ vehicles: trackIds.length, pedestrians: 0, pedVehicleMinDist: undefined }),
});
const hazard = (...memberTrackIds: number[]): Fields => ({
  hazards: [{ type: "near-miss", memberTrackIds, evidence: "" }],
});

// The box of `aGroup` is 200 × 100 pixels: its diagonal is 224.
test.each([
  ["nothing", look(), look(), true, 0],
  ["the detector's trembling", look(), look({ bbox: [101, 101, 302, 199], ...spatial({ minSpacing: 77 }) }), true, 0.04],
  ["one of five has gone", look(cars([1, 2, 3, 4, 5])), look(cars([1, 2, 3, 4])), true, 0],
  ["one came to five", look(cars([1, 2, 3, 4, 5])), look(cars([1, 2, 3, 4, 5, 6])), true, 0.167],
  ["two became three", look(cars([1, 2])), look(cars([1, 2, 3])), true, 0.333],
  ["all are others, by their ids", look(cars([1, 2])), look(cars([3, 4])), true, 1],
  ["the same without ids", look(cars([1, 2])), look(cars([3, 4])), false, 0],
  ["one more without ids", look(cars([1, 2])), look(cars([3, 4, 5])), false, 0.333],
  ["a person came to ten vehicles", look(cars([1, 2, 3])), look({ memberTrackIds: [1, 2, 3, 4] }), true, 1],
  ["half as far", look(spatial({ minSpacing: 80 })), look(spatial({ minSpacing: 40 })), true, 0.5],
  ["a person half as far", look(), look(spatial({ pedVehicleMinDist: 40 })), true, 0.5],
  ["boxes that almost touch", look(spatial({ minSpacing: 2 })), look(spatial({ minSpacing: 4 })), true, 0.089],
  ["a queue that moves off", look({}, [1, 2]), look({}, [1, 90]), true, 0.978],
  ["a queue that trembles", look({}, [1, 2]), look({}, [3, 6]), true, 0.089],
  ["a speed that was not known", look(), look({}, [90]), true, 0],
  ["moved by its own size", look(), look({ bbox: [300, 200, 500, 300] }), true, 0.3],
  ["a first danger", look(), look(hazard(1, 2)), true, 1],
  ["the same danger", look(hazard(1, 2)), look(hazard(1, 2)), true, 0],
  ["the same danger to others", look(hazard(1, 2)), look(hazard(1, 3)), true, 1],
  ["the same danger, without ids", look(hazard(1, 2)), look(hazard(5, 6)), false, 0],
  ["a danger that is over", look(hazard(1, 2)), look(), true, 0],
] as [string, Look, Look, boolean, number][])("the change score of %s", (_, then, now, byIds, expected) => {
  expect(changeOf(then, now, byIds)).toBeCloseTo(expected, 2);
});

test("what is kept of a group is bounded", () => {
  const memberTrackIds = Array.from({ length: 300 }, (_, index) => 300 - index);
  const hazards = Array.from({ length: 30 }, () => ({ type: "congestion" as const, memberTrackIds, evidence: "x".repeat(300) }));
  const kept = look({ memberTrackIds, hazards });
  expect(Look.parse(kept)).toEqual(kept);
  expect(kept.trackIds.slice(0, 3)).toEqual([1, 2, 3]);
  expect(changeOf(kept, look({ memberTrackIds: memberTrackIds.toReversed(), hazards }), true)).toBe(0);
});

test("the speed of a group is that of its fastest member", () => {
  expect(look({}, [3, 9, 4]).speed).toBe(9);
  expect(look().speed).toBeNull();
});

test.each([
  ["the same", [0, 0, 10, 10], 1],
  ["half of each", [0, 5, 10, 15], 1 / 3],
  ["side by side", [10, 0, 20, 10], 0],
  ["apart", [30, 30, 40, 40], 0],
] as [string, [number, number, number, number], number][])("overlap of boxes: %s", (_, other, expected) => {
  expect(overlapOf([0, 0, 10, 10], other)).toBeCloseTo(expected, 6);
});

test.each([
  ["0000000000000000", "0000000000000000", 0],
  ["ffffffffffffffff", "0000000000000000", 64],
  ["8000000000000001", "0000000000000000", 2],
  ["0123456789abcdef", "0123456789abcdee", 1],
] as const)("hashes %s and %s differ in their bits", (one, other, bits) => {
  expect(hashDistance(one, other)).toBe(bits);
  expect(hashDistance(other, one)).toBe(bits);
});
