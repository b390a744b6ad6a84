import { expect, test } from "bun:test";
import { isInside, isOfInterest, type Polygon } from "../../../../actors/clusterer/roi.ts";

const square: Polygon = [
  [0.2, 0.2],
  [0.8, 0.2],
  [0.8, 0.8],
  [0.2, 0.8],
];
/** A U, open at the top. */
const hollow: Polygon = [
  [0, 0],
  [0.3, 0],
  [0.3, 0.7],
  [0.7, 0.7],
  [0.7, 0],
  [1, 0],
  [1, 1],
  [0, 1],
];

test.each([
  ["the middle of a square", square, 0.5, 0.5, true],
  ["left of it", square, 0.1, 0.5, false],
  ["right of it", square, 0.9, 0.5, false],
  ["above it", square, 0.5, 0.1, false],
  ["below it", square, 0.5, 0.9, false],
  ["the hollow of a U", hollow, 0.5, 0.3, false],
  ["its left arm", hollow, 0.1, 0.3, true],
  ["its bottom", hollow, 0.5, 0.9, true],
])("%s", (_, polygon, x, y, expected) => {
  expect(isInside(polygon, x, y)).toBe(expected);
});

test.each([
  ["a centre inside counts, though the box sticks out", [200, 200, 400, 400], true],
  ["a centre outside does not, though the box reaches in", [0, 0, 390, 390], false],
] as const)("%s", (_, box, expected) => {
  expect(isOfInterest([square], box, 1000, 1000)).toBe(expected);
});

test("any of several polygons is enough, and none at all is no restriction", () => {
  const corner: Polygon = [
    [0, 0],
    [0.1, 0],
    [0, 0.1],
  ];
  expect(isOfInterest([square, corner], [0, 0, 40, 40], 1000, 1000)).toBe(true);
  expect(isOfInterest([], [0, 0, 1, 1], 1000, 1000)).toBe(true);
});

test("sides are normalised each by its own length", () => {
  expect(isOfInterest([square], [300, 130, 340, 150], 640, 200)).toBe(true);
  expect(isOfInterest([square], [300, 170, 340, 190], 640, 200)).toBe(false);
});
