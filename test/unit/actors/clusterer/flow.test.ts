import { describe, expect, test } from "bun:test";
import {
  type Flow,
  flagTrack,
  flowHeading,
  flowVote,
  followFlow,
  restartFlow,
  startFlow,
} from "../../../../actors/clusterer/flow.ts";
import { groundOf, type Sight } from "../../../../actors/clusterer/ground.ts";
import { drivingSide, noteMeetings, roadHalf, startRoadHalves } from "../../../../actors/clusterer/road-half.ts";
import { aBody, mast, pictureHeight, pictureWidth } from "../../../support/road.ts";

const sightAt = (ms: number): Sight => ({ ground: groundOf(mast), ms, imageWidth: pictureWidth, imageHeight: pictureHeight });

/** A car that drives along x at 10 m/s, 25 m away and `aside` further, to the right or back, from `startMs` on. */
const drive = (flow: Flow, trackId: number, way: 1 | -1, aside: number, startMs: number): void => {
  for (let step = 0; step <= 8; step++) {
    const body = aBody({ trackId, x: way * (-12 + 3 * step), y: 25 + aside, heading: way > 0 ? 0 : Math.PI });
    followFlow(flow, [body], sightAt(startMs + step * 300));
  }
};

const known = (...passages: readonly (readonly [way: 1 | -1, aside: number])[]): Flow => {
  const flow = startFlow();
  for (const [index, [way, aside]] of passages.entries()) drive(flow, index + 1, way, aside, index * 10_000);
  followFlow(flow, [], sightAt(passages.length * 10_000 + 5000));
  return flow;
};

const judge = (flow: Flow, way: 1 | -1, aside = 0) => {
  drive(flow, 999, way, aside, 900_000);
  return flowVote(flow, 999, 902_400, 4000);
};

describe("the flow of a lane", () => {
  test("one who goes along agrees with it everywhere", () => {
    const { along, against, contested } = judge(known([1, 0], [1, 0], [1, 0]), 1);
    expect(along).toBeGreaterThan(5);
    expect(against + contested).toBe(0);
  });

  test("one who comes the other way is against it everywhere", () => {
    const { along, against, contested } = judge(known([1, 0], [1, 0], [1, 0]), -1);
    expect(against).toBeGreaterThan(5);
    expect(contested).toBeGreaterThanOrEqual(against);
    expect(along).toBe(0);
  });

  test("two tracks are not enough to know a lane", () => {
    const { along, against, contested } = judge(known([1, 0], [1, 0]), -1);
    expect(along + against).toBe(0);
    expect(contested).toBeGreaterThan(5);
  });

  test("a lane used both ways says nothing", () => {
    const { along, against } = judge(known([1, 0], [-1, 0], [1, 0], [-1, 0]), -1);
    expect(along + against).toBe(0);
  });

  test("the next lane's traffic does not count", () => {
    const { along, against } = judge(known([1, 4], [1, 4], [1, 4]), -1);
    expect(along + against).toBe(0);
  });

  test("nobody is judged by their own trace", () => {
    const flow = startFlow();
    drive(flow, 1, 1, 0, 0);
    expect(flowVote(flow, 1, 2400, 4000).unclear).toBeGreaterThan(5);
  });

  test("a flagged track teaches nothing", () => {
    const flow = startFlow();
    drive(flow, 1, 1, 0, 0);
    flagTrack(flow, 1);
    followFlow(flow, [], sightAt(10_000));
    expect(flow.counts.every((count) => count === 0)).toBe(true);
  });

  test("slow and standing vehicles teach nothing", () => {
    const flow = startFlow();
    for (let step = 0; step < 8; step++) followFlow(flow, [aBody({ x: step, y: 25, speed: 1 })], sightAt(step * 1000));
    followFlow(flow, [], sightAt(20_000));
    expect(flow.counts.every((count) => count === 0)).toBe(true);
  });

  test("a new segment ends the tracks and keeps what they taught", () => {
    const flow = startFlow();
    drive(flow, 1, 1, 0, 0);
    restartFlow(flow);
    expect(flow.trails.size).toBe(0);
    expect(flow.counts.some((count) => count > 0)).toBe(true);
  });

  test("counts stay within a byte", () => {
    const flow = startFlow();
    for (let round = 0; round < 300; round++) drive(flow, round, 1, 0, round * 10_000);
    expect(Math.max(...flow.counts)).toBeLessThanOrEqual(255);
    expect(judge(flow, -1).against).toBeGreaterThan(5);
  });

  test("what was learned is worth half after half an hour", () => {
    const flow = known([1, 0], [1, 0], [1, 0], [1, 0]);
    followFlow(flow, [], sightAt(31 * 60_000));
    expect(Math.max(...flow.counts)).toBe(2);
  });

  test("a place has the heading of its lane", () => {
    const flow = known([-1, 0], [-1, 0], [-1, 0]);
    expect(Math.abs(flowHeading(flow, { x: 0, y: 25 }, sightAt(0)) ?? 0)).toBeCloseTo(Math.PI, 6);
    expect(flowHeading(flow, { x: 0, y: 45 }, sightAt(0))).toBeNull();
  });
});

