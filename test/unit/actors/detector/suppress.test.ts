import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Candidate, candidatesMax, iou, suppress } from "../../../../actors/detector/suppress.ts";

const found = (classIndex: number, confidence: number, ...box: [number, number, number, number]): Candidate => ({
  classIndex,
  confidence,
  box,
});
const byClass = { iouThreshold: 0.5, max: 200, groupOf: (index: number) => index };

describe("intersection over union", () => {
  test.each<[string, Candidate["box"], Candidate["box"], number]>([
    ["the same box", [0, 0, 10, 10], [0, 0, 10, 10], 1],
    ["half of it", [0, 0, 10, 10], [0, 0, 10, 5], 0.5],
    ["a third shared", [0, 0, 10, 10], [5, 0, 15, 10], 1 / 3],
    ["boxes that touch", [0, 0, 10, 10], [10, 0, 20, 10], 0],
    ["a box without an area", [0, 0, 0, 0], [0, 0, 0, 0], 0],
  ])("of %s", (_name, a, b, expected) => expect(iou(a, b)).toBeCloseTo(expected, 10));
});

describe("suppression", () => {
  test("keeps the most confident of boxes that cover one object, whatever their order", () => {
    const weak = found(0, 0.6, 1, 1, 11, 11);
    const strong = found(0, 0.9, 0, 0, 10, 10);
    expect(suppress([weak, strong], byClass)).toEqual([strong]);
  });

  test("keeps boxes that overlap just at the threshold", () => {
    expect(suppress([found(0, 0.9, 0, 0, 10, 10), found(0, 0.8, 0, 0, 10, 5)], byClass)).toHaveLength(2);
  });

  test("leaves other classes alone, unless they are of one group", () => {
    const boxes = [found(2, 0.8, 0, 0, 10, 10), found(7, 0.7, 0, 0, 10, 10), found(0, 0.6, 0, 0, 10, 10)];
    expect(suppress(boxes, byClass)).toHaveLength(3);
    const vehicles = suppress(boxes, { ...byClass, groupOf: (index) => (index === 0 ? "person" : "vehicle") });
    expect(vehicles.map(({ classIndex }) => classIndex)).toEqual([2, 0]);
  });

  test("of two equally confident boxes the earlier stays", () => {
    const first = found(0, 0.7, 0, 0, 10, 10);
    expect(suppress([first, found(0, 0.7, 0, 0, 10, 9)], byClass)).toEqual([first]);
  });

  test("gives at most `max`, the most confident ones", () => {
    const apart = Array.from({ length: 300 }, (_, index) => found(0, index / 300, index * 20, 0, index * 20 + 10, 10));
    const kept = suppress(apart, byClass);
    expect(kept).toHaveLength(200);
    expect(kept[0]?.confidence).toBeCloseTo(299 / 300, 10);
  });

  test("a flood of candidates is cut before pairs are compared", () => {
    const flood = Array.from({ length: candidatesMax + 500 }, (_, index) =>
      found(0, index / 2000, index * 20, 0, index * 20 + 10, 10),
    );
    expect(suppress(flood, { ...byClass, max: 5_000 })).toHaveLength(candidatesMax);
  });

  test("agrees with taking the best and crossing out its rivals, again and again", () => {
    const side = fc.integer({ min: 0, max: 40 });
    const candidate = fc
      .tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 9 }), side, side, fc.integer({ min: 1, max: 20 }))
      .map(([classIndex, tenths, x, y, size]) => found(classIndex, tenths / 10, x, y, x + size, y + size));
    fc.assert(
      fc.property(fc.array(candidate, { maxLength: 30 }), (candidates) => {
        const kept: Candidate[] = [];
        let rest = candidates.slice();
        while (rest.length > 0) {
          const best = rest.reduce((a, b) => (b.confidence > a.confidence ? b : a));
          kept.push(best);
          rest = rest.filter(
            (other) => other !== best && (other.classIndex !== best.classIndex || iou(other.box, best.box) <= 0.5),
          );
        }
        expect(suppress(candidates, byClass)).toEqual(kept);
      }),
    );
  });
});
