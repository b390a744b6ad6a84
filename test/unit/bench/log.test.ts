import { expect, test } from "bun:test";
import { runBench } from "../../../bench/bench.ts";
import { leastEffort } from "../../../bench/harness.ts";
import { log } from "../../../bench/log.ts";

test("the bench runs", async () => {
  const { results } = await runBench(log(), { effort: leastEffort, quick: true, only: "", print() {} });
  expect(results).toHaveLength(9);
  for (const { median, versus } of results) expect(Math.min(median, versus?.median ?? 0)).toBeGreaterThan(0);
}, 30_000);
