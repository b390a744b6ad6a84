/** A run as a table for people, and as the report of the contract. */
import { surroundings } from "../report.ts";
import type { Judged } from "./expect.ts";
import { droppedIn, type LoadUnit, type Row, stagesSaid } from "./figures.ts";
import { growth, sumBy } from "./metrics.ts";
import type { Cost, Measured } from "./run.ts";

export type LoadResult = {
  readonly name: string;
  readonly unit: LoadUnit | "cameras";
  readonly samples: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly p95?: number;
  readonly p99?: number;
  readonly beside?: Readonly<Record<string, number>>;
  readonly target?: number;
  readonly targetOf?: string;
  readonly met?: boolean;
};

/** One step of `--saturate`. */
export type Step = { readonly cameras: number; readonly held: boolean; readonly figures: Readonly<Record<string, number>> };

export type LoadReport = {
  readonly bench: "load";
  readonly title?: string;
  readonly command: string;
  readonly commit: string;
  readonly machine: string;
  readonly bun: string;
  readonly loadBefore: number;
  readonly quick: boolean;
  readonly notes: readonly string[];
  /** Sum of the digests of all risk updates that clients heard, hexadecimal. */
  readonly hash: string;
  readonly cameras: number;
  readonly fps: number;
  readonly results: readonly LoadResult[];
  readonly steps?: readonly Step[];
};

const rounded = (value: number): number => Number(value.toPrecision(4));
const said = (value: number): string =>
  Number.isFinite(value) ? value.toLocaleString("en", { maximumSignificantDigits: Math.abs(value) >= 1_000 ? 5 : 3 }) : "-";

export const resultsOf = (rows: ReadonlyMap<string, Row>, judged: readonly Judged[]): LoadResult[] =>
  [...rows].map(([name, { unit, figures }]): LoadResult => {
    const { samples, mean, median, min, max, p95, p99 } = figures;
    const one = judged.find(({ expectation }) => expectation.name === name);
    return {
      ...{ name, unit, samples, median: rounded(median), min: rounded(min), max: rounded(max) },
      ...(samples >= 20 ? { p95: rounded(p95) } : {}),
      ...(samples >= 100 ? { p99: rounded(p99) } : {}),
      ...(samples > 1 ? { beside: { mean: rounded(mean) } } : {}),
      ...(one ? { target: one.expectation.limit, targetOf: one.expectation.stat, met: one.met } : {}),
    };
  });

export const reportOf = (
  measured: Measured,
  rows: ReadonlyMap<string, Row>,
  judged: readonly Judged[],
  asked: {
    readonly command: string;
    readonly title: string | null;
    readonly cameras: number;
    readonly fps: number;
    readonly isShort: boolean;
  },
): LoadReport => ({
  bench: "load",
  ...(asked.title === null ? {} : { title: asked.title }),
  command: asked.command,
  ...surroundings(),
  loadBefore: rounded(measured.loadBefore),
  quick: asked.isShort,
  notes: [...measured.profile, ...paidOf(measured)].map((line) => `${line}.`),
  hash: BigInt(measured.heard.digest).toString(16),
  ...{ cameras: asked.cameras, fps: asked.fps },
  results: resultsOf(rows, judged),
});

const listed = (counts: ReadonlyMap<string, number>): string =>
  [...counts].map(([what, count]) => `${what || "all"} ${said(count)}`).join(", ") || "none";

/** What was paid for verdicts and what was avoided, in the window. */
export const paidOf = ({ before, after, kept }: Measured): string[] => {
  const grown = (name: string, label: string) => growth(sumBy(before, name, label), sumBy(after, name, label));
  return [
    `groups: ${said(kept.groups)} in ${said(kept.frames)} frames; without a task: ${listed(grown("groups_without_task_total", "reason"))}`,
    `tasks: ${said(kept.tasks)}; results: ${listed(kept.results)}`,
    `calls: ${listed(grown("llm_requests_total", "status"))}; avoided: ${listed(grown("llm_calls_avoided_total", "reason"))}`,
  ];
};

/** Those that took half a percent of a core or more. */
const threadsLine = ({ threads }: Cost, seconds: number): string => {
  const shares = [...threads].map(([name, ms]) => [name, ms / 10 / seconds] as const).filter(([, share]) => share >= 0.5);
  return shares
    .sort(([, one], [, other]) => other - one)
    .slice(0, 8)
    .map(([name, share]) => `${name} ${share.toFixed(1)}`)
    .join(", ");
};

/** Everything, for a person. */
export const tableOf = (measured: Measured, rows: ReadonlyMap<string, Row>, judged: readonly Judged[]): string => {
  const { window, costs, heard, kept } = measured;
  const seconds = (window.endMs - window.beginMs) / 1_000;
  const head = ["", "unit", "mean", "P50", "P95", "P99", "max", "n", ""];
  const lines = [...rows].map(([name, { unit, figures }]) => {
    const { samples, mean, median, p95, p99, max } = figures;
    const values = samples === 1 ? [said(mean), "", "", "", "", ""] : [mean, median, p95, p99, max, samples].map(said);
    return [name, unit, ...values, stagesSaid[name] ?? ""];
  });
  const widths = head.map((_, column) => Math.max(...[head, ...lines].map((line) => (line[column] ?? "").length)));
  const table = [head, ...lines].map((line) =>
    line
      .map((cell, column) =>
        column < 2 || column === head.length - 1 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd(),
  );
  const drops = droppedIn(measured).map(({ actor, type, reason, count }) => `${said(count)} × ${type} by ${actor}: ${reason}`);
  const isSame = heard.digest === kept.digest;
  return [
    ...table.map((line) => `  ${line}`),
    ...paidOf(measured).map((line) => `  ${line}`),
    `  drops: ${drops.join("; ") || "none"}`,
    ...costs
      .map((cost) => [cost.name, threadsLine(cost, seconds)] as const)
      .filter(([, line]) => line !== "")
      .map(([name, line]) => `  threads of ${name}, % of a core: ${line}`),
    `  ${said(heard.deliveries)} messages to clients; results ${BigInt(heard.digest).toString(16)}, ${isSame ? "the same in the log" : "NOT the same in the log"}`,
    ...judged.map(
      ({ expectation, value, met }) =>
        `  expected ${expectation.text}: ${met ? "met" : "missed"}${value === null ? "" : `, ${said(value)}`}`,
    ),
    "",
  ].join("\n");
};
