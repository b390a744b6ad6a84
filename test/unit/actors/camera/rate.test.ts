import { expect, test } from "bun:test";
import { createRateMeter } from "../../../../actors/camera/rate.ts";

test("measures over the last 16 frames", () => {
  const { tick } = createRateMeter();
  expect(tick(1000)).toBe(0);
  expect(tick(1500)).toBe(2);
  let rate = 0;
  for (let atMs = 2000; atMs < 6000; atMs += 200) rate = tick(atMs);
  expect(rate).toBeCloseTo(5);
});
