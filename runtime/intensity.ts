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

export const createIntensity = ({ restarts, withinMs, backoffMs: [first, cap] }: Tolerance): Intensity => {
  let failures: { readonly atMs: number; readonly key: string }[] = [];
  let count = 0;

  const distinct = (atMs: number): number => {
    failures = failures.filter((failure) => atMs - failure.atMs < withinMs);
    return new Set(failures.map(({ key }) => key)).size;
  };

  return {
    allows(atMs, causeKeys) {
      failures.push({ atMs, key: causeKeys.length > 0 ? causeKeys.join(" ") : `failure ${count++}` });
      if (failures.length > restarts * 4 + 16) failures.splice(0, 1); // a patient supervisor's window stays small
      return distinct(atMs) <= restarts;
    },
    left: (atMs) => Math.max(0, restarts - distinct(atMs)),
    backoffMs(atMs, random) {
      const recent = failures.filter((failure) => atMs - failure.atMs < withinMs).length;
      const ceiling = Math.min(cap, first * 2 ** Math.min(30, Math.max(0, recent - 1)));
      return ceiling / 2 + (ceiling / 2) * random.next();
    },
  };
};
