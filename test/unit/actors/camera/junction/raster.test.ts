import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Canvas, fill, fillEllipse, hull, stroke } from "../../../../../actors/camera/junction/raster.ts";

const canvasOf = (width: number, height: number): Canvas => ({ width, height, pixels: new Uint8Array(width * height * 3) });
const white = [255, 255, 255] as const;
const red = ({ pixels, width }: Canvas, x: number, y: number) => pixels[(y * width + x) * 3] ?? 0;

/** The even-odd rule at one point. */
const isInside = (points: readonly number[], x: number, y: number): boolean => {
  let inside = false;
  const count = points.length / 2;
  for (let index = 0, last = count - 1; index < count; last = index++) {
    const [x0 = 0, y0 = 0] = points.slice(2 * last);
    const [x1 = 0, y1 = 0] = points.slice(2 * index);
    if (y0 <= y !== y1 <= y && x < x0 + ((y - y0) / (y1 - y0)) * (x1 - x0)) inside = !inside;
  }
  return inside;
};

const sampled = (points: readonly number[], x: number, y: number): number => {
  let inside = 0;
  for (let row = 0; row < 16; row++) {
    for (let column = 0; column < 16; column++) {
      if (isInside(points, x + (column + 0.5) / 16, y + (row + 0.5) / 16)) inside += 1;
    }
  }
  return (inside / 256) * 255;
};

describe("filling", () => {
  test("covers whole pixels wholly and halves by half", () => {
    const canvas = canvasOf(8, 8);
    fill(canvas, [2, 2, 5.5, 2, 5.5, 5, 2, 5], 4, white);
    expect([1, 2, 4, 5, 6].map((x) => red(canvas, x, 3))).toEqual([0, 255, 255, 128, 0]);
    expect([1, 2, 4, 5].map((y) => red(canvas, 3, y))).toEqual([0, 255, 255, 0]);
  });

  test("agrees with sampling for any polygon, inside the canvas and over its edges", () => {
    const coordinate = fc.integer({ min: -6, max: 18 }).map((value) => value + 0.37);
    const polygon = fc
      .array(coordinate, { minLength: 6, maxLength: 16 })
      .map((all) => all.slice(0, all.length - (all.length % 2)));
    fc.assert(
      fc.property(polygon, (points) => {
        const canvas = canvasOf(12, 12);
        fill(canvas, points, points.length / 2, white);
        let difference = 0;
        for (let y = 0; y < 12; y++)
          for (let x = 0; x < 12; x++) difference += Math.abs(red(canvas, x, y) - sampled(points, x, y));
        expect(difference / 144).toBeLessThan(14);
      }),
      { numRuns: 60 },
    );
  });

  test("blends by alpha and leaves nothing behind for the next polygon", () => {
    const canvas = canvasOf(6, 6);
    fill(canvas, [-4, -4, 40, -4, 40, 40, -4, 40], 4, [100, 100, 100], 0.5);
    expect(red(canvas, 0, 0)).toBe(50);
    expect(red(canvas, 5, 5)).toBe(50);
    const before = canvas.pixels.slice();
    fill(canvas, [20, 1, 30, 1, 30, 5, 20, 5], 4, white);
    fill(canvas, [-9, 1, -2, 1, -2, 5, -9, 5], 4, white);
    fill(canvas, [1, 9, 4, 9, 4, 12, 1, 12], 4, white);
    expect(canvas.pixels).toEqual(before);
  });

  test("draws discs of the right area and strokes of the right width", () => {
    const sum = (canvas: Canvas) => canvas.pixels.reduce((total, value) => total + value, 0) / 3 / 255;
    const disc = canvasOf(40, 40);
    fillEllipse(disc, 20, 20, 12, 8, white);
    expect(sum(disc)).toBeGreaterThan(0.96 * Math.PI * 96);
    expect(sum(disc)).toBeLessThan(Math.PI * 96);
    const line = canvasOf(40, 40);
    stroke(line, [5, 5, 30, 25], 3, white);
    expect(sum(line)).toBeCloseTo(3 * Math.hypot(25, 20), 0);
  });
});

test("the hull holds every point and only corners", () => {
  const point = fc.tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 20 }));
  fc.assert(
    fc.property(fc.uniqueArray(point, { minLength: 3, maxLength: 12, selector: ([x, y]) => 100 * x + y }), (points) => {
      const out = new Float64Array(2 * points.length + 2);
      const size = hull(points.flat(), points.length, out);
      const corners = Array.from({ length: size }, (_, index) => [out[2 * index] ?? 0, out[2 * index + 1] ?? 0] as const);
      if (size < 3) return;
      for (const [index, [ax, ay]] of corners.entries()) {
        const [bx, by] = corners[(index + 1) % size] ?? [0, 0];
        for (const [x, y] of points) expect((bx - ax) * (y - ay) - (by - ay) * (x - ax)).toBeGreaterThanOrEqual(0);
      }
    }),
    { numRuns: 100 },
  );
});
