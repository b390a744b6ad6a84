/**
 * The line of tasks that wait for a call: who is next, and when a task ends without one. Danger goes before age, and cameras
 * take turns: one that has had more than its share waits longer (start-time fair queueing, Goyal 1996, with age as the tag).
 * Each level of risk has a small share of its own, so that dangers without end leave something to the harmless.
 */
import { type RiskLevel, riskLevels, riskRank } from "../../protocols/ids.ts";
import type { Seat } from "./quota.ts";

export type DeskTask = {
  readonly cameraId: number;
  readonly capturedAt: number;
  readonly deadlineAt: number;
  readonly riskLevel: RiskLevel;
  /** One call at most, and none that fails is made again; not begun with less time than this. */
  readonly onceIfMs?: number;
  readonly spatial?: { readonly vehicles: number; readonly pedestrians: number };
};

/** What the calls of a task came to. `durationMs` is the time within calls; `calls` counts those sent. */
export type Ended = {
  readonly end: "answered" | "bad-answer" | "refused" | "expired" | "no-quota";
  readonly text: string;
  readonly reason: string;
  readonly model: string | null;
  readonly keyId: string | null;
  readonly calls: number;
  readonly durationMs: number;
};

export type Waiting<Task> = {
  readonly task: Task;
  readonly deadlineAt: number;
  readonly order: number;
  readonly tokens: number;
  readonly resolve: (ended: Ended) => void;
  readonly signal: AbortSignal;
  notBeforeMs: number;
  avoid: string | null;
  calls: number;
  retries: number;
  durationMs: number;
  lastReason: string;
  lastSeat: Seat | null;
};

/** No call is worth sending with less; also more than a timer may be early. */
export const leastCallMs = 50;
/** Waiting so long for a place in a provider's one-second window is no want of quota. */
const shortWaitMs = 1_500;
/** Each level of risk stands before others as if it were so much older: dangerous first, yet nothing waits for ever. */
const headStartMs = 2_000;
/** And so does a person beside a vehicle, before others of the same level. */
const personHeadStartMs = 1_000;
const headStartOf = ({ riskLevel, spatial }: DeskTask): number =>
  riskRank(riskLevel) * headStartMs + (spatial && spatial.pedestrians > 0 && spatial.vehicles > 0 ? personHeadStartMs : 0);
/** Being a call ahead of the other cameras weighs as much as being so much younger. */
const turnMs = 1_000;
/** A call for a danger counts less against its camera. */
const turnOf = (level: RiskLevel): number => 1 / (1 + riskRank(level));
/**
 * So many calls may go to higher levels in a row while one of this level could have gone; then it has one. Three levels below
 * the highest make 3 of 23, so that dangers (high and medium) keep at least 21 of 23 calls (deficit round robin, Shreedhar and
 * Varghese 1995, with calls of one size).
 */
export const passedMax = 20;
/** Beyond this many the cameras that were served longest ago are forgotten. */
const camerasMax = 10_000;

export type Line<Entry> = {
  readonly enter: (entry: Entry) => void;
  readonly leave: (entry: Entry) => void;
  /** The next that may go, taken out of the line; null when none may. `newestFirst`: there are more than can be served. */
  readonly next: (nowMs: number, newestFirst: boolean) => Entry | null;
  /** The turn of one that was taken out and had no call after all is not counted. */
  readonly undo: (entry: Entry) => void;
  /** The oldest first, but for those that came back. */
  readonly all: () => Iterable<Entry>;
  readonly size: () => number;
};

/** The one of its level that goes first, and when by its age and claims: the least goes. */
type First<Entry> = { readonly entry: Entry; readonly at: number };
const precedes = <Entry extends Waiting<DeskTask>>(one: First<Entry>, other: First<Entry> | undefined): boolean =>
  !other || one.at < other.at || (one.at === other.at && one.entry.order < other.entry.order);

