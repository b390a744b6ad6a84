/** A token bucket: `burst` at once, `perSecond` on average. */
import type { Clock } from "../../runtime/clock.ts";

export type Bucket = {
  /** False when there is nothing left. */
  readonly take: () => boolean;
};

export const createBucket = (clock: Clock, perSecond: number, burst: number): Bucket => {
  let tokens = burst;
  let filledAtMs = clock.monotonicMs();
  return {
    take() {
      const nowMs = clock.monotonicMs();
      tokens = Math.min(burst, tokens + ((nowMs - filledAtMs) / 1000) * perSecond);
      filledAtMs = nowMs;
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
};