describe("the halves of a road", () => {
  /** Four lanes: to the right 0 and 3.5 m away, back 7 and 10.5 m; who drives on the right keeps the near half going right. */
  const road = () => known([1, 0], [1, 3.5], [-1, 7], [-1, 10.5], [1, 0], [1, 3.5], [-1, 7], [-1, 10.5]);
  const rightHand = () => {
    const halves = startRoadHalves();
    for (let pair = 0; pair < 10; pair++) {
      noteMeetings(halves, [
        aBody({ trackId: 2 * pair, y: 25 }),
        aBody({ trackId: 2 * pair + 1, y: 32, x: 3, heading: Math.PI }),
      ]);
    }
    return halves;
  };

  test("people drive on the right where they meet on the left", () => {
    expect(drivingSide(rightHand())).toBe("right");
  });

  test("a pair that stays together is counted once", () => {
    const halves = startRoadHalves();
    for (let frame = 0; frame < 20; frame++) {
      noteMeetings(halves, [aBody({ trackId: 1, y: 25 }), aBody({ trackId: 2, y: 32, heading: Math.PI })]);
    }
    expect(halves.onLeft + halves.onRight).toBe(1);
    expect(drivingSide(halves)).toBeNull();
  });

  test("people drive on the left where they meet on the right", () => {
    const halves = startRoadHalves();
    for (let pair = 0; pair < 10; pair++) {
      noteMeetings(halves, [aBody({ trackId: 2 * pair, y: 32 }), aBody({ trackId: 2 * pair + 1, y: 25, heading: Math.PI })]);
    }
    expect(drivingSide(halves)).toBe("left");
  });

  test.each([
    ["going right in the nearest lane is one's own half", 25, 0, "own"],
    ["going right in the second lane is one's own half", 28.5, 0, "own"],
    ["going right in the third lane is the other half", 32, 0, "other"],
    ["going back in the second lane is the other half", 28.5, Math.PI, "other"],
    ["going back in the furthest lane is one's own half", 35.5, Math.PI, "own"],
  ] as const)("%s", (_, y, heading, expected) => {
    const [halves, flow] = [rightHand(), road()];
    let half: string | null = null;
    for (let step = 0; step <= 4; step++) {
      const x = (heading === 0 ? 1 : -1) * (-8 + 4 * step);
      half = roadHalf(halves, flow, aBody({ trackId: 77, x, y, heading }), sightAt(step * 500), 4000);
      // One look is not enough.
      if (step < 2) expect(half).toBeNull();
    }
    expect(half).toBe(expected);
  });

  test("a one-way road has no halves", () => {
    const flow = known([1, 0], [1, 3.5], [1, 0], [1, 3.5]);
    const halves = rightHand();
    for (let step = 0; step <= 6; step++) {
      const body = aBody({ trackId: 77, x: -8 + 3 * step, y: 25, heading: Math.PI });
      expect(roadHalf(halves, flow, body, sightAt(step * 500), 4000)).not.toBe("own");
    }
  });
});
