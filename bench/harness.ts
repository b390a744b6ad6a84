/**
 * How a question is measured: warm-up, then rounds in which the subject and those it is measured against take turns, another
 * first in each round, so that what else the machine does falls on all. Figures differ between machines and hours; the ratio
 * within each round is what is reported and judged.
 */
import { systemClock } from "../runtime/clock.ts";
import { judge, type Result, ratiosOf, spreadOf, type Target, type Unit } from "./report.ts";

/** What one run gave: figures in the contest's unit, and a hash of all that came out, so that none of the work can be left out. */
export type Outcome = {
  readonly values: readonly number[];
  readonly hash: number;
  /** What else was counted, by name. */
  readonly beside?: Readonly<Record<string, number>>;
};

export type Contestant = {
  readonly name: string;
  /** Runs once, `size` operations long. */
  readonly run: (size: number) => Outcome | Promise<Outcome>;
  /** Gives back what was opened for the runs. */
  readonly close?: () => void | Promise<void>;
};

export type Contest = {
  readonly unit: Unit;
  readonly subject: Contestant;
  /** Each is measured in the same rounds; its target judges the subject against it. */
  readonly versus?: readonly (Contestant & { readonly target?: Target })[];
  /** Judges the subject's figures alone. */
  readonly target?: Target;
  /** Operations of a run, at the usual effort. */
  readonly size: number;
  /** Rounds, and those before them that do not count, at most: where a run is long, or gives many figures. */
  readonly rounds?: number;
  readonly warmUps?: number;
  /** The runs do nothing but what is measured, so that their CPU times may be compared: what others do on the machine is not in them. */
  readonly isPure?: boolean;
  /** All contestants must come to the same hash. */
  readonly isSameForAll?: boolean;
};

/** How much is done: `share` is of a contest's size. */
export type Effort = {
  readonly warmUps: number;
  readonly rounds: number;
  readonly share: number;
  /** The heap is swept before each run, so that one's litter is not swept in another's time. */
  readonly isSwept: boolean;
};
export const usualEffort: Effort = { warmUps: 4, rounds: 15, share: 1, isSwept: true };
export const quickEffort: Effort = { warmUps: 4, rounds: 10, share: 0.4, isSwept: true };
/** Whether it runs at all: for tests, whose heap holds all of them and takes long to sweep. */
export const leastEffort: Effort = { warmUps: 0, rounds: 1, share: 0, isSwept: false };
const sizeMin = 10;

/** Does the work `operations` times and returns a hash of all results. */
export type Work = (operations: number) => number;

/** Nanoseconds for each operation of work that does not wait. */
export const timeOf =
  (work: Work): Contestant["run"] =>
  (operations) => {
    const startedMs = systemClock.monotonicMs();
    const hash = work(operations);
    return { values: [((systemClock.monotonicMs() - startedMs) * 1e6) / operations], hash };
  };

/** Operations a second of work that waits. */
export const rateOf =
  (work: (operations: number) => Promise<number>): Contestant["run"] =>
  async (operations) => {
    const startedMs = systemClock.monotonicMs();
    const hash = await work(operations);
    return { values: [(operations * 1_000) / (systemClock.monotonicMs() - startedMs)], hash };
  };

type Run = Outcome & { readonly cpuMicros: number };

/** The runs of each contestant, the subject's first. */
const runAll = async (contest: Contest, effort: Effort): Promise<Run[][]> => {
  const contestants = [contest.subject, ...(contest.versus ?? [])];
  const runs: Run[][] = contestants.map(() => []);
  const size = Math.max(sizeMin, Math.round(contest.size * effort.share));
  const rounds = Math.min(effort.rounds, contest.rounds ?? effort.rounds);
  const warmUps = Math.min(effort.warmUps, contest.warmUps ?? effort.warmUps);
  for (let round = 0; round < warmUps + rounds; round++) {
    for (let turn = 0; turn < contestants.length; turn++) {
      const place = (round + turn) % contestants.length;
      if (effort.isSwept) Bun.gc(true);
      const before = process.cpuUsage();
      const outcome = await contestants[place]?.run(size);
      const { user, system } = process.cpuUsage(before);
      if (outcome && round >= warmUps) runs[place]?.push({ ...outcome, cpuMicros: user + system });
    }
  }
  return runs;
};

const checkHashes = (name: string, { subject, versus = [], isSameForAll }: Contest, runs: readonly Run[][]): number => {
  const own = runs[0]?.[0]?.hash ?? 0;
  [subject, ...versus].forEach((contestant, place) => {
    const hashes = new Set(runs[place]?.map(({ hash }) => hash));
    if (hashes.size !== 1) throw new Error(`${name}: ${contestant.name} had ${hashes.size} different results`);
    if (isSameForAll && !hashes.has(own)) throw new Error(`${name}: ${contestant.name} came to another result`);
  });
  return own;
};

const valuesOf = (runs: readonly Run[]): number[] => runs.flatMap(({ values }) => values);
const mediansOf = (runs: readonly Run[]): number[] => runs.map(({ values }) => spreadOf(values).median);
const cpuOf = (runs: readonly Run[]): number[] => runs.map(({ cpuMicros }) => cpuMicros);

/** A result for each pair; one for the subject alone where it has no rival, or a target of its own. */
export const measure = async (name: string, contest: Contest, effort: Effort): Promise<readonly Result[]> => {
  const { unit, subject, versus = [], target, isPure } = contest;
  const startedMs = systemClock.monotonicMs();
  const before = process.cpuUsage();
  const [mine = [], ...others] = await runAll(contest, effort).finally(async () => {
    for (const { close } of [subject, ...versus]) await close?.();
  });
  const { user, system } = process.cpuUsage(before);
  const cpuPercent = Math.round((user + system) / 10 / (systemClock.monotonicMs() - startedMs));
  const hash = checkHashes(name, contest, [mine, ...others]).toString(16);
  const spread = spreadOf(valuesOf(mine));
  const beside = mine.at(-1)?.beside;
  const own = { name, unit, ...spread, hash, cpuPercent, ...(beside ? { beside } : {}) };
  const pairs = versus.map((other, index): Result => {
    const theirs = others[index] ?? [];
    const ratios = ratiosOf(unit, mediansOf(mine), mediansOf(theirs));
    const cpu: { readonly cpuRatio?: number } = isPure ? { cpuRatio: ratiosOf("ns", cpuOf(mine), cpuOf(theirs)).ratio } : {};
    // Where others share the machine one of the two may flatter; a target is met when neither misses it.
    const ratio = Math.min(ratios.ratio, cpu.cpuRatio ?? ratios.ratio);
    const judged = other.target === undefined ? {} : judge(unit, { ...spread, ratio }, other.target);
    return { ...own, versus: { name: other.name, ...spreadOf(valuesOf(theirs)) }, ...ratios, ...cpu, ...judged };
  });
  if (target !== undefined) return [{ ...own, ...judge(unit, spread, target) }, ...pairs];
  return pairs.length > 0 ? pairs : [own];
};
