import { expect, test } from "bun:test";
import { FullTargets } from "../../../../runtime/cell/full-targets.ts";

/** A stage that is full until the test says otherwise. */
const aTarget = () => {
  const wakers: (() => void)[] = [];
  let isFull = true;
  return {
    wakers,
    isAboveHighWater: () => isFull,
    whenBelow: (wake: () => void) => void wakers.push(wake),
    drain: (level: "a little" | "below low water") => {
      isFull = false;
      if (level === "below low water") for (const wake of wakers.splice(0)) wake();
    },
    fill: () => {
      isFull = true;
    },
  };
};

test("a sender waits for a full target, and is woken when that is below low water, not as soon as it is not full", () => {
  const [full, target] = [new FullTargets(), aTarget()];
  let wakes = 0;
  const holdBack = () => full.holdBack(() => wakes++);
  expect(holdBack()).toBe(false);
  full.add(target);
  expect(holdBack()).toBe(true);
  target.drain("a little");
  expect(holdBack()).toBe(true);
  expect([target.wakers.length, wakes]).toEqual([1, 0]);
  target.drain("below low water");
  expect([holdBack(), wakes]).toEqual([false, 1]);
});

test("a target that was full once is forgotten until it is told something again", () => {
  const [full, target] = [new FullTargets(), aTarget()];
  full.add(target);
  target.drain("a little");
  expect(full.holdBack(() => {})).toBe(false);
  target.fill();
  expect(full.holdBack(() => {})).toBe(false);
  full.add(target);
  expect(full.holdBack(() => {})).toBe(true);
});

test("one full target after another is waited for", () => {
  const full = new FullTargets();
  const [one, other] = [aTarget(), aTarget()];
  full.add(one);
  full.add(other);
  expect(full.holdBack(() => {})).toBe(true);
  one.drain("below low water");
  expect(full.holdBack(() => {})).toBe(true);
  other.drain("below low water");
  expect(full.holdBack(() => {})).toBe(false);
});
