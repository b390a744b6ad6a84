import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type ReportFile, readReports, resultsPage, resultsPlots } from "../../../bench/results.ts";

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
  const lines = resultsPage([report]).split("\n");
  expect(lines.slice(lines.indexOf("## toy"))).toEqual([
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

const underLoad: ReportFile = {
  ...report,
  bench: "load",
  title: "50 cameras",
  command: "bun run bench load --source rtsp",
  cameras: 50,
  fps: 2,
  results: [
    { name: "stage.show", unit: "ms", samples: 900, median: 4, min: 1, max: 90, p95: 12, p99: 40 },
    { name: "cpu.vedette", unit: "%", samples: 1, median: 120, min: 120, max: 120 },
    { name: "rss.max", unit: "MB", samples: 1, median: 600, min: 600, max: 600 },
  ],
  steps: [{ cameras: 40, held: true, figures: { "detection.e2e": 20, "fps.achieved": 2, "cpu.vedette": 90, "rss.max": 500 } }],
};

test("plots stand where they belong: what all reports say first, what one run says in its section", () => {
  const page = resultsPage([report, underLoad]);
  const files = resultsPlots([report, underLoad]).map(({ name }) => name);
  expect(files.toSorted()).toEqual(["cost", "saturation-50-cameras", "stages-50-cameras", "targets"]);
  const places = ["## load: 50 cameras", ...files.map((file) => `(results/plots/${file}.svg)`)].map((text) => page.indexOf(text));
  expect(Math.min(...places)).toBeGreaterThan(0);
  const section = places[0] ?? 0;
  const isInSection = Object.fromEntries(files.map((file, index) => [file, (places[index + 1] ?? 0) > section]));
  expect(isInSection).toEqual({ targets: false, cost: false, "stages-50-cameras": true, "saturation-50-cameras": true });
});

test("a plot is the same text each time, in colours that have a counterpart on a dark page", () => {
  const [one, other] = [resultsPlots([report, underLoad]), resultsPlots([report, underLoad])];
  expect(one).toEqual(other);
  for (const { svg } of one) {
    const painted = svg.replaceAll(/<clipPath[\s\S]*?<\/clipPath>/g, "");
    const light = new Set([...painted.matchAll(/ (?:fill|stroke)="(#\w+)"/g)].map(([, colour]) => colour));
    for (const colour of light) expect(svg).toContain(`="${colour}"]{`);
    expect(svg).not.toContain("NaN");
  }
});

test("the page and its plots show the reports that are kept", () => {
  const bench = join(import.meta.dirname, "../../../bench");
  const reports = readReports();
  expect(readFileSync(join(bench, "RESULTS.md"), "utf8")).toBe(resultsPage(reports));
  const plots = resultsPlots(reports);
  for (const { name, svg } of plots) expect(readFileSync(join(bench, `results/plots/${name}.svg`), "utf8")).toBe(svg);
  expect(readdirSync(join(bench, "results/plots"))).toHaveLength(plots.length);
});
