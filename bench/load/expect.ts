/** What is expected of a run, such as `verdict.e2e.p95<2000`, and whether it holds. */
import type { Figures } from "./tally.ts";

const stats = ["mean", "median", "min", "max", "p95", "p99", "samples"] as const;
type Stat = (typeof stats)[number];

export type Expectation = {
  /** As it was written. */
  readonly text: string;
  readonly name: string;
  readonly stat: Stat;
  readonly operator: "<" | "<=" | ">" | ">=" | "=";
  readonly limit: number;
};

export type Judged = { readonly expectation: Expectation; readonly value: number | null; readonly met: boolean };

const known =
  /^(?:(?:detection|verdict)\.e2e|fps\.(?:achieved|total)|frames\.late|tasks\.rate|groups\.perFrame|rss\.max|loop\.late|verdict\.(?:added|missing)|(?:stage|drops|llm|lag|cpu)\.[\w-]+)$/;
const namesSaid =
  "detection.e2e, verdict.e2e, stage.<name>, fps.achieved, frames.late, drops.<reason>, llm.calls, llm.ok, lag.ms, rss.max, loop.late, or another of the table";
const shape = /^([a-z0-9_.-]+?)\s*(<=|>=|<|>|=)\s*(\d+(?:\.\d+)?)\s*(ms|s|%)?$/i;

const isStat = (text: string): text is Stat => stats.some((stat) => stat === text);

/** Latencies are judged by their P95, memory by its most, everything else by its mean: of one number, that number. */
const statOf = (name: string): Stat => {
  if (name === "rss.max") return "max";
  return /^(detection|verdict)\.e2e$|^stage\.|^(lag\.ms|loop\.late)$/.test(name) ? "p95" : "mean";
};

/** Throws one line for what cannot be read. `p95<2s` is about `verdict.e2e`. */
export const parseExpectation = (text: string): Expectation => {
  const [, left = "", operator, digits, unit] = shape.exec(text.trim()) ?? [];
  if (operator === undefined)
    throw new Error(`--expect takes NAME<LIMIT such as 'verdict.e2e.p95<2000' or 'p95<2s', not ${JSON.stringify(text)}`);
  const last = left.split(".").at(-1) ?? "";
  const stat = isStat(last) && !known.test(left) ? last : null;
  const name = (stat === null ? left : left.slice(0, -(last.length + 1))) || "verdict.e2e";
  if (!known.test(name)) throw new Error(`--expect ${text.trim()}: there is no figure ${name}; there are ${namesSaid}`);
  return {
    text: text.trim(),
    name,
    stat: stat ?? statOf(name),
    operator: operator as Expectation["operator"], // the pattern knows no other
    limit: Number(digits) * (unit === "s" ? 1_000 : 1),
  };
};

const holds = (value: number, { operator, limit }: Expectation): boolean => {
  switch (operator) {
    case "<":
      return value < limit;
    case "<=":
      return value <= limit;
    case ">":
      return value > limit;
    case ">=":
      return value >= limit;
    default:
      return value === limit;
  }
};

/** What was never dropped was dropped for zero times; any other figure that this run does not have is not met. */
export const judgeAll = (expectations: readonly Expectation[], figures: ReadonlyMap<string, Figures>): Judged[] =>
  expectations.map((expectation) => {
    const { name, stat } = expectation;
    const value = figures.get(name)?.[stat] ?? (name.startsWith("drops.") ? 0 : Number.NaN);
    return { expectation, value: Number.isNaN(value) ? null : value, met: holds(value, expectation) };
  });
