/** `bun run bench results`: makes `RESULTS.md`, and the plots it shows, of the reports in `bench/results`. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Plot } from "./plots/chart.ts";
import { costPlot, saturationPlot, stagePlot } from "./plots/load.ts";
import { ratioPlot } from "./plots/ratios.ts";

const figures = { median: z.number(), min: z.number(), max: z.number(), p95: z.number().optional(), p99: z.number().optional() };
/** The contract's report; what a bench adds to it is shown where it is there. */
const ReportFile = z.object({
  bench: z.string(),
  commit: z.string(),
  machine: z.string(),
  bun: z.string(),
  loadBefore: z.number().optional(),
  /** Of runs under load: what was asked, and what a search for the most cameras met. */
  title: z.string().optional(),
  command: z.string().optional(),
  cameras: z.number().optional(),
  fps: z.number().optional(),
  steps: z.array(z.object({ cameras: z.number(), held: z.boolean(), figures: z.record(z.string(), z.number()) })).optional(),
  notes: z.array(z.string()).default([]),
  results: z.array(
    z.object({
      name: z.string(),
      unit: z.string(),
      samples: z.number(),
      ...figures,
      versus: z.union([z.string(), z.object({ name: z.string(), ...figures })]).optional(),
      ratio: z.number().optional(),
      ratioMin: z.number().optional(),
      ratioMax: z.number().optional(),
      cpuRatio: z.number().optional(),
      cpuPercent: z.number().optional(),
      beside: z.record(z.string(), z.number()).optional(),
      target: z.number().optional(),
      targetOf: z.string().optional(),
      met: z.boolean().optional(),
    }),
  ),
});
export type ReportFile = z.output<typeof ReportFile>;
type ResultRow = ReportFile["results"][number];

const folder = join(import.meta.dirname, "results");
const page = join(import.meta.dirname, "RESULTS.md");
/** Of the plots, from the page. */
const plotsPath = "results/plots";

const said = (value: number): string => value.toLocaleString("en", { maximumSignificantDigits: 4 });
const spread = ({ median, min, max }: { readonly median: number; readonly min: number; readonly max: number }): string =>
  `${said(median)} (${said(min)}–${said(max)})`;
const cell = (text: string): string => text.replaceAll("|", "\\|");

const ownFigures = (row: ResultRow): string => {
  const { p95, p99, beside = {} } = row;
  const tail = [...(p95 === undefined ? [] : [`P95 ${said(p95)}`]), ...(p99 === undefined ? [] : [`P99 ${said(p99)}`])];
  const others = Object.entries(beside).map(([what, value]) => `${what} ${said(value)}`);
  return [`${spread(row)} ${row.unit}`, ...tail, ...others].join(", ");
};
const theirs = ({ versus }: ResultRow): string => {
  if (versus === undefined) return "";
  return typeof versus === "string" ? versus : `${versus.name}: ${spread(versus)}`;
};
const ratios = ({ ratio, ratioMin, ratioMax, cpuRatio }: ResultRow): string => {
  if (ratio === undefined) return "";
  const range = ratioMin === undefined || ratioMax === undefined ? "" : ` (${said(ratioMin)}–${said(ratioMax)})`;
  return `${said(ratio)}${range}${cpuRatio === undefined ? "" : `; CPU ${said(cpuRatio)}`}`;
};
const verdict = ({ target, targetOf, met }: ResultRow): string =>
  target === undefined ? "" : `${targetOf ?? ""} ${said(target)}: ${met ? "met" : "**missed**"}`.trim();

const shown = (plots: readonly (Plot | null)[]): string[] =>
  plots.flatMap((plot) => (plot === null ? [] : ["", `![${plot.alt}](${plotsPath}/${plot.name}.svg)`]));

/** What one report has plots for. */
const plotsOf = (report: ReportFile): readonly (Plot | null)[] => [stagePlot(report), saturationPlot(report)];

const sectionOf = (report: ReportFile): string => {
  const { bench, title, command, commit, machine, bun, loadBefore, notes, results } = report;
  const rows = results.map((row, index) => {
    const isSame = results[index - 1]?.name === row.name;
    const cells = [isSame ? "" : row.name, isSame ? "" : ownFigures(row), theirs(row), ratios(row), verdict(row)];
    return `| ${cells.map(cell).join(" | ")} |`;
  });
  const load = loadBefore === undefined ? "" : `, load ${said(loadBefore)} when it began`;
  return [
    `## ${bench}${title === undefined ? "" : `: ${title}`}`,
    "",
    `\`${command ?? `bun run bench ${bench}`}\` at ${commit}, ${machine}, Bun ${bun}${load}.`,
    ...(notes.length === 0 ? [] : ["", notes.join(" ")]),
    ...shown(plotsOf(report)),
    "",
    "| what | median (least–most) | against | ratio (least–most) | target |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
};

/** What all reports together have plots for. */
const plotsOfAll = (reports: readonly ReportFile[]): readonly (Plot | null)[] => [ratioPlot(sorted(reports)), costPlot(reports)];

/** Every plot that the page shows. */
export const resultsPlots = (reports: readonly ReportFile[]): readonly Plot[] =>
  [...plotsOfAll(reports), ...reports.flatMap(plotsOf)].filter((plot) => plot !== null);

const sorted = (reports: readonly ReportFile[]): ReportFile[] =>
  reports.toSorted((one, other) => one.bench.localeCompare(other.bench));

/** The page for these reports, by name of their bench. */
export const resultsPage = (reports: readonly ReportFile[]): string =>
  [
    "# Measured",
    "",
    "Made by `bun run bench results` from the reports in `bench/results`; do not edit. A ratio says how many times better the first is",
    "than what it is measured against, round by round; `CPU` is the same of the processor time that each took, which is steadier",
    "where others share the machine; a target is met when neither misses it. Times and rates differ between machines and hours:",
    "compare within a row. A load far above the number of cores means that what was measured waited for others.",
    "`bun run bench agree A.json B.json` says whether two reports agree within their spread.",
    ...shown(plotsOfAll(reports)),
    "",
    ...sorted(reports).map(sectionOf),
  ].join("\n");

/** The reports of a file: `--report` writes one, or a list of them. */
export const readReport = (path: string): ReportFile[] => {
  const file = z.union([z.array(ReportFile), ReportFile]).safeParse(JSON.parse(readFileSync(path, "utf8")));
  if (!file.success) throw new Error(`${path} is no report: ${z.prettifyError(file.error)}`);
  return [file.data].flat();
};

export const readReports = (): ReportFile[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .toSorted()
    .flatMap((name) => readReport(join(folder, name)));

/** Writes the page and its plots; says how many reports it shows. */
export const writeResults = (): number => {
  const reports = readReports();
  writeFileSync(page, resultsPage(reports));
  const plots = join(folder, "plots");
  rmSync(plots, { recursive: true, force: true }); // of reports that are no longer there
  mkdirSync(plots);
  for (const { name, svg } of resultsPlots(reports)) writeFileSync(join(plots, `${name}.svg`), svg);
  return reports.length;
};
