/** Runs under Bun, Node and Deno: what a seed leads to hangs on nothing but the seed. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { run } from "../../tools/process.ts";
import { digest } from "../support/portable/digest.ts";

const seeds = 12;
const root = join(import.meta.dirname, "..", "..");
const bun = process.versions.bun ? process.execPath : join(root, "node_modules", "bun", "bin", "bun.exe"); // its name on every system

test("a run in this process under this runtime is the run of another process under Bun", async () => {
  const other = run(bun, [join(root, "test/support/portable/digest.ts"), `${seeds}`], { timeoutMs: 50_000 });
  const own = await digest(seeds);
  expect((await other).output).toBe(own);
  expect(own.match(/ 0 violations$/gm)).toHaveLength(seeds);
}, 60_000);
