import { describe, expect, test } from "bun:test";
import type { Body } from "../../../../actors/clusterer/kinematics.ts";
import { congestion, isFirst, pairFindings, passes, stalled, wrongWay } from "../../../../actors/clusterer/rules.ts";
import { aBody } from "../../../support/road.ts";

const quarter = Math.PI / 2;
const found = (...bodies: readonly Body[]) => pairFindings(bodies).map(({ type, level }) => `${type} ${level}`);
const at = (trackId: number, fields: Partial<Body>): Body => aBody({ trackId, ...fields });

describe("tailgating", () => {
  test.each([
    ["0.5 s behind at 36 km/h is medium", at(1, {}), at(2, { x: 9.4 }), ["tailgating medium"]],
    ["0.8 s behind is low", at(1, {}), at(2, { x: 12.4 }), ["tailgating low"]],
    ["1 s behind is not", at(1, {}), at(2, { x: 14.5 }), []],
    ["close together in a slow queue is not", at(1, { speed: 3 }), at(2, { x: 5.5, speed: 3 }), []],
    ["close behind one who stops is a queue, or worse", at(1, { speed: 8 }), at(2, { x: 8.4, speed: 2 }), ["near-miss high"]],
    ["a bicycle does not tailgate", at(1, { class: "bicycle", speed: 5 }), at(2, { x: 6, speed: 5 }), []],
    ["in the next lane is not", at(1, {}), at(2, { x: 9.4, y: 3.2 }), []],
    ["cut off by the picture's edge is not judged", at(1, {}), at(2, { x: 9.4, cut: true }), []],
  ])("%s", (_, follower, leader, expected) => {
    expect(found(follower, leader)).toEqual(expected);
  });

  test("closing in as well is high, and near a miss", () => {
    expect(found(at(1, { speed: 14 }), at(2, { x: 8.2, speed: 8 }))).toEqual(["tailgating high", "near-miss high"]);
  });

  test("says the figures behind it", () => {
    const [finding] = pairFindings([at(1, {}), at(2, { x: 9.4, bbox: [160, 100, 260, 150] })]);
    expect(finding?.evidence).toBe("time gap 0.5 s at about 36 km/h, distance 60 px");
    expect(finding?.trackIds).toEqual([1, 2]);
  });
});

