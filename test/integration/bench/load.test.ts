import { expect, test } from "bun:test";
import { runLoad } from "../../../bench/load/once.ts";
import { parseLoad } from "../../../bench/load/options.ts";

test("a small load runs: every frame and verdict is heard, and nothing is missing from the log", async () => {
  const words = [
    "--cameras",
    "4",
    "--duration",
    "4",
    "--warm-up",
    "0",
    "--clients",
    "3",
    "--llm",
    "sim:100ms",
    "--expect",
    "verdict.missing=0",
  ];
  const options = parseLoad(words);
  if (!options) throw new Error("these are options");
  let printed = "";
  const { report, met } = await runLoad(options, "a test", (text) => {
    printed += text;
  });
  const figure = (name: string) => report.results.find((result) => result.name === name);
  expect(met).toBe(true);
  expect(printed).toContain("the same in the log");
  expect(figure("detection.e2e")?.samples).toBeGreaterThan(4 * 3);
  expect(figure("verdict.e2e")?.min).toBeGreaterThanOrEqual(100);
  expect(figure("llm.calls")?.median).toBeGreaterThan(0);
  expect(figure("verdict.missing")).toMatchObject({ target: 0, met: true });
  expect(report.steps).toBeUndefined();
}, 60_000);
