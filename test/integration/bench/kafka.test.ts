import { expect, test } from "bun:test";
import { runBench } from "../../../bench/bench.ts";
import { leastEffort } from "../../../bench/harness.ts";
import { kafka } from "../../../bench/kafka.ts";

test("the bench runs, and every client comes to the same", async () => {
  const { results } = await runBench(kafka(), { effort: leastEffort, quick: true, only: "uncompressed", print() {} });
  expect(results.map(({ versus }) => versus?.name)).toEqual([
    ...["bare kafkajs", "the same without headers", "bare @platformatic/kafka"],
    ...["bare kafkajs, eachBatch", "bare @platformatic/kafka"],
  ]);
  for (const { median, versus } of results) expect(Math.min(median, versus?.median ?? 0)).toBeGreaterThan(0);
}, 120_000);