describe("near miss", () => {
  const walker = (fields: Partial<Body>) => at(2, { class: "person", heading: quarter, speed: 1.4, ...fields });

  test.each([
    ["a person walks before a car that cannot stop", [at(1, {}), walker({ x: 12, y: -1.3 })], ["near-miss high"]],
    ["the same at 1.4 s is medium", [at(1, {}), walker({ x: 15.5, y: -1.5 })], ["near-miss medium"]],
    ["the same at 2 s is not", [at(1, {}), walker({ x: 22.5, y: -2.8 })], []],
    ["a person just across, the car a metre behind", [at(1, {}), walker({ x: 8, y: 1 })], ["near-miss high"]],
    ["a person well across", [at(1, {}), walker({ x: 8, y: 3.5 })], []],
    ["a person who waits at the kerb", [at(1, {}), walker({ x: 8, y: -2.2, speed: 0 })], []],
    ["a person who stands in the lane", [at(1, {}), walker({ x: 12, y: 0, speed: 0 })], ["near-miss high"]],
    ["a person who walks along the road", [at(1, {}), walker({ x: 10, y: 2, heading: 0 })], []],
    ["a car at walking pace", [at(1, { speed: 2 }), walker({ x: 4, y: -0.5 })], []],
    ["a car that will easily stop", [at(1, { speed: 4.2 }), walker({ x: 8, y: -1.5 })], []],
    ["two people", [walker({}), walker({ trackId: 3, x: 0.5 })], []],
    ["a bicycle beside a car in its own lane", [at(1, {}), at(2, { class: "bicycle", y: 1.9, x: 3, speed: 5 })], []],
    ["two cars on crossing ways, to arrive at once", [at(1, {}), at(2, { x: 12, y: -12, heading: quarter })], ["near-miss high"]],
    ["the same, one of them turning", [at(1, { steady: false }), at(2, { x: 12, y: -12, heading: quarter })], []],
    ["two cars meeting in two lanes", [at(1, {}), at(2, { x: 20, y: 3.2, heading: Math.PI })], []],
    ["two cars head on in one lane", [at(1, {}), at(2, { x: 22, heading: Math.PI })], ["near-miss high"]],
    ["a car that comes up to a standing queue and brakes in time", [at(1, { speed: 6 }), at(2, { x: 14, speed: 0 })], []],
    ["a car that comes up to it too fast", [at(1, { speed: 14 }), at(2, { x: 22, speed: 0 })], ["near-miss medium"]],
    [
      "a car that runs into the side of a standing one",
      [at(1, { speed: 12 }), at(2, { x: 14, speed: 0, heading: quarter })],
      ["near-miss high"],
    ],
    ["boxes of standing cars that overlap", [at(1, { speed: 0 }), at(2, { x: 3, speed: 0 })], []],
  ])("%s", (_, bodies, expected) => {
    expect(found(...bodies)).toEqual(expected);
  });

  test("says the figures behind it", () => {
    const [contact] = pairFindings([at(1, {}), walker({ x: 11, y: -1.3, bbox: [200, 90, 220, 150] })]);
    expect(contact?.evidence).toMatch(/^time to collision 0\.\d s, distance 60 px, car at about 36 km\/h$/);
    const [passing] = pairFindings([at(1, {}), walker({ x: 8, y: 1 })]);
    expect(passing?.evidence).toMatch(/^passes 0\.\d m apart in 0\.\d s, distance 0 px, car at about 36 km\/h$/);
  });

  test("a pair is found once, whatever the order", () => {
    const pair = [at(1, {}), at(2, { x: 24, heading: Math.PI })];
    expect(pairFindings(pair)).toHaveLength(1);
    expect(pairFindings(pair.toReversed()).map(({ trackIds }) => trackIds)).toEqual([[1, 2]]);
  });
});

describe("wrong way", () => {
  const against = { along: 0, against: 8, unclear: 2, contested: 8 };
  test.each([
    ["against a known lane", {}, against, null, true],
    ["against it, on the other half of the road", {}, against, "other", true],
    ["on one's own half, in a lane learned from others' mistakes", {}, against, "own", false],
    [
      "on the other half, where someone came the other way",
      {},
      { along: 0, against: 0, unclear: 6, contested: 5 },
      "other",
      true,
    ],
    ["on the other half, where nobody was seen before", {}, { along: 0, against: 0, unclear: 9, contested: 0 }, "other", false],
    ["on the other half, in a lane known to go this way", {}, { along: 8, against: 1, unclear: 0, contested: 6 }, "other", false],
    ["where traffic goes both ways", {}, { along: 4, against: 5, unclear: 0, contested: 9 }, null, false],
    ["where most is unknown", {}, { along: 0, against: 5, unclear: 20, contested: 5 }, null, false],
    ["in too few cells", {}, { along: 0, against: 4, unclear: 0, contested: 4 }, null, false],
    ["slowly", { speed: 1.5 }, against, null, false],
    ["only just appeared", { travelledM: 4 }, against, null, false],
    ["on a bicycle", { class: "bicycle" }, against, null, false],
  ] as const)("%s", (_, fields, vote, half, expected) => {
    expect(wrongWay(at(1, fields), vote, half) !== null).toBe(expected);
  });
});

