import { expect, test } from "bun:test";
import { runBench } from "../../../bench/bench.ts";
import { leastEffort } from "../../../bench/harness.ts";
import { runtime } from "../../../bench/runtime.ts";

const least = { effort: leastEffort, quick: true, only: "", print() {} };

test("the bench runs, and every runtime comes to the same results", async () => {
  const { results } = await runBench(runtime(), least);
  expect(new Set(results.map(({ name }) => name)).size).toBe(8);
  // The memory of ten actors is lost among what else the process does.
  for (const { median, unit } of results) expect(median).toBeGreaterThan(unit === "bytes" ? Number.NEGATIVE_INFINITY : 0);
  const rivals = results.flatMap(({ versus }) => (versus ? [versus.name.split(" ")[0]] : []));
  for (const peer of ["nact", "xstate", "effect", "rxjs", "bare"]) expect(rivals).toContain(peer);
}, 30_000);
