import { expect, test } from "bun:test";
import { createIntensity } from "../../../runtime/intensity.ts";
import { seededRandom } from "../../../runtime/random.ts";

const tolerance = { restarts: 3, withinMs: 1_000, backoffMs: [100, 5_000] } as const;

test("more failures than tolerated within the window are too many", () => {
  const intensity = createIntensity(tolerance);
  expect([0, 10, 20].map((atMs) => intensity.allows(atMs, []))).toEqual([true, true, true]);
  expect(intensity.left(20)).toBe(0);
  expect(intensity.allows(30, [])).toBe(false);
});

test("failures older than the window are forgotten", () => {
  const intensity = createIntensity(tolerance);
  for (const atMs of [0, 10, 20]) intensity.allows(atMs, []);
  expect(intensity.left(1_015)).toBe(2);
  expect(intensity.allows(1_015, [])).toBe(true);
});

test("a failure counts until it is as old as the window", () => {
  const intensity = createIntensity(tolerance);
  intensity.allows(0, []);
  expect([999, 1_000].map((atMs) => intensity.left(atMs))).toEqual([2, 3]);
});

test("a record that fails again counts from its last failure, others from theirs", () => {
  const intensity = createIntensity(tolerance);
  for (const [atMs, key] of [
    [0, "t/0/1"],
    [500, "t/0/2"],
    [900, "t/0/1"],
  ] as const)
    intensity.allows(atMs, [key]);
  expect([1_400, 1_500, 1_900].map((atMs) => intensity.left(atMs))).toEqual([1, 2, 3]);
});

test("one poison record counts once, however often it is delivered", () => {
  const intensity = createIntensity(tolerance);
  for (let atMs = 0; atMs < 100; atMs += 10) expect(intensity.allows(atMs, ["detections/3/17"])).toBe(true);
  expect(intensity.left(100)).toBe(2);
});

test("a record that fails again and again does not make other failures forgotten", () => {
  const intensity = createIntensity(tolerance);
  intensity.allows(0, []);
  for (let atMs = 1; atMs < 100; atMs++) intensity.allows(atMs, ["detections/3/17"]);
  expect(intensity.left(100)).toBe(1);
});

test("the wait doubles up to its cap, with jitter, and starts anew after quiet", () => {
  const intensity = createIntensity({ restarts: Number.POSITIVE_INFINITY, withinMs: 60_000, backoffMs: [100, 1_000] });
  const random = seededRandom(1);
  const waits = [0, 1, 2, 3, 4, 5].map((atMs) => {
    intensity.allows(atMs, []);
    return intensity.backoffMs(atMs, random);
  });
  const ceilings = [100, 200, 400, 800, 1_000, 1_000];
  waits.forEach((wait, index) => {
    const ceiling = ceilings[index] ?? 0;
    expect(wait).toBeGreaterThanOrEqual(ceiling / 2);
    expect(wait).toBeLessThanOrEqual(ceiling);
  });
  intensity.allows(200_000, []);
  expect(intensity.backoffMs(200_000, random)).toBeLessThanOrEqual(100);
});

test("failures of several records at once are told apart by all of them", () => {
  const intensity = createIntensity(tolerance);
  intensity.allows(0, ["t/0/1", "2t/0/3"]);
  intensity.allows(0, ["t/0/12", "t/0/3"]);
  expect(intensity.left(0)).toBe(1);
});

test("the wait doubles thirty times at most, though it has no cap", () => {
  const intensity = createIntensity({ restarts: 0, withinMs: 1_000, backoffMs: [1, Number.POSITIVE_INFINITY] });
  for (let count = 0; count < 2_000; count++) intensity.allows(0, []);
  expect(intensity.backoffMs(0, { next: () => 1 })).toBe(2 ** 30);
});
