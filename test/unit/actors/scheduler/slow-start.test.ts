import { expect, test } from "bun:test";
import { createSlowStart } from "../../../../actors/scheduler/slow-start.ts";

/** Sends as fast as allowed; gives the calls of each second from `fromMs`. */
const perSecond = (slowStart: ReturnType<typeof createSlowStart>, fromMs: number, seconds: number): number[] => {
  const counts = new Array<number>(seconds).fill(0);
  for (let nowMs = fromMs; nowMs < fromMs + seconds * 1_000; nowMs += 5) {
    if (slowStart.nextAtMs(nowMs) > nowMs) continue;
    slowStart.took(nowMs);
    const second = Math.floor((nowMs - fromMs) / 1_000);
    counts[second] = (counts[second] ?? 0) + 1;
  }
  return counts;
};

const aRateOf = (rps: number) => {
  const slowStart = createSlowStart();
  for (let call = 0; call < rps; call++) slowStart.took((call * 1_000) / rps);
  return slowStart;
};

test("after a refusal half of the rate that was reached goes, and more each second", () => {
  const slowStart = aRateOf(40);
  slowStart.refused(1_000, 2_000);
  expect([slowStart.rps(2_000), slowStart.rps(7_000), slowStart.rps(12_000)]).toEqual([20, 40, 60]);
  const counts = perSecond(slowStart, 2_000, 10);
  expect(counts.every((count, second) => count >= 20 + second * 2 && count <= 30 + second * 4.5)).toBe(true);
});

test("another refusal halves what may go then, and half a minute later nothing is held back", () => {
  const slowStart = aRateOf(40);
  slowStart.refused(1_000, 1_000);
  slowStart.refused(1_000, 1_200);
  expect(slowStart.rps(1_200)).toBe(10);
  expect([slowStart.rps(31_201), slowStart.nextAtMs(31_201)]).toEqual([null, 31_201]);
});

test("never holds back to less than five calls a second, and always rises", () => {
  const slowStart = aRateOf(2);
  for (let refusal = 0; refusal < 10; refusal++) slowStart.refused(1_000, 1_000);
  expect([slowStart.rps(1_000), slowStart.rps(4_000)]).toEqual([5, 8]);
});
