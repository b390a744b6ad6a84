import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { runBench } from "../../../bench/bench.ts";
import { leastEffort } from "../../../bench/harness.ts";
import { pythonLibraries } from "../../../bench/peers/rig.ts";
import { peers } from "../../../bench/peers.ts";
import { run } from "../../../tools/process.ts";

const service = join(import.meta.dirname, "../../../bench/peers/service.py");
const hasPython = Bun.which("python3") !== null;

test.skipIf(!hasPython)("the Python service is a program that Python takes", async () => {
  const check = `import ast, sys; ast.parse(open(sys.argv[1]).read())`;
  expect((await run("python3", ["-c", check, service], { timeoutMs: 20_000 })).status).toBe(0);
});

// `bun run bench peers` fetches the Python packages.
test.skipIf(!existsSync(pythonLibraries))(
  "the bench runs: both services answer every record",
  async () => {
    const { results } = await runBench(peers(), { effort: leastEffort, quick: true, only: "", print() {} });
    expect(results.map(({ unit }) => unit)).toEqual(["records/s", "ms"]);
    for (const { median, versus } of results) expect(Math.min(median, versus?.median ?? 0)).toBeGreaterThan(0);
  },
  240_000,
);
