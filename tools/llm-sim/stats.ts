/** What the simulator counts of the requests to its chat endpoint. */

export type Stats = {
  readonly requests: number;
  /** Answered in full, readable or not. */
  readonly ok: number;
  /** Answered with an error of any kind. The rest are under way, or their clients went away. */
  readonly rejected: number;
  /** Arrivals over a limit of their account. */
  readonly violations: number;
  readonly maxInFlight: number;
  /** Requests by the last four characters of their key. */
  readonly byKey: Readonly<Record<string, number>>;
};

export const inFlightMax = 2_000;
const keysMax = 1_000;
const otherKeys = "other";
const noKey = "none";

export const createTally = () => {
  const counts = { requests: 0, ok: 0, rejected: 0, violations: 0, maxInFlight: 0 };
  const byKey = new Map<string, number>();
  let inFlight = 0;
  return {
    count(what: "ok" | "rejected" | "violations"): void {
      counts[what]++;
    },
    /** The number of the request, from 1. */
    arrive(key: string): number {
      const masked = key.slice(-4) || noKey;
      // The last place is that of all keys which find none.
      const name = byKey.has(masked) || byKey.size < keysMax - 1 ? masked : otherKeys;
      byKey.set(name, (byKey.get(name) ?? 0) + 1);
      return ++counts.requests;
    },
    /** False when no more may be in flight; else to be ended by `leave`. */
    enter(): boolean {
      if (inFlight >= inFlightMax) return false;
      inFlight++;
      counts.maxInFlight = Math.max(counts.maxInFlight, inFlight);
      return true;
    },
    leave(): void {
      inFlight--;
    },
    stats: (): Stats => ({ ...counts, byKey: Object.fromEntries(byKey) }),
  };
};
