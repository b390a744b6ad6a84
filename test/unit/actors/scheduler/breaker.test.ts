import { describe, expect, test } from "bun:test";
import { createBreaker } from "../../../../actors/scheduler/breaker.ts";

const failing = (calls: number, nowMs: number, breaker = createBreaker()) => {
  const changes = Array.from({ length: calls }, () => breaker.ended(false, nowMs, nowMs));
  return { breaker, changes };
};

describe("the circuit", () => {
  test("opens at eight failures that are half of the calls of ten seconds", () => {
    const { breaker, changes } = failing(8, 0);
    expect(changes.filter((change) => change === "opened")).toHaveLength(1);
    expect(breaker.openUntilMs()).toBe(5_000);
  });
  test("stays closed for failures among many answers, and for failures of long ago", () => {
    const breaker = createBreaker();
    for (let call = 0; call < 60; call++) breaker.ended(call % 3 > 0, 0, 0);
    expect(breaker.openUntilMs()).toBe(0);
    const old = failing(7, 0).breaker;
    expect(old.ended(false, 10_001, 10_001)).toBeNull();
  });
  test("is tried by a single call, and closes when that is answered", () => {
    const { breaker } = failing(8, 0);
    breaker.began(5_000);
    expect([breaker.isTrying(), breaker.openUntilMs()]).toEqual([true, Number.POSITIVE_INFINITY]);
    expect(breaker.ended(true, 5_000, 6_000)).toBe("closed");
    expect(breaker.openUntilMs()).toBe(0);
  });
  test("opens for twice as long after a trial that failed, up to a minute", () => {
    const { breaker } = failing(8, 0);
    const waits: number[] = [];
    for (let trial = 0; trial < 6; trial++) {
      const atMs = breaker.openUntilMs();
      breaker.began(atMs);
      breaker.ended(false, atMs, atMs);
      waits.push(breaker.openUntilMs() - atMs);
    }
    expect(waits).toEqual([10_000, 20_000, 40_000, 60_000, 60_000, 60_000]);
  });
  test("heeds no call from before it opened", () => {
    const { breaker } = failing(8, 0);
    expect([breaker.ended(true, 0, 100), breaker.openUntilMs()]).toEqual([null, 5_000]);
    breaker.began(5_000);
    expect([breaker.ended(true, 0, 5_500), breaker.isTrying()]).toEqual([null, true]);
  });
  test("lets another trial go when one was taken back", () => {
    const { breaker } = failing(8, 0);
    breaker.began(5_000);
    breaker.dropped(5_000);
    expect([breaker.isTrying(), breaker.openUntilMs()]).toEqual([false, 5_000]);
  });
});
