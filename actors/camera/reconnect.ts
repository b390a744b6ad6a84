/**
 * How long to wait before a lost source is opened again: exponential backoff with full jitter
 * (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). It never gives up.
 */
import type { Random } from "../../runtime/random.ts";

export type BackoffSettings = {
  readonly baseMs: number;
  readonly capMs: number;
  /** A source that delivered for so long starts again from `baseMs`. */
  readonly resetAfterMs: number;
};

export const backoffDefaults: BackoffSettings = { baseMs: 500, capMs: 30_000, resetAfterMs: 30_000 };

export type Backoff = {
  /** The wait after a session that delivered frames for `deliveredMs` (0 when it never opened). */
  readonly afterMs: (deliveredMs: number) => number;
  /** Sessions lost since the last one that lasted. */
  readonly failures: () => number;
};

export const createBackoff = (random: Random, settings: BackoffSettings = backoffDefaults): Backoff => {
  let failures = 0;
  return {
    afterMs(deliveredMs) {
      if (deliveredMs >= settings.resetAfterMs) failures = 0;
      // The exponent is bounded, so that years of failing cannot overflow it.
      const ceilingMs = Math.min(settings.capMs, settings.baseMs * 2 ** Math.min(failures, 30));
      failures++;
      return random.next() * ceilingMs;
    },
    failures: () => failures,
  };
};
