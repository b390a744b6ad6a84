import { expect, test } from "bun:test";
import { runBench } from "../../../bench/bench.ts";
import { leastEffort } from "../../../bench/harness.ts";
import { start } from "../../../bench/start.ts";

test("the bench runs, with a simulated camera", async () => {
  const { results } = await runBench(start(), { effort: leastEffort, quick: true, only: "simulated", print() {} });
  expect(results).toHaveLength(1);
  expect(results[0]?.median).toBeGreaterThan(0);
}, 60_000);
