/**
 * The whole durable half of the system under all faults at once, judged by every invariant of `test/support/sim`.
 * `SEED=17 bun test test/sim/guarantee.test.ts` replays one run, `bun run sim --seed 17` tells more of it.
 */
import { expect, test } from "bun:test";
import { seedsOf } from "../support/seeds.ts";
import { describeMix, type Mix, mixOf, noFaults, schedulerKinds, usualFaults } from "../support/sim/faults.ts";
import { simulate } from "../support/sim/simulate.ts";

test.each([...schedulerKinds])(
  "without faults nothing is lost or set aside, and all rests soon (scheduler: %s)",
  async (scheduler) => {
    const mix: Mix = { faults: noFaults, scheduler, load: "steady", lanes: true };
    const { violations, groups, crashes, restarts, deadLetters, calmMs } = await simulate(1, { mix });
    expect(violations).toEqual([]);
    expect(groups).toBeGreaterThan(50);
    expect([crashes, restarts, deadLetters]).toEqual([0, 0, 0]);
    expect(calmMs).toBeLessThanOrEqual(20_000);
  },
);

test("every invariant holds under every mix of faults", async () => {
  const failures: string[] = [];
  const reached = { crashes: 0, restarts: 0, deadLetters: 0 };
  for (const seed of seedsOf(200)) {
    const { violations, crashes, restarts, deadLetters } = await simulate(seed);
    reached.crashes += crashes;
    reached.restarts += restarts;
    reached.deadLetters += deadLetters;
    if (violations.length > 0) failures.push(`SEED=${seed} (${describeMix(mixOf(seed))}): ${violations.slice(0, 3).join("; ")}`);
  }
  expect(failures).toEqual([]);
  if (process.env.SEED !== undefined) return;
  expect(Object.entries(reached).filter(([, count]) => count < 100)).toEqual([]);
}, 120_000);

test.each([...schedulerKinds])("the same seed gives the same run, another seed another (scheduler: %s)", async (scheduler) => {
  const mix: Mix = { faults: usualFaults, scheduler, load: "steady", lanes: true };
  const [one, again, other] = [await simulate(7, { mix }), await simulate(7, { mix }), await simulate(8, { mix })];
  expect(again).toEqual(one);
  expect(other.hash).not.toBe(one.hash);
});

test("each fault is left out of some seeds and part of others", () => {
  const mixes = Array.from({ length: 200 }, (_, seed) => mixOf(seed + 1));
  for (const name of Object.keys(usualFaults) as (keyof typeof usualFaults)[]) {
    const withIt = mixes.filter(({ faults }) => faults[name] > 0).length;
    expect([name, withIt > 50, withIt < 150]).toEqual([name, true, true]);
  }
  for (const kind of schedulerKinds) expect(mixes.filter(({ scheduler }) => scheduler === kind).length).toBeGreaterThan(20);
});
