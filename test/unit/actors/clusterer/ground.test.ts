import { expect, test } from "bun:test";
import { boxSidesOf, groundOf, isCut, usualSize } from "../../../../actors/clusterer/ground.ts";
import { boxOf, mast } from "../../../support/road.ts";

const degrees = (angle: number) => (angle * Math.PI) / 180;

test.each([
  ["straight ahead", 0, 25],
  ["to the left", -8, 30],
  ["near, to the right", 6, 14],
  ["far", 10, 70],
])("places a point %s back where it is", (_, x, y) => {
  const ground = groundOf(mast);
  const [u, v] = ground.toPicture({ x, y });
  const point = ground.place(u, v, 0);
  expect(point.x).toBeCloseTo(x, 6);
  expect(point.y).toBeCloseTo(y, 6);
});

test.each([
  ["car", 0],
  ["car", 90],
  ["bus", 30],
  ["person", 0],
])("a %s heading for %d° stands where the centre of its box says, within a metre or two", (className, heading) => {
  const [x1, y1, x2, y2] = boxOf(mast, className, 3, 30, degrees(heading));
  const point = groundOf(mast).place((x1 + x2) / 2, (y1 + y2) / 2, usualSize(className).heightM / 2);
  expect(Math.hypot(point.x - 3, point.y - 30)).toBeLessThan(1.5);
});

test("knows the sides of a body's box", () => {
  for (const heading of [0, 45, 90, 200]) {
    const [x1, y1, x2, y2] = boxOf(mast, "truck", -4, 25, degrees(heading));
    const [width, height] = boxSidesOf(mast)(
      { x: -4, y: 25 },
      { x: Math.cos(degrees(heading)), y: Math.sin(degrees(heading)) },
      usualSize("truck"),
    );
    expect(width).toBeCloseTo(x2 - x1, 6);
    expect(height).toBeCloseTo(y2 - y1, 6);
  }
});

test("what lies on or above the horizon is far away, and finite", () => {
  const { x, y } = groundOf(mast).place(100, -400, 0);
  expect(Number.isFinite(x) && Number.isFinite(y)).toBe(true);
  expect(y).toBeGreaterThan(200);
});

test.each([
  ["touches the left edge", [0, 100, 50, 150], true],
  ["touches the bottom", [300, 650, 350, 720], true],
  ["stands free", [10, 10, 50, 50], false],
] as const)("a box that %s", (_, box, expected) => {
  expect(isCut(box, 1280, 720)).toBe(expected);
});
