/** How often is too often: failures in a sliding window, where one poison record counts once however often it is delivered. */
import type { Random } from "./random.ts";

export type Tolerance = {
  /** More distinct failures than this within `withinMs` are too many. */
  readonly restarts: number;
  readonly withinMs: number;
  /** First and longest wait before a restart; doubled each time, with full jitter, and reset after `withinMs` of quiet. */
  readonly backoffMs: readonly [first: number, cap: number];
};

export type Intensity = {
  /** Records a failure; false when there were too many. A failure without a cause counts for itself. */
  readonly allows: (atMs: number, causeKeys: readonly string[]) => boolean;
  readonly left: (atMs: number) => number;
  readonly backoffMs: (atMs: number, random: Random) => number;
};

/** Doubling more often than this changes nothing. */
const doublingsMax = 30;

export const createIntensity = ({ restarts, withinMs, backoffMs: [first, cap] }: Tolerance): Intensity => {
  /** When each was seen last, oldest first: however often one record fails, it takes one place. */
  const lastAtMs = new Map<string, number>();
  /** When the last failures were, one record's or not. */
  let latest: number[] = [];
  let count = 0;

  const distinct = (atMs: number): number => {
    for (const [key, seenAtMs] of lastAtMs) {
      if (atMs - seenAtMs < withinMs) break;
      lastAtMs.delete(key);
    }
    return lastAtMs.size;
  };

  return {
    allows(atMs, causeKeys) {
      const key = causeKeys.length > 0 ? causeKeys.join(" ") : `failure ${count++}`;
      lastAtMs.delete(key);
      lastAtMs.set(key, atMs);
      latest = [...latest.slice(-doublingsMax), atMs];
      return distinct(atMs) <= restarts;
    },
    left: (atMs) => Math.max(0, restarts - distinct(atMs)),
    backoffMs(atMs, random) {
      const recent = latest.filter((seenAtMs) => atMs - seenAtMs < withinMs).length;
      const ceiling = Math.min(cap, first * 2 ** Math.max(0, recent - 1));
      return ceiling / 2 + (ceiling / 2) * random.next();
    },
  };
};
