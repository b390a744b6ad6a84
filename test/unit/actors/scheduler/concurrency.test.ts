import { describe, expect, test } from "bun:test";
import { createConcurrency } from "../../../../actors/scheduler/concurrency.ts";

describe("calls in flight", () => {
  test("begin at the ceiling, fall by three tenths when strained, once for all calls of one time", () => {
    const concurrency = createConcurrency(100);
    expect(concurrency.limit()).toBe(100);
    for (let call = 0; call < 50; call++) concurrency.strained(0, 10 + call);
    expect(concurrency.limit()).toBe(70);
    concurrency.strained(100, 100);
    expect(concurrency.limit()).toBe(49);
  });
  test("never fall below one", () => {
    const concurrency = createConcurrency(4);
    for (let call = 0; call < 50; call++) concurrency.strained(call, call);
    expect(concurrency.limit()).toBe(1);
  });
  test("rise by about one for each round of answers, and only where they were used", () => {
    const concurrency = createConcurrency(100);
    concurrency.strained(0, 0);
    for (let call = 0; call < 70; call++) concurrency.answered(1, 1_000, 70, 1_000);
    expect(concurrency.limit()).toBe(70);
    concurrency.answered(1, 1_000, 71, 1_000);
    expect(concurrency.limit()).toBe(71);
    for (let call = 0; call < 1_000; call++) concurrency.answered(1, 1_000, 3, 1_000);
    expect(concurrency.limit()).toBe(71);
    for (let call = 0; call < 10_000; call++) concurrency.answered(1, 1_000, 100, 1_000);
    expect(concurrency.limit()).toBe(100);
  });
  test("fall when calls take far longer than they used to, not when they merely differ", () => {
    const concurrency = createConcurrency(50);
    for (let call = 0; call < 400; call++) concurrency.answered(call, call % 2 === 0 ? 1_000 : 3_000, 50, call);
    expect(concurrency.limit()).toBe(50);
    for (let call = 400; call < 440; call++) concurrency.answered(call, 9_000, 50, call);
    expect(concurrency.limit()).toBeLessThan(40);
  });
});
