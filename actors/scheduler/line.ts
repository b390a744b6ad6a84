/** The line of tasks that wait for a call, by urgency, and when a task of it ends without one. */
import type { RiskLevel } from "../../protocols/ids.ts";
import type { Seat } from "./quota.ts";

export type DeskTask = {
  readonly capturedAt: number;
  readonly deadlineAt: number;
  readonly riskLevel: RiskLevel;
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
  readonly urgencyMs: number;
  readonly order: number;
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

export type Line<Task> = {
  readonly enter: (entry: Waiting<Task>) => void;
  readonly leave: (entry: Waiting<Task>) => void;
  /** The whole line, most urgent first; it is empty then. */
  readonly takeAll: () => readonly Waiting<Task>[];
  readonly size: () => number;
};

export const createLine = <Task>(): Line<Task> => {
  const line: Waiting<Task>[] = [];
  return {
    enter(entry) {
      let low = 0;
      let high = line.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        const other = line[middle];
        if (other && (other.urgencyMs - entry.urgencyMs || other.order - entry.order) <= 0) low = middle + 1;
        else high = middle;
      }
      line.splice(low, 0, entry);
    },
    leave(entry) {
      const at = line.indexOf(entry);
      if (at !== -1) line.splice(at, 1);
    },
    takeAll: () => line.splice(0),
    size: () => line.length,
  };
};

/**
 * Null while the task may go on; otherwise how it ends without a further call. `hopeInMs` is when a quota group may take one,
 * `p90Ms` how long calls take of late.
 */
export const endOf = <Task extends DeskTask>(
  { task, calls }: Waiting<Task>,
  leftMs: number,
  hopeInMs: number,
  p90Ms: number,
): [Ended["end"], string] | null => {
  if (leftMs <= 0)
    return ["expired", calls > 0 ? `the deadline passed after ${calls} calls` : "the deadline passed before a call"];
  if (hopeInMs >= leftMs && hopeInMs > shortWaitMs) return ["no-quota", "no quota group can take a call before the deadline"];
  // At most half of the whole time: what calls took in a slow spell must not shut out every task that comes after it.
  const needMs = Math.max(leastCallMs, Math.min(p90Ms + leastCallMs, (task.deadlineAt - task.capturedAt) / 2));
  return leftMs < needMs ? ["expired", "too little time was left for a call"] : null;
};
