/**
 * How a question is measured: warm-up, then rounds in which the subject and those it is measured against take turns, another
 * first in each round, so that what else the machine does falls on all. Figures differ between machines and hours; the ratio
 * within each round is what is reported and judged.
 */
import { systemClock } from "../runtime/clock.ts";
import { judge, type Result, ratioOf, spreadOf, type Target, type Unit } from "./report.ts";

/** What one run gave: figures in the contest's unit, and a hash of all that came out, so that none of the work can be left out. */
export type Outcome = { readonly values: readonly number[]; readonly hash: number };

export type Contestant = {
  readonly name: string;
  /** Runs once, `size` operations long. */
  readonly run: (size: number) => Outcome | Promise<Outcome>;
  /** Gives back what was opened for the runs. */
  readonly close?: () => void | Promise<void>;
};

export type Contest = {
  readonly name: string;
  readonly unit: Unit;
  readonly subject: Contestant;
  /** Each is measured in the same rounds; its target judges the subject against it. */
  readonly versus?: readonly (Contestant & { readonly target?: Target })[];
  /** Judges the subject's figures alone. */
  readonly target?: Target;
  /** Operations of a run, at the usual effort. */
  readonly size: number;
  /** Rounds, where a run is too long for as many as the effort says. */
  readonly samples?: number;
  /** All contestants must come to the same hash. */
  readonly isSameForAll?: boolean;
};

/** How much is done: `share` is of a contest's size. */
export type Effort = { readonly warmUps: number; readonly samples: number; readonly share: number };
export const usualEffort: Effort = { warmUps: 4, samples: 15, share: 1 };
export const quickEffort: Effort = { warmUps: 2, samples: 10, share: 0.25 };
/** Whether it runs at all: for tests. */
export const leastEffort: Effort = { warmUps: 0, samples: 1, share: 0 };
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

/** The outcomes of each contestant, the subject's first. */
const runAll = async (contest: Contest, effort: Effort): Promise<Outcome[][]> => {
  const contestants = [contest.subject, ...(contest.versus ?? [])];
  const outcomes: Outcome[][] = contestants.map(() => []);
  const size = Math.max(sizeMin, Math.round(contest.size * effort.share));
  const rounds = Math.min(effort.samples, contest.samples ?? effort.samples);
  const warmUps = Math.min(effort.warmUps, rounds);
  for (let round = 0; round < warmUps + rounds; round++) {
    for (let turn = 0; turn < contestants.length; turn++) {
      const place = (round + turn) % contestants.length;
      Bun.gc(true); // one's litter is not swept in another's time
      const outcome = await contestants[place]?.run(size);
      if (outcome && round >= warmUps) outcomes[place]?.push(outcome);
    }
  }
  return outcomes;
};

const checkHashes = ({ name, subject, versus = [], isSameForAll }: Contest, outcomes: readonly Outcome[][]): number => {
  const own = outcomes[0]?.[0]?.hash ?? 0;
  [subject, ...versus].forEach((contestant, place) => {
    const hashes = new Set(outcomes[place]?.map(({ hash }) => hash));
    if (hashes.size !== 1) throw new Error(`${name}: ${contestant.name} had ${hashes.size} different results`);
    if (isSameForAll && !hashes.has(own)) throw new Error(`${name}: ${contestant.name} came to another result`);
  });
  return own;
};

const valuesOf = (outcomes: readonly Outcome[] = []): number[] => outcomes.flatMap(({ values }) => values);
const mediansOf = (outcomes: readonly Outcome[] = []): number[] => outcomes.map(({ values }) => spreadOf(values).median);

/** A result for each pair; one for the subject alone where it has no rival, or a target of its own. */
export const measure = async (contest: Contest, effort: Effort): Promise<readonly Result[]> => {
  const { name, unit, subject, versus = [], target } = contest;
  const startedMs = systemClock.monotonicMs();
  const before = process.cpuUsage();
  const outcomes = await runAll(contest, effort).finally(async () => {
    for (const { close } of [subject, ...versus]) await close?.();
  });
  const { user, system } = process.cpuUsage(before);
  const cpuPercent = Math.round((user + system) / 10 / (systemClock.monotonicMs() - startedMs));
  const hash = checkHashes(contest, outcomes).toString(16);
  const spread = spreadOf(valuesOf(outcomes[0]));
  const own = { name, unit, ...spread, hash, cpuPercent };
  const pairs = versus.map((other, index): Result => {
    const theirs = outcomes[index + 1];
    const ratios = ratioOf(unit, mediansOf(outcomes[0]), mediansOf(theirs));
    const judged = other.target === undefined ? {} : judge(unit, { ...spread, ...ratios }, other.target);
    return { ...own, versus: { name: other.name, ...spreadOf(valuesOf(theirs)) }, ...ratios, ...judged };
  });
  if (target !== undefined) return [{ ...own, ...judge(unit, spread, target) }, ...pairs];
  return pairs.length > 0 ? pairs : [own];
};
