import { expect, test } from "bun:test";
import { runBench } from "../../../bench/bench.ts";
import { codec } from "../../../bench/codec.ts";
import { leastEffort } from "../../../bench/harness.ts";

test("the bench runs, with the same results each time", async () => {
  const first = await runBench(codec(), leastEffort, true, () => {});
  const second = await runBench(codec(), leastEffort, true, () => {});
  expect(first.results.map(({ hash }) => hash)).toEqual(second.results.map(({ hash }) => hash));
  for (const { ratio } of first.results) expect(ratio).toBeGreaterThan(0);
});
