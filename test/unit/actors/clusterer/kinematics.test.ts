import { describe, expect, test } from "bun:test";
import { groundOf, type Sight } from "../../../../actors/clusterer/ground.ts";
import { type Body, bodiesOf, type Histories, hiddenStanding, noteObjects } from "../../../../actors/clusterer/kinematics.ts";
import { look, mast, pictureHeight, pictureWidth, type RoadUser, straight } from "../../../support/road.ts";

const sightAt = (seconds: number): Sight => ({
  ground: groundOf(mast),
  ms: seconds * 1000,
  imageWidth: pictureWidth,
  imageHeight: pictureHeight,
});

/** The bodies of the last frame after `seconds` at `fps`. */
const watch = (users: readonly RoadUser[], fps: number, seconds: number, histories: Histories = new Map()): Body[] => {
  let bodies: Body[] = [];
  for (let frame = 0; frame <= fps * seconds; frame++) {
    const at = frame / fps;
    const objects = look(mast, users, at);
    noteObjects(histories, objects, at * 1000);
    bodies = bodiesOf(histories, objects, sightAt(at));
  }
  return bodies;
};

test.each([
  ["across the picture at 2 fps", { x: -10, y: 25, heading: 0, speed: 8 }, 2],
  ["towards the camera at 2 fps", { x: 2, y: 45, heading: -Math.PI / 2, speed: 8 }, 2],
  ["away and to the side at 25 fps", { x: -5, y: 20, heading: Math.PI / 3, speed: 6 }, 25],
])("a car that drives %s: its place, speed and heading", (_, way, fps) => {
  const [body] = watch([straight(1, "car", way)], fps, 2);
  const truth = straight(1, "car", way).at(2);
  expect(Math.hypot((body?.x ?? 0) - (truth?.x ?? 0), (body?.y ?? 0) - (truth?.y ?? 0))).toBeLessThan(1);
  expect(Math.abs((body?.speed ?? 0) - way.speed)).toBeLessThan(0.6);
  expect(Math.abs((body?.heading ?? 0) - way.heading)).toBeLessThan(0.1);
  expect(body?.steady).toBe(true);
  expect(body?.standingMs).toBeLessThan(300);
});

/** Drives for 2 s at 8 m/s, then stands. */
const stopping: RoadUser = { trackId: 1, class: "car", at: (s) => ({ x: -10 + 8 * Math.min(s, 2), y: 25, heading: 0 }) };

describe("standing", () => {
  test("counts from when it came to rest, and keeps the heading", () => {
    const [body] = watch([stopping], 2, 7);
    expect(body?.speed).toBeCloseTo(0, 3);
    expect(body?.standingMs).toBe(5000);
    expect(body?.heading).toBeCloseTo(0, 1);
    expect(body?.travelledM).toBeGreaterThan(12);
  });

  test("a walking pace is slow but does not stand", () => {
    const [body] = watch([straight(1, "car", { x: -5, y: 25, heading: 0, speed: 1.2 })], 2, 6);
    expect(body?.standingMs).toBeLessThan(1500);
    expect(body?.creepsMs).toBeGreaterThan(4000);
    expect(body?.slowMs).toBeGreaterThan(4000);
  });

  test("who stands does not creep", () => {
    expect(watch([stopping], 2, 7)[0]?.creepsMs).toBe(0);
  });

  test("one that is hidden is remembered where it stood, one that drove on is not", () => {
    const histories: Histories = new Map();
    watch([stopping, straight(2, "car", { x: -10, y: 35, heading: 0, speed: 8 })], 2, 4.5, histories);
    noteObjects(histories, [], 6000);
    const [hidden, ...others] = hiddenStanding(histories, sightAt(6));
    expect(hidden?.x).toBeCloseTo(6, 0);
    expect(others).toEqual([]);
  });
});

describe("steadiness", () => {
  const turning: RoadUser = {
    trackId: 1,
    class: "car",
    // 5 m/s on a circle of 8 m.
    at: (s) => ({ x: 8 * Math.sin((5 * s) / 8), y: 33 - 8 * Math.cos((5 * s) / 8), heading: (5 * s) / 8 }),
  };

  test.each([2, 10])("a turning car is not steady at %d fps", (fps) => {
    expect(watch([turning], fps, 2)[0]?.steady).toBe(false);
  });

  test("a jump from one place to another is not", () => {
    const jumping: RoadUser = { trackId: 1, class: "car", at: (s) => ({ x: s < 1.8 ? s : s + 8, y: 25, heading: 0 }) };
    expect(watch([jumping], 2, 2)[0]?.steady).toBe(false);
  });

  test("a newcomer is not", () => {
    expect(watch([straight(1, "car", { x: 0, y: 25, heading: 0, speed: 5 })], 2, 0.5)[0]?.steady).toBe(false);
  });

  test("braking is", () => {
    const braking: RoadUser = { trackId: 1, class: "car", at: (s) => ({ x: -10 + 10 * s - 1.5 * s * s, y: 25, heading: 0 }) };
    expect(watch([braking], 2, 2)[0]?.steady).toBe(true);
  });
});

test("a newcomer's speed is the tracker's", () => {
  const histories: Histories = new Map();
  const [before] = look(mast, [straight(1, "car", { x: 0, y: 25, heading: 0, speed: 8 })], 0);
  const [now] = look(mast, [straight(1, "car", { x: 0, y: 25, heading: 0, speed: 8 })], 0.5);
  if (!before || !now) throw new Error("the car must be in the picture");
  const velocity: [number, number] = [(now.bbox[0] - before.bbox[0]) * 2, (now.bbox[1] - before.bbox[1]) * 2];
  const objects = [{ ...now, velocity, ageMs: 500 }];
  noteObjects(histories, objects, 500);
  const [body] = bodiesOf(histories, objects, sightAt(0.5));
  expect(body?.speed).toBeGreaterThan(7.5);
  expect(body?.speed).toBeLessThan(8.5);
});

test("after a long gap the speed is unknown, not a guess", () => {
  const histories: Histories = new Map();
  for (const seconds of [0, 5]) {
    const objects = look(mast, [straight(1, "car", { x: -10, y: 30, heading: 0, speed: 4 })], seconds);
    noteObjects(histories, objects, seconds * 1000);
    const [body] = bodiesOf(histories, objects, sightAt(seconds));
    expect([body?.speed, body?.slowMs, body?.creepsMs]).toEqual([0, 0, 0]);
  }
});

describe("bounds", () => {
  test("a history is short at any frame rate", () => {
    const histories: Histories = new Map();
    watch([straight(1, "car", { x: -10, y: 30, heading: 0, speed: 1 })], 30, 12, histories);
    expect(histories.get(1)?.samples.length).toBeLessThanOrEqual(42);
  });

  test("no more than 500 histories; those out of sight give way", () => {
    const histories: Histories = new Map();
    const crowd = (first: number) =>
      Array.from({ length: 400 }, (_, index) => ({
        trackId: first + index,
        class: "car",
        confidence: 0.9,
        bbox: [index, 100, index + 50, 130] as [number, number, number, number],
        ageMs: 0,
      }));
    noteObjects(histories, crowd(1), 0);
    noteObjects(histories, crowd(1001), 1000);
    expect(histories.size).toBe(500);
    expect(histories.has(1400)).toBe(true);
  });

  test("who is gone is forgotten", () => {
    const histories: Histories = new Map();
    watch([stopping], 2, 3, histories);
    noteObjects(histories, [], 30_000);
    expect(histories.size).toBe(0);
  });
});
