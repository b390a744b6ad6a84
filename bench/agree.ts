/** `bun run bench agree A.json B.json`: says row by row whether two reports agree within the spread that each prints. */
import type { ReportFile } from "./results.ts";

type Row = ReportFile["results"][number];
type Spread = { readonly median: number; readonly min: number; readonly max: number };

export type Agreement = {
  readonly name: string;
  /** `alone`: one report has no such row. `no spread`: single runs that differ, of which nothing can be said. */
  readonly outcome: "agree" | "differ" | "alone" | "no spread";
  /** The figures, for people. */
  readonly detail: string;
};

const said = (value: number): string => value.toLocaleString("en", { maximumSignificantDigits: 4 });
const rangeOf = ({ median, min, max }: Spread): string => `${said(median)} (${said(min)}–${said(max)})`;
const isWithin = (value: number, { min, max }: Spread): boolean => value >= min && value <= max;

/** Each median lies in the other's range. */
const compare = (one: Spread, other: Spread): "agree" | "differ" | "no spread" => {
  if (isWithin(one.median, other) && isWithin(other.median, one)) return "agree";
  return one.min === one.max || other.min === other.max ? "no spread" : "differ";
};

const rivalOf = ({ versus }: Row): string => (versus === undefined ? "" : typeof versus === "string" ? versus : versus.name);

/** A report's figures by what they are of: a row's own, once, and its ratio to each rival. */
const figuresOf = ({ bench, results }: ReportFile): Map<string, { readonly unit: string; readonly spread: Spread }> => {
  const figures = new Map<string, { readonly unit: string; readonly spread: Spread }>();
  for (const row of results) {
    figures.set(`${bench}: ${row.name}`, { unit: row.unit, spread: row });
    const { ratio, ratioMin, ratioMax } = row;
    if (ratio === undefined || ratioMin === undefined || ratioMax === undefined) continue;
    const spread = { median: ratio, min: ratioMin, max: ratioMax };
    figures.set(`${bench}: ${row.name}, ratio to ${rivalOf(row)}`, { unit: "", spread });
  }
  return figures;
};

const collect = (reports: readonly ReportFile[]) => new Map(reports.flatMap((report) => [...figuresOf(report)]));

/** Of each figure in either list of reports, in order. */
export const agreements = (one: readonly ReportFile[], other: readonly ReportFile[]): readonly Agreement[] => {
  const [ours, theirs] = [collect(one), collect(other)];
  return [...new Set([...ours.keys(), ...theirs.keys()])].map((name): Agreement => {
    const [a, b] = [ours.get(name), theirs.get(name)];
    if (!a || !b) return { name, outcome: "alone", detail: `only in the ${a ? "first" : "second"}` };
    const unit = a.unit === "" ? "" : ` ${a.unit}`;
    return {
      name,
      outcome: compare(a.spread, b.spread),
      detail: `${rangeOf(a.spread)} and ${rangeOf(b.spread)}${unit}, ${said(b.spread.median / a.spread.median)} times`,
    };
  });
};

const placeOf = ({ bench, commit, machine, bun }: ReportFile): string => `${bench} at ${commit}, ${machine}, Bun ${bun}`;

/** What to print, and whether no row differs. */
export const agreementText = (
  one: readonly ReportFile[],
  other: readonly ReportFile[],
): { readonly text: string; readonly isAgreed: boolean } => {
  const rows = agreements(one, other);
  const count = (outcome: Agreement["outcome"]) => rows.filter((row) => row.outcome === outcome).length;
  const machines = new Set([...one, ...other].map(({ machine }) => machine));
  const lines = [
    ...one.map((report) => `first:  ${placeOf(report)}`),
    ...other.map((report) => `second: ${placeOf(report)}`),
    ...(machines.size > 1 ? ["the machines differ: only ratios can be expected to agree"] : []),
    ...rows.map(({ name, outcome, detail }) => `  ${outcome.padEnd(9)} ${name}: ${detail}`),
    `${count("agree")} agree, ${count("differ")} differ, ${count("no spread")} without a spread, ${count("alone")} in one report only`,
  ];
  return { text: `${lines.join("\n")}\n`, isAgreed: count("agree") > 0 && count("differ") === 0 };
};
