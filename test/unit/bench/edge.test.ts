import { expect, test } from "bun:test";
import { runBench } from "../../../bench/bench.ts";
import { edgeBench } from "../../../bench/edge.ts";
import { leastEffort } from "../../../bench/harness.ts";

test("the bench runs, with a client that stalls", async () => {
  const bench = edgeBench({ clients: 3, stalled: 1 });
  const { results } = await runBench(bench, { effort: leastEffort, quick: true, only: "", print() {} });
  expect(results.map(({ name }) => name)).toEqual(["broadcast to 3 clients", "broadcast to 3 clients while 1 others stall"]);
  for (const { median } of results) expect(median).toBeGreaterThan(0);
}, 60_000);
