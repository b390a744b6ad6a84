import { expect, test } from "bun:test";
import fc from "fast-check";
import { createTally, figuresOfBuckets, figuresOfValues } from "../../../../bench/load/tally.ts";

test("the quantiles of whole milliseconds are exact: nearest rank of the sorted values", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 300 }), (values) => {
      const tally = createTally();
      for (const value of values) tally.add(value);
      const sorted = values.toSorted((one, other) => one - other);
      const at = (share: number) => sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1];
      const { samples, median, p95, p99, min, max, mean } = tally.figures();
      expect([samples, median, p95, p99, min, max]).toEqual([
        sorted.length,
        at(0.5),
        at(0.95),
        at(0.99),
        sorted[0],
        sorted.at(-1),
      ] as number[]);
      expect(mean).toBeCloseTo(values.reduce((sum, value) => sum + value, 0) / values.length, 6);
      expect(figuresOfValues(values)).toEqual(tally.figures());
    }),
  );
});

test("what takes longer than a minute counts as a minute, what is early as in time", () => {
  const tally = createTally();
  tally.add(90_000, 2);
  tally.add(-5);
  expect(tally.figures()).toMatchObject({ samples: 3, min: 0, max: 60_000, median: 60_000 });
});

test("of cumulative buckets a quantile is the upper bound of its bucket", () => {
  const figures = figuresOfBuckets(
    [
      [1, 90],
      [10, 94],
      [100, 100],
      [Number.POSITIVE_INFINITY, 100],
    ],
    250,
  );
  expect(figures).toMatchObject({ samples: 100, mean: 2.5, median: 1, p95: 100, max: 100 });
});
