import { expect, test } from "bun:test";
import { createSlowStart } from "../../../../actors/scheduler/slow-start.ts";

/** Sends as fast as allowed; gives the calls of each second from `fromMs`. */
const perSecond = (slowStart: ReturnType<typeof createSlowStart>, fromMs: number, seconds: number): number[] => {
  const counts = new Array<number>(seconds).fill(0);
  for (let nowMs = fromMs; nowMs < fromMs + seconds * 1_000; nowMs += 10) {
    if (slowStart.nextAtMs(nowMs) > nowMs) continue;
    slowStart.took(nowMs);
    const second = Math.floor((nowMs - fromMs) / 1_000);
    counts[second] = (counts[second] ?? 0) + 1;
  }
  return counts;
};

test("after a refusal calls go at half of the rate that was reached, and rise from there", () => {
  const slowStart = createSlowStart();
  for (let call = 0; call < 40; call++) slowStart.took(call * 25); // 40 a second
  slowStart.refused(2_000);
  const [first = 0, , , , fifth = 0, , , , , , eleventh = 0] = perSecond(slowStart, 2_000, 12);
  expect([first >= 19 && first <= 23, fifth > 32 && fifth < 42, eleventh > fifth]).toEqual([true, true, true]);
});

test("a second refusal halves again, and half a minute later nothing is held back", () => {
  const slowStart = createSlowStart();
  for (let call = 0; call < 40; call++) slowStart.took(call * 25);
  slowStart.refused(1_000);
  slowStart.took(1_100);
  slowStart.refused(1_200);
  expect(slowStart.rps(1_200)).toBeLessThanOrEqual(12);
  expect([slowStart.rps(31_201), slowStart.nextAtMs(31_201)]).toEqual([null, 31_201]);
});

test("never holds back to less than a call a second", () => {
  const slowStart = createSlowStart();
  for (let refusal = 0; refusal < 10; refusal++) slowStart.refused(refusal);
  expect(slowStart.rps(10)).toBe(1);
});
