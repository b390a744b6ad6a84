/** What a bench reports: figures with their spread, what they were measured against, and whether the target is met. */
import { execFileSync } from "node:child_process";
import { arch, cpus, loadavg, platform } from "node:os";

/** Of each unit, whether less of it is better. */
const lessIsBetter = {
  ns: true,
  ms: true,
  s: true,
  bytes: true,
  "msgs/s": false,
  "round trips/s": false,
  "actors/s": false,
  "records/s": false,
  "detections/s": false,
  "deliveries/s": false,
  "tasks/s": false,
  cameras: false,
  "%": false,
} as const;
export type Unit = keyof typeof lessIsBetter;

/** A ratio says how many times better the subject is, so it wants to be high; a figure wants what its unit says. */
export type Target = { readonly of: "ratio" | "median" | "p95" | "p99"; readonly limit: number };

type Spread = {
  readonly samples: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Where there are samples enough to tell. */
  readonly p95?: number;
  readonly p99?: number;
};

export type Result = Spread & {
  readonly name: string;
  readonly unit: Unit;
  /** The same for every sample and machine, as long as the inputs and the format stay. */
  readonly hash: string;
  /** Of this process while it measured; below 100, it waited or others had the core. */
  readonly cpuPercent: number;
  /** Of the last run: what else was counted, by name. */
  readonly beside?: Readonly<Record<string, number>>;
  readonly versus?: Spread & { readonly name: string };
  /** Median of the ratios of each round, and their range: how many times better than `versus`. */
  readonly ratio?: number;
  readonly ratioMin?: number;
  readonly ratioMax?: number;
  /** The same of CPU time, which is steadier where others share the machine. */
  readonly cpuRatio?: number;
  readonly target?: number;
  /** Which figure the target is about. */
  readonly targetOf?: Target["of"];
  readonly met?: boolean;
};

export type Report = {
  readonly bench: string;
  readonly commit: string;
  readonly machine: string;
  readonly bun: string;
  /** Processes that wanted a core when it began, averaged over a minute: what this run had to share the machine with. */
  readonly loadBefore: number;
  /** Run with small sizes: for a look, not for the record. */
  readonly quick: boolean;
  /** What is compared, and what is not. */
  readonly notes: readonly string[];
  readonly results: readonly Result[];
};

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
const rounded = (value: number): number => Number(value.toPrecision(4));

export const spreadOf = (values: readonly number[]): Spread => {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => rounded(quantile(sorted, share));
  return {
    samples: sorted.length,
    median: at(0.5),
    min: at(0),
    max: at(1),
    ...(sorted.length >= 20 ? { p95: at(0.95) } : {}),
    ...(sorted.length >= 100 ? { p99: at(0.99) } : {}),
  };
};

/** How many times better the subject was, round by round. */
export const ratiosOf = (unit: Unit, own: readonly number[], theirs: readonly number[]) => {
  const ratios = own.map((value, at) => {
    const other = theirs[at] ?? Number.NaN;
    return lessIsBetter[unit] ? other / value : value / other;
  });
  const { median, min, max } = spreadOf(ratios);
  return { ratio: median, ratioMin: min, ratioMax: max };
};

/** The target and whether the figures meet it; too few samples to tell is not met. */
export const judge = (unit: Unit, figures: Spread & { readonly ratio?: number }, { of, limit }: Target) => {
  const figure = figures[of] ?? Number.NaN;
  const met = of !== "ratio" && lessIsBetter[unit] ? figure <= limit : figure >= limit;
  return { target: limit, targetOf: of, met };
};

const commit = (): string => {
  const git = (...args: string[]) => execFileSync("git", args, { cwd: import.meta.dirname, encoding: "utf8" }).trim();
  try {
    return `${git("rev-parse", "--short", "HEAD")}${git("status", "--porcelain", "--", ":!/bench/results") === "" ? "" : "+changes"}`;
  } catch {
    return "unknown"; // not a checkout, or no git
  }
};

/** Where and when a bench runs. */
export const surroundings = (): Pick<Report, "commit" | "machine" | "bun" | "loadBefore"> => ({
  commit: commit(),
  machine: `${cpus()[0]?.model.trim() ?? "unknown"} × ${cpus().length}, ${platform()} ${arch()}`,
  bun: process.versions.bun ?? "none",
  loadBefore: rounded(loadavg()[0] ?? 0),
});

const grouped = (value: number): string => value.toLocaleString("en", { maximumSignificantDigits: 4 });
const rangeOf = ({ median, min, max }: Spread): string => `${grouped(median)} (${grouped(min)}–${grouped(max)})`;

/** A result as one or two lines for people. `isSame`: it has the subject of the result before it, said already. */
export const linesOf = (result: Result, isSame: boolean): string => {
  const { name, unit, p95, p99, cpuPercent, versus, ratio, ratioMin, ratioMax, cpuRatio, target, targetOf, met, beside } = result;
  const tail = p99 === undefined ? "" : `, P95 ${grouped(p95 ?? 0)}, P99 ${grouped(p99)}`;
  const judged = target === undefined ? "" : `, target ${targetOf} ${grouped(target)}: ${met ? "met" : "missed"}`;
  const byCpu = cpuRatio === undefined ? "" : `, by CPU time ${cpuRatio}`;
  const own = `  ${name}: ${rangeOf(result)} ${unit}${tail}, CPU ${cpuPercent} %`;
  const others = Object.entries(beside ?? {}).map(([what, value]) => `${what} ${grouped(value)}`);
  if (!versus) return `${own}${judged}\n${others.length > 0 ? `    ${others.join(", ")}\n` : ""}`;
  const against = `    against ${versus.name}: ${rangeOf(versus)}, ratio ${ratio} (${ratioMin}–${ratioMax})${byCpu}${judged}\n`;
  return isSame ? against : `${own}\n${against}`;
};