export const createLine = <Entry extends Waiting<DeskTask>>(): Line<Entry> => {
  const line = new Set<Entry>();
  /** Turns that each camera has had; never behind `clock`, so that a quiet time gives no claim to a flood. */
  const turns = new Map<number, number>();
  let clock = 0;
  /** By rank: calls that went to higher levels since this one had its last, or since it had one that waited. */
  let passed: readonly number[] = riskLevels.map(() => 0);
  let passedBefore = passed;
  const turnsOf = (cameraId: number) => Math.max(clock, turns.get(cameraId) ?? 0);

  const take = (entry: Entry) => {
    line.delete(entry);
    const { cameraId, riskLevel } = entry.task;
    const begun = turnsOf(cameraId);
    clock = Math.max(clock, Math.min(begun, leastTurns()));
    turns.delete(cameraId);
    turns.set(cameraId, begun + turnOf(riskLevel));
    if (turns.size > camerasMax) for (const oldest of turns.keys()) return turns.delete(oldest);
  };
  /** Of the cameras that wait. */
  const leastTurns = () => {
    let least = Number.POSITIVE_INFINITY;
    for (const { task } of line) least = Math.min(least, turnsOf(task.cameraId));
    return least;
  };

  /** Of the first of each level; one that was passed over too often goes before all others. */
  const choose = (firsts: readonly (First<Entry> | undefined)[]): Entry | null => {
    let best: First<Entry> | undefined;
    let owed: First<Entry> | undefined;
    let owedPassed = passedMax;
    // From the highest down: of levels that are owed a call for as long, the higher one has it.
    for (let rank = riskLevels.length - 1; rank >= 0; rank--) {
      const first = firsts[rank];
      if (!first) continue;
      if (precedes(first, best)) best = first;
      const times = passed[rank] ?? 0;
      if (times < owedPassed || (owed && times === owedPassed)) continue;
      owed = first;
      owedPassed = times;
    }
    const chosen = owed ?? best;
    if (!chosen) return null;
    const chosenRank = riskRank(chosen.entry.task.riskLevel);
    passedBefore = passed;
    passed = passed.map((times, rank) => {
      if (rank === chosenRank) return 0;
      return firsts[rank] && rank < chosenRank ? times + 1 : times;
    });
    return chosen.entry;
  };

  return {
    enter: (entry) => void line.add(entry),
    leave: (entry) => void line.delete(entry),
    undo({ task }) {
      passed = passedBefore;
      turns.set(task.cameraId, (turns.get(task.cameraId) ?? 0) - turnOf(task.riskLevel));
    },
    next(nowMs, newestFirst) {
      const firsts: (First<Entry> | undefined)[] = [];
      for (const entry of line) {
        if (entry.notBeforeMs > nowMs) continue;
        const { task, deadlineAt } = entry;
        const age = newestFirst ? -task.capturedAt : deadlineAt;
        const at = age - headStartOf(task) + (turnsOf(task.cameraId) - clock) * turnMs;
        const rank = riskRank(task.riskLevel);
        const first = { entry, at };
        if (precedes(first, firsts[rank])) firsts[rank] = first;
      }
      const chosen = choose(firsts);
      if (!chosen) return null;
      take(chosen);
      return chosen;
    },
    all: () => line,
    size: () => line.size,
  };
};

/** At most half of the whole time: what calls took in a slow spell must not shut out every task that comes after it. */
export const needMsOf = ({ task }: Waiting<DeskTask>, p90Ms: number): number =>
  Math.max(leastCallMs, task.onceIfMs ?? Math.min(p90Ms + leastCallMs, (task.deadlineAt - task.capturedAt) / 2));

/**
 * Null while the task may go on; otherwise how it ends without a further call. `hopeInMs` is when a quota group may take one,
 * `p90Ms` how long calls take of late; `isShut`, whether none can for other reasons than their number.
 */
export const endOf = (
  entry: Waiting<DeskTask>,
  leftMs: number,
  hopeInMs: number,
  p90Ms: number,
  isShut: boolean,
): [Ended["end"], string] | null => {
  const { calls } = entry;
  if (leftMs <= 0)
    return ["expired", calls > 0 ? `the deadline passed after ${calls} calls` : "the deadline passed before a call"];
  if (hopeInMs >= leftMs && hopeInMs > shortWaitMs) return ["no-quota", "no quota group can take a call before the deadline"];
  if (leftMs >= needMsOf(entry, p90Ms)) return null;
  return isShut
    ? ["no-quota", "no quota group was in order before the deadline"]
    : ["expired", "too little time was left for a call"];
};
