/**
 * How a question is measured: warm-up, then samples in which the subject and what it is measured against take turns, so that
 * what else the machine does falls on both. Times differ between machines and hours; the ratio is what is reported and judged.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { arch, cpus, platform } from "node:os";
import { systemClock } from "../runtime/clock.ts";

/** Does the work `operations` times and returns a hash of all results, so that none of it can be left out. */
export type Work = (operations: number) => number;

export type Contest = {
  readonly name: string;
  readonly subject: Work;
  readonly versus?: { readonly name: string; readonly work: Work };
  /** Least ratio of `versus` time to the subject's. */
  readonly target?: number;
};

export type Effort = { readonly warmUps: number; readonly samples: number; readonly operations: number };
export const usualEffort: Effort = { warmUps: 8, samples: 21, operations: 1_500 };
/** Whether it runs at all: for tests. */
export const leastEffort: Effort = { warmUps: 0, samples: 1, operations: 10 };

/** Times in ns for each operation. */
export type Result = {
  readonly name: string;
  readonly unit: "ns";
  readonly samples: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly p95: number;
  /** The same for every sample and machine, as long as the inputs and the format stay. */
  readonly hash: string;
  readonly versus?: { readonly name: string; readonly median: number; readonly min: number; readonly max: number };
  /** Median of the ratios of each pair, and their range. */
  readonly ratio?: number;
  readonly ratioMin?: number;
  readonly ratioMax?: number;
  readonly target?: number;
  readonly met?: boolean;
};

export type Report = {
  readonly bench: string;
  readonly commit: string;
  readonly machine: string;
  readonly bun: string;
  /** Of this process while it measured; below 100, others had the core. */
  readonly cpuPercent: number;
  readonly results: readonly Result[];
};

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
const ascending = (values: readonly number[]): number[] => values.toSorted((a, b) => a - b);
const round = (value: number): number => Number(value.toPrecision(4));

const spreadOf = (values: readonly number[]) => {
  const sorted = ascending(values);
  return { median: round(quantile(sorted, 0.5)), min: round(quantile(sorted, 0)), max: round(quantile(sorted, 1)) };
};

type Timed = { readonly ns: number; readonly hash: number };

const timed = (work: Work, operations: number): Timed => {
  const startedMs = systemClock.monotonicMs();
  const hash = work(operations);
  return { ns: ((systemClock.monotonicMs() - startedMs) * 1e6) / operations, hash };
};

const measure = ({ name, subject, versus, target }: Contest, { warmUps, samples, operations }: Effort): Result => {
  for (let round = 0; round < warmUps; round++) {
    subject(operations);
    versus?.work(operations);
  }
  const own: Timed[] = [];
  const other: Timed[] = [];
  for (let sample = 0; sample < samples; sample++) {
    // Each goes first in turn.
    if (sample % 2 === 0) own.push(timed(subject, operations));
    if (versus) other.push(timed(versus.work, operations));
    if (sample % 2 === 1) own.push(timed(subject, operations));
  }
  const hashes = new Set(own.map(({ hash }) => hash));
  if (hashes.size !== 1) throw new Error(`${name} had ${hashes.size} different results in ${samples} samples`);
  const times = own.map(({ ns }) => ns);
  const result = {
    name,
    unit: "ns" as const,
    samples,
    ...spreadOf(times),
    p95: round(quantile(ascending(times), 0.95)),
    hash: (own[0]?.hash ?? 0).toString(16),
  };
  if (!versus) return result;
  const ratios = spreadOf(other.map(({ ns }, index) => ns / (times[index] ?? Number.NaN)));
  return {
    ...result,
    versus: { name: versus.name, ...spreadOf(other.map(({ ns }) => ns)) },
    ratio: ratios.median,
    ratioMin: ratios.min,
    ratioMax: ratios.max,
    ...(target === undefined ? {} : { target, met: ratios.median >= target }),
  };
};

const commit = (): string => {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: import.meta.dirname, encoding: "utf8" }).trim();
  } catch {
    return "unknown"; // not a checkout, or no git
  }
};

export const measureAll = (bench: string, contests: readonly Contest[], effort: Effort): Report => {
  const startedMs = systemClock.monotonicMs();
  const before = process.cpuUsage();
  const results = contests.map((contest) => measure(contest, effort));
  const { user, system } = process.cpuUsage(before);
  const elapsedMs = systemClock.monotonicMs() - startedMs;
  return {
    bench,
    commit: commit(),
    machine: `${cpus()[0]?.model.trim() ?? "unknown"} × ${cpus().length}, ${platform()} ${arch()}`,
    bun: process.versions.bun ?? "none",
    cpuPercent: Math.round((user + system) / 10 / elapsedMs),
    results,
  };
};

const lineOf = ({ name, median, min, max, versus, ratio, ratioMin, ratioMax, target, met }: Result): string => {
  const own = `${name}: ${median} ns (${min}–${max})`;
  if (!versus) return own;
  const judged = target === undefined ? "" : `, target ${target}: ${met ? "met" : "missed"}`;
  return `${own}, ${versus.name} ${versus.median} ns (${versus.min}–${versus.max}), ratio ${ratio} (${ratioMin}–${ratioMax})${judged}`;
};

/** For people on stdout; for programs in `file`. */
export const show = (report: Report, file: string | undefined): void => {
  const { bench, commit: at, machine, bun, cpuPercent, results } = report;
  process.stdout.write(`${bench} at ${at}, ${machine}, Bun ${bun}, process CPU ${cpuPercent} %\n`);
  for (const result of results) process.stdout.write(`  ${lineOf(result)}\n`);
  if (file !== undefined) writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
};
