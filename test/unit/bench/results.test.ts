import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ReportFile, readReports, resultsPage } from "../../../bench/results.ts";

const report: ReportFile = {
  bench: "toy",
  commit: "abc1234",
  machine: "a machine",
  bun: "1.4.5",
  notes: ["What is compared."],
  results: [
    {
      ...{ name: "hops", unit: "msgs/s", samples: 11, median: 123_456, min: 100_000, max: 150_000 },
      ...{ versus: { name: "nact", median: 90_000, min: 80_000, max: 95_000 }, ratio: 1.4, ratioMin: 1.2, ratioMax: 1.6 },
      ...{ target: 1, targetOf: "ratio", met: true },
    },
    {
      ...{ name: "hops", unit: "msgs/s", samples: 11, median: 123_456, min: 100_000, max: 150_000 },
      ...{ versus: "a | b", ratio: 0.5, cpuRatio: 0.6, target: 0.8, targetOf: "ratio", met: false },
    },
  ],
};

test("a table a bench, the figures of one subject once", () => {
  expect(resultsPage([report]).split("\n").slice(7)).toEqual([
    "## toy",
    "",
    "`bun run bench toy` at abc1234, a machine, Bun 1.4.5.",
    "",
    "What is compared.",
    "",
    "| what | median (least–most) | against | ratio (least–most) | target |",
    "| --- | --- | --- | --- | --- |",
    "| hops | 123,500 (100,000–150,000) msgs/s | nact: 90,000 (80,000–95,000) | 1.4 (1.2–1.6) | ratio 1: met |",
    "|  |  | a \\| b | 0.5; CPU 0.6 | ratio 0.8: **missed** |",
    "",
  ]);
});

test("the page shows the reports that are kept", () => {
  const page = readFileSync(join(import.meta.dirname, "../../../bench/RESULTS.md"), "utf8");
  expect(page).toBe(resultsPage(readReports()));
});
