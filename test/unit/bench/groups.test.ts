import { expect, test } from "bun:test";
import { runBench } from "../../../bench/bench.ts";
import { groups } from "../../../bench/groups.ts";
import { leastEffort } from "../../../bench/harness.ts";

test("the bench runs, and both ways of grouping come to the same groups", async () => {
  const { results } = await runBench(groups(), { effort: leastEffort, quick: true, only: "", print() {} });
  expect(results).toHaveLength(12);
  for (const { median } of results) expect(median).toBeGreaterThan(0);
}, 30_000);
