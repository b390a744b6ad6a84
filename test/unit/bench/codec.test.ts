import { expect, test } from "bun:test";
import { runBench } from "../../../bench/bench.ts";
import { codec } from "../../../bench/codec.ts";
import { leastEffort } from "../../../bench/harness.ts";

const least = { effort: leastEffort, quick: true, only: "", print() {} };

test("the bench runs, with the same results each time", async () => {
  const first = await runBench(codec(), least);
  const second = await runBench(codec(), least);
  expect(first.results.map(({ hash }) => hash)).toEqual(second.results.map(({ hash }) => hash));
  for (const { ratio } of first.results) expect(ratio).toBeGreaterThan(0);
});