describe("stalled", () => {
  const standing = (fields: Partial<Body> = {}) => at(1, { speed: 0, standingMs: 8000, ...fields });
  const line = { x: 20, y: 1, weight: 3 };
  test.each([
    ["short of the stop line, with nobody ahead", standing(), 7000, 0, [line], true],
    ["at the stop line", standing({ x: 17 }), 7000, 3, [line], false],
    ["at the stop line, in the next lane", standing({ x: 17, y: 4 }), 7000, 3, [line], false],
    ["short of the line, but not for long", standing(), 5000, 3, [line], false],
    ["where vehicles have waited before the line twice", standing(), 7000, 0, [line, { x: 3, y: 0, weight: 2 }], false],
    ["where one vehicle has waited before the line", standing(), 7000, 0, [line, { x: 3, y: 0, weight: 1 }], true],
    ["never seen to drive", standing({ travelledM: 0 }), 7000, 0, [line], false],
    ["never seen to drive, but others drive past", standing({ travelledM: 0 }), 7000, 2, [line], true],
    [
      "with no line known, others drive past",
      standing(),
      11_000,
      2,
      [
        { x: 0, y: 90, weight: 1 },
        { x: 0, y: 99, weight: 1 },
      ],
      true,
    ],
    ["with nothing known at all", standing(), 11_000, 5, [], false],
    ["longer than any red light", standing({ x: 17 }), 181_000, 0, [line], true],
    ["a bicycle at the kerb", standing({ class: "bicycle" }), 9000, 3, [line], false],
    ["of unknown heading", standing({ heading: null }), 9000, 3, [line], false],
  ])("%s", (_, vehicle, firstMs, passedBy, waits, expected) => {
    const finding = stalled(vehicle, firstMs, passedBy, waits);
    expect(finding?.type ?? null).toBe(expected ? "stalled" : null);
  });

  test("says the figures behind it", () => {
    expect(stalled(standing(), 7400, 3, [line])?.evidence).toBe("car stands for 7 s with a free lane ahead, 3 passed by");
  });

  test("the first of a queue has nobody slow ahead in its lane", () => {
    expect(isFirst(standing(), [standing()])).toBe(true);
    expect(isFirst(standing(), [{ x: 8, y: 0.5 }])).toBe(false);
    expect(isFirst(standing(), [{ x: -8, y: 0.5 }])).toBe(true);
    expect(isFirst(standing(), [{ x: 8, y: 3.2 }])).toBe(true);
    expect(isFirst(standing(), [{ x: 30, y: 0 }])).toBe(true);
  });

  test("one drives past who goes the same way in a neighbouring lane", () => {
    expect(passes(at(2, { x: 3, y: 3.2 }), standing())).toBe(true);
    expect(passes(at(2, { x: 3, y: 3.2, heading: Math.PI }), standing())).toBe(false);
    expect(passes(at(2, { x: 3, y: 0.4 }), standing())).toBe(false);
    expect(passes(at(2, { x: 30, y: 3.2 }), standing())).toBe(false);
    expect(passes(at(2, { x: 3, y: 3.2, speed: 1 }), standing())).toBe(false);
  });
});

describe("congestion", () => {
  const creeping = (index: number, fields: Partial<Body> = {}) =>
    at(index, { x: index * 7, speed: 1.2, slowMs: 6000, creepsMs: 5000, ...fields });
  const queue = (count: number, fields: Partial<Body> = {}) =>
    Array.from({ length: count }, (_, index) => creeping(index, fields));

  test.each([
    ["five that creep bumper to bumper", queue(5), 1],
    ["four are a short queue", queue(4), 0],
    ["six that stand, as at a light", queue(6, { speed: 0, creepsMs: 0, standingMs: 20_000 }), 0],
    ["six that drive off after a light", queue(6, { creepsMs: 1500 }), 0],
    ["six that stand for minutes", queue(6, { speed: 0, creepsMs: 0, standingMs: 200_000 }), 1],
    ["five that only just slow down", queue(5, { slowMs: 1000, creepsMs: 1000 }), 0],
    ["five far apart", queue(5).map((body) => ({ ...body, x: body.x * 3 })), 0],
    [
      "three each way are two short queues",
      [...queue(3), ...queue(3, { y: 4, heading: Math.PI }).map((body) => ({ ...body, trackId: body.trackId + 10 }))],
      0,
    ],
    ["people are no traffic jam", queue(6, { class: "person" }), 0],
  ])("%s", (_, bodies, expected) => {
    expect(congestion(bodies)).toHaveLength(expected);
  });

  test("names its members and its pace", () => {
    const [jam] = congestion([...queue(5), at(50, { x: 500 })]);
    expect(jam?.trackIds).toEqual([0, 1, 2, 3, 4]);
    expect(jam?.level).toBe("low");
    expect(jam?.evidence).toBe("5 vehicles below 11 km/h, the slowest for 6 s, mean about 4 km/h");
  });
});
