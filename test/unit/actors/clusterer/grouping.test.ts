import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Groupable, groupingDefaults, groupObjects } from "../../../../actors/clusterer/grouping.ts";

const at = (x: number, y: number, className = "car", confidence = 0.8, side = 40): Groupable => ({
  class: className,
  confidence,
  bbox: [x - side / 2, y - side / 2, x + side / 2, y + side / 2],
});

const members = (objects: readonly Groupable[], options = {}): number[][] =>
  groupObjects(objects, { ...groupingDefaults, ...options }).map(({ memberIndices }) => memberIndices);

describe("by distance of centres", () => {
  test.each([
    ["nothing makes no group", [], []],
    ["one object makes no group", [at(0, 0)], []],
    ["two at exactly 150 px are a group", [at(0, 0), at(150, 0)], [[0, 1]]],
    ["two at 150.1 px are none", [at(0, 0), at(150.1, 0)], []],
    ["the distance is Euclidean: 90 and 120 px are 150", [at(0, 0), at(90, 120)], [[0, 1]]],
    ["120 and 120 px are more", [at(0, 0), at(120, 120)], []],
    ["a chain is one group", [at(0, 0), at(280, 0), at(140, 0)], [[0, 1, 2]]],
    [
      "groups stand in the order of their first member",
      [at(0, 0), at(900, 0), at(1000, 0), at(100, 0)],
      [
        [0, 3],
        [1, 2],
      ],
    ],
    ["a loner between groups is left out", [at(0, 0), at(500, 500), at(10, 0)], [[0, 2]]],
    ["centres may lie outside the picture", [at(-80, -80), at(20, -80)], [[0, 1]]],
  ] as const)("%s", (_, objects, expected) => {
    expect(members(objects)).toEqual(expected.map((group) => [...group]));
  });

  test("13 cars 140 px apart are one group, as in the system whose rule this is", () => {
    const [group] = groupObjects(
      Array.from({ length: 13 }, (_, index) => at(140 * index, 0, "car", 0.8, 60)),
      groupingDefaults,
    );
    expect(group?.memberIndices).toHaveLength(13);
    expect((group?.bbox[2] ?? 0) - (group?.bbox[0] ?? 0)).toBe(1740);
  });

  test("a group says its box, its classes and its mean confidence", () => {
    const objects = [at(0, 0, "truck", 0.9), at(50, 30, "car", 0.6), at(60, 10, "car", 0.3)];
    const [group] = groupObjects(objects, groupingDefaults);
    expect(group?.bbox).toEqual([-20, -20, 80, 50]);
    expect(group?.classes).toEqual(["car", "truck"]);
    expect(group?.averageConfidence).toBeCloseTo(0.6, 12);
  });
});

const scene = fc.array(fc.record({ x: fc.integer({ min: -50, max: 900 }), y: fc.integer({ min: -50, max: 600 }) }), {
  maxLength: 40,
});

/** The same by looking at all pairs, again and again until nothing changes. */
const slowGroups = (objects: readonly Groupable[], distancePx: number): number[][] => {
  const label = objects.map((_, index) => index);
  for (let changed = true; changed; ) {
    changed = false;
    objects.forEach((a, i) => {
      objects.forEach((b, j) => {
        const distance = Math.hypot(
          (a.bbox[0] + a.bbox[2] - b.bbox[0] - b.bbox[2]) / 2,
          (a.bbox[1] + a.bbox[3] - b.bbox[1] - b.bbox[3]) / 2,
        );
        const least = Math.min(label[i] ?? 0, label[j] ?? 0);
        if (distance > distancePx || (label[i] === least && label[j] === least)) return;
        label[i] = least;
        label[j] = least;
        changed = true;
      });
    });
  }
  return [...new Set(label)]
    .map((each) => label.flatMap((other, index) => (other === each ? [index] : [])))
    .filter(({ length }) => length >= 2);
};

test("agrees with the plain method on any scene", () => {
  fc.assert(
    fc.property(scene, fc.integer({ min: 1, max: 200 }), (points, distancePx) => {
      const objects = points.map(({ x, y }) => at(x, y));
      expect(members(objects, { distancePx })).toEqual(slowGroups(objects, distancePx));
    }),
    { numRuns: 300 },
  );
});

describe("options", () => {
  test("a distance relative to the size groups near and far alike", () => {
    const near = [at(0, 0, "car", 0.8, 100), at(200, 0, "car", 0.8, 100)];
    const far = [at(600, 0, "car", 0.8, 20), at(640, 0, "car", 0.8, 20), at(700, 0, "car", 0.8, 20)];
    expect(members([...near, ...far], { relativeDistance: 1.5 })).toEqual([
      [0, 1],
      [2, 3],
    ]);
  });

  test("no group grows beyond the greatest diameter; the closest stay together", () => {
    const objects = [0, 100, 130, 230, 330].map((x) => at(x, 0));
    expect(members(objects, { maxDiameterPx: 200 })).toEqual([
      [0, 1, 2],
      [3, 4],
    ]);
    expect(members(objects, { maxDiameterPx: 5000 })).toEqual(members(objects));
    expect(members(objects, { maxDiameterPx: null })).toEqual(members(objects));
  });

  test("a group has at least the asked number of members", () => {
    expect(members([at(0, 0), at(10, 0), at(900, 0), at(910, 0), at(920, 0)], { minMembers: 3 })).toEqual([[2, 3, 4]]);
  });
});
