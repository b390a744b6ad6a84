import { expect, test } from "bun:test";
import { boxOf, centreSurprise, correct, holdSides, predict, sizeOf, startFilter } from "../../../../actors/tracker/kalman.ts";
import type { Box } from "../../../../protocols/ids.ts";

const carAt = (x: number, y = 100): Box => [x - 50, y - 25, x + 50, y + 25];

/** Feeds a car that drives at `pxPerS` for `seconds`, seen at `fps`. */
const driven = (pxPerS: number, fps: number, seconds: number) => {
  const filter = startFilter(carAt(0));
  for (let frame = 1; frame <= fps * seconds; frame++) {
    predict(filter, 1 / fps);
    correct(filter, carAt((pxPerS * frame) / fps));
  }
  return filter;
};

test.each([2, 5, 25])("learns the speed of a car within 3 s at %d fps", (fps) => {
  const filter = driven(300, fps, 3);
  expect(filter.x.rate).toBeGreaterThan(290);
  expect(filter.x.rate).toBeLessThan(310);
  expect(Math.abs(filter.y.rate)).toBeLessThan(1);
});

test("predicts by elapsed time, whatever the number of steps", () => {
  const atOnce = driven(300, 5, 3);
  const inSteps = driven(300, 5, 3);
  predict(atOnce, 1);
  for (let step = 0; step < 10; step++) predict(inSteps, 0.1);
  expect(boxOf(inSteps)[0]).toBeCloseTo(boxOf(atOnce)[0], 6);
  expect(inSteps.x.valueVar).toBeCloseTo(atOnce.x.valueVar, 6);
  expect(inSteps.x.rateVar).toBeCloseTo(atOnce.x.rateVar, 6);
});

test("is the more surprised the less time a newcomer had to get there", () => {
  const after = (seconds: number): number => {
    const filter = startFilter(carAt(0));
    predict(filter, seconds);
    return centreSurprise(filter, sizeOf(filter.width.value, filter.height.value), 200, 100);
  };
  expect(after(0.04)).toBeGreaterThan(100);
  expect(after(0.5)).toBeLessThan(9.21);
});

test("does not depend on the resolution", () => {
  const scaled = (factor: number) => {
    const filter = startFilter([0, 0, 100 * factor, 50 * factor]);
    predict(filter, 0.5);
    correct(filter, [80 * factor, 0, 180 * factor, 50 * factor]);
    return filter.x.rate / factor;
  };
  expect(scaled(4)).toBeCloseTo(scaled(1), 6);
});

test("keeps its variances positive and its sides at least a pixel long", () => {
  const filter = startFilter([0, 0, 10, 10]);
  predict(filter, 0.5);
  correct(filter, [4, 4, 5, 5]);
  predict(filter, 100);
  expect(boxOf(filter).every(Number.isFinite)).toBe(true);
  expect(filter.width.value).toBeGreaterThanOrEqual(1);
  for (const axis of [filter.x, filter.y, filter.width, filter.height]) {
    expect(axis.valueVar).toBeGreaterThan(0);
    expect(axis.rateVar).toBeGreaterThan(0);
  }
});

test("holds the sides of an object that is out of sight", () => {
  const filter = startFilter([0, 0, 100, 50]);
  predict(filter, 0.5);
  correct(filter, [0, 0, 150, 75]);
  holdSides(filter);
  const before = filter.width.value;
  predict(filter, 1);
  expect(filter.width.value).toBe(before);
});
