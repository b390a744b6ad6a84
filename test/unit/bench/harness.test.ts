import { expect, test } from "bun:test";
import { type Contest, type Contestant, type Effort, measure } from "../../../bench/harness.ts";

const effort: Effort = { warmUps: 1, rounds: 3, share: 1, isSwept: false };

/** Gives these figures one after the other, the first one for the warm-up. */
const figures = (name: string, values: readonly number[], hashes: readonly number[] = [7]): Contestant => {
  let runs = -1;
  return {
    name,
    async run() {
      runs++;
      return { values: [values[runs] ?? Number.NaN], hash: hashes[Math.min(runs, hashes.length - 1)] ?? 0 };
    },
  };
};

const against = (
  unit: Contest["unit"],
  own: readonly number[],
  theirs: readonly number[],
  more: Partial<Contest> = {},
): Contest => ({
  unit,
  size: 1,
  subject: figures("own", own),
  versus: [{ ...figures("other", theirs), target: { of: "ratio", limit: 2 } }],
  ...more,
});

test.each([
  ["of times, less is better", "ms", [9, 10, 20, 10], [9, 30, 30, 30], { ratio: 3, ratioMin: 1.5, ratioMax: 3, met: true }],
  [
    "of rates, more is better",
    "msgs/s",
    [9, 10, 20, 10],
    [9, 30, 30, 30],
    { ratio: 0.3333, ratioMin: 0.3333, ratioMax: 0.6667, met: false },
  ],
] as const)("%s, and the ratio is that within a round", async (_says, unit, own, theirs, expected) => {
  const [result] = await measure("toy", against(unit, own, theirs), effort);
  expect(result).toMatchObject({ samples: 3, median: 10, min: 10, max: 20, versus: { median: 30 }, target: 2, ...expected });
});

test.each([
  ["a time at its limit meets it", "ms", 10, true],
  ["a time above its limit misses it", "ms", 9.9, false],
  ["a rate below its limit misses it", "msgs/s", 10.1, false],
  ["a rate at its limit meets it", "msgs/s", 10, true],
] as const)("%s", async (_says, unit, limit, met) => {
  const contest = {
    unit,
    size: 1,
    subject: figures("own", [0, 10, 10, 10]),
    target: { of: "median", limit },
  } as const;
  expect(await measure("toy", contest, effort)).toMatchObject([{ target: limit, targetOf: "median", met }]);
});

test("a target on a percentile that the samples are too few for is missed", async () => {
  const contest = {
    unit: "ms",
    size: 1,
    subject: figures("own", [1, 1, 1, 1]),
    target: { of: "p99", limit: 5 },
  } as const;
  expect(await measure("toy", contest, effort)).toMatchObject([{ met: false }]);
});

test("a ratio that CPU time contradicts does not meet its target", async () => {
  const [result] = await measure("toy", against("ms", [1, 1, 1, 1], [1, 9, 9, 9], { isPure: true }), effort);
  // Neither does anything, so their CPU times are about the same, whatever figures they tell.
  expect(result).toMatchObject({ ratio: 9, target: 2, met: (result?.cpuRatio ?? 0) >= 2 });
});

test("contestants take turns at being first, and warm-ups do not count", async () => {
  const order: string[] = [];
  const told = (name: string): Contestant => ({
    name,
    run() {
      order.push(name);
      return { values: [1], hash: 1 };
    },
  });
  const contest: Contest = { unit: "ms", size: 1, subject: told("a"), versus: [told("b"), told("c")] };
  const [result] = await measure("toy", contest, effort);
  expect(order.join("")).toBe("abcbcacababc");
  expect(result?.samples).toBe(3);
});

test("work whose results differ from sample to sample is refused", async () => {
  const contest: Contest = { unit: "ms", size: 1, subject: figures("own", [1, 1, 1, 1], [1, 2, 3, 4]) };
  expect(measure("toy", contest, effort)).rejects.toThrow("toy: own had 3 different results");
});

test("where all must come to the same, one that does not is refused, and all are closed", async () => {
  let closed = 0;
  const close = () => void closed++;
  const contest: Contest = {
    ...against("ms", [1, 1, 1, 1], [1, 1, 1, 1]),
    subject: { ...figures("own", [1, 1, 1, 1]), close },
    versus: [{ ...figures("other", [1, 1, 1, 1], [8]), close }],
    isSameForAll: true,
  };
  await expect(measure("toy", contest, effort)).rejects.toThrow("toy: other came to another result");
  expect(closed).toBe(2);
});
