import { expect, test } from "bun:test";
import { contests } from "../../../bench/codec.ts";
import { leastEffort, measureAll } from "../../../bench/harness.ts";

test("the codec's benchmark runs, with the same results each time", () => {
  const [first, second] = [contests(), contests()].map((each) => measureAll("codec", each, leastEffort));
  expect(first?.results.map(({ hash }) => hash)).toEqual(second?.results.map(({ hash }) => hash) ?? []);
  for (const result of first?.results ?? []) expect(result.ratio).toBeGreaterThan(0);
});

test("work whose results differ from sample to sample is refused", () => {
  let calls = 0;
  const contest = { name: "counter", subject: () => calls++ };
  expect(() => measureAll("toy", [contest], { warmUps: 0, samples: 3, operations: 1 })).toThrow(
    "3 different results in 3 samples",
  );
});
