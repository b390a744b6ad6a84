import { expect, test } from "bun:test";
import { createTally, inFlightMax } from "../../../tools/llm-sim/stats.ts";

test("at most 2,000 requests are in flight", () => {
  const tally = createTally();
  const entered = Array.from({ length: 2_001 }, () => tally.enter());
  expect(entered.filter((isIn) => !isIn)).toHaveLength(1);
  tally.leave();
  expect([tally.enter(), tally.enter()]).toEqual([true, false]);
  expect(tally.stats().maxInFlight).toBe(inFlightMax);
});

test("at most 1,000 keys are told apart, the rest together", () => {
  const tally = createTally();
  for (let key = 1_000; key < 3_000; key++) tally.arrive(`sk-${key}`);
  tally.arrive("sk-1000");
  const { byKey, requests } = tally.stats();
  expect(Object.keys(byKey)).toHaveLength(1_000);
  expect([requests, byKey["1000"], byKey["1998"], byKey["1999"], byKey.other]).toEqual([2_001, 2, 1, undefined, 1_001]);
});
