import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { angleBetween, encounterOf, followingOf, HORIZON_S } from "../../../../actors/clusterer/encounter.ts";
import { aBody } from "../../../support/road.ts";

const quarter = Math.PI / 2;

describe("time to collision", () => {
  test.each([
    ["a car at 10 m/s behind a standing one, 10 m between bumpers", aBody(), aBody({ trackId: 2, x: 14.4, speed: 0 }), 1],
    ["head on, 20 m/s together, 30 m between them", aBody(), aBody({ trackId: 2, x: 34.4, heading: Math.PI }), 1.5],
    ["behind a car of the same speed", aBody(), aBody({ trackId: 2, x: 9 }), null],
    ["side by side in two lanes", aBody(), aBody({ trackId: 2, y: 3.2 }), null],
    ["meeting in two lanes", aBody(), aBody({ trackId: 2, x: 40, y: 3.2, heading: Math.PI }), null],
    ["parting", aBody(), aBody({ trackId: 2, x: -20, heading: Math.PI }), null],
    ["too far to matter", aBody(), aBody({ trackId: 2, x: 60, speed: 0 }), null],
    ["crossing, both to arrive at once", aBody(), aBody({ trackId: 2, x: 20, y: -20, heading: quarter }), 1.7],
  ])("%s", (_, a, b, expected) => {
    const { collisionS } = encounterOf(a, b);
    if (expected === null) expect(collisionS).toBeNull();
    else expect(collisionS ?? Number.NaN).toBeCloseTo(expected, 1);
  });

  test("a person who walks across before the car", () => {
    const person = aBody({ trackId: 2, class: "person", x: 12, y: -1.5, heading: quarter, speed: 1.5 });
    expect(encounterOf(aBody(), person).collisionS ?? Number.NaN).toBeCloseTo(0.96, 1);
  });

  test("a person who is across in time is missed, and by how much", () => {
    const person = aBody({ trackId: 2, class: "person", x: 12, y: 1, heading: quarter, speed: 1.5 });
    const { collisionS, missM, missS } = encounterOf(aBody(), person);
    expect(collisionS).toBeNull();
    expect(missM).toBeGreaterThan(1);
    expect(missM).toBeLessThan(1.5);
    expect(missS).toBeGreaterThan(0.8);
    expect(missS).toBeLessThan(1.5);
  });

  test("slack is taken off the outlines", () => {
    const passing = aBody({ trackId: 2, x: 30, y: 1.6, heading: Math.PI });
    expect(encounterOf(aBody(), passing).collisionS).not.toBeNull();
    expect(encounterOf(aBody(), passing, 0.4).collisionS).toBeNull();
  });
});

test("agrees with stepping both on, millisecond by millisecond", () => {
  const body = (trackId: number) =>
    fc
      .record({
        x: fc.integer({ min: -25, max: 25 }),
        y: fc.integer({ min: -25, max: 25 }),
        heading: fc.integer({ min: 0, max: 7 }).map((eighth) => (eighth * Math.PI) / 4),
        speed: fc.integer({ min: 0, max: 15 }),
        class: fc.constantFrom("car", "person", "bus", "motorcycle"),
      })
      .map((fields) => aBody({ trackId, ...fields }));
  fc.assert(
    fc.property(body(1), body(2), (a, b) => {
      const on = (each: typeof a, seconds: number) => ({ ...each, x: each.x + each.vx * seconds, y: each.y + each.vy * seconds });
      let stepped: number | null = null;
      for (let seconds = 0; seconds <= HORIZON_S; seconds += 0.005) {
        if (encounterOf(on(a, seconds), on(b, seconds)).gapM > 0) continue;
        stepped = seconds;
        break;
      }
      const { collisionS, missM } = encounterOf(a, b);
      if (stepped === null) {
        // A graze may fall between two steps.
        if (collisionS !== null) expect(missM).toBe(0);
      } else expect(Math.abs((collisionS ?? Number.NaN) - stepped)).toBeLessThan(0.006);
    }),
    { numRuns: 150 },
  );
});

describe("following", () => {
  test("the time gap is the way between bumpers over the follower's speed", () => {
    const following = followingOf(aBody({ trackId: 1, x: 9.4 }), aBody({ trackId: 2 }));
    expect(following?.leader.trackId).toBe(1);
    expect(following?.gapM).toBeCloseTo(5, 6);
    expect(following?.timeGapS).toBeCloseTo(0.5, 6);
  });

  test.each([
    ["in the next lane", aBody({ trackId: 2, x: 10, y: 3.2 })],
    ["in the other direction", aBody({ trackId: 2, x: 10, heading: Math.PI })],
    ["across", aBody({ trackId: 2, x: 10, heading: quarter })],
    ["with an unknown heading", aBody({ trackId: 2, x: 10, heading: null })],
  ])("nobody follows one %s", (_, other) => {
    expect(followingOf(aBody(), other)).toBeNull();
  });
});

test.each([
  [0, 0.5, 0.5],
  [0.1, 2 * Math.PI - 0.1, 0.2],
  [-Math.PI, Math.PI, 0],
  [0, Math.PI, Math.PI],
])("the angle between %d and %d is %d", (a, b, expected) => {
  expect(angleBetween(a, b)).toBeCloseTo(expected, 9);
});
