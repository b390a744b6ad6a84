/**
 * How many calls a quota group may have in flight: additive increase, multiplicative decrease (Chiu and Jain 1989, as in TCP),
 * under the configured ceiling. Signs of strain are refusals, failures of the provider, and calls that take far longer than
 * they used to. Pure state over a time that is handed in.
 */

export type Concurrency = {
  readonly limit: () => number;
  /** A call that was begun at `beganAtMs` was answered. `inFlight` counts it. */
  readonly answered: (beganAtMs: number, durationMs: number, inFlight: number, nowMs: number) => void;
  readonly strained: (beganAtMs: number, nowMs: number) => void;
};

const decrease = 0.7;
/** Of calls of late, and of the long run: weights of exponential averages. */
const [recentWeight, usualWeight] = [1 / 16, 1 / 256];
/** An average over fewer calls than this says nothing. */
const callsMin = 64;
/** Answers of models take their time: only a multiple of the usual is strain. */
const strainRatio = 2.5;

export const createConcurrency = (ceiling: number): Concurrency => {
  let limit = ceiling;
  let decreasedAtMs = Number.NEGATIVE_INFINITY;
  let recentMs = 0;
  let usualMs = 0;
  let calls = 0;

  /** Calls that were under way at the last decrease tell of the load before it. */
  const shrink = (beganAtMs: number, nowMs: number) => {
    if (beganAtMs < decreasedAtMs) return;
    limit = Math.max(1, limit * decrease);
    decreasedAtMs = nowMs;
  };

  return {
    limit: () => Math.floor(limit),
    answered(beganAtMs, durationMs, inFlight, nowMs) {
      calls++;
      recentMs += (durationMs - recentMs) * Math.max(recentWeight, 1 / calls);
      usualMs += (durationMs - usualMs) * Math.max(usualWeight, 1 / calls);
      if (calls >= callsMin && recentMs > usualMs * strainRatio) return shrink(beganAtMs, nowMs);
      // Room that is not used proves nothing.
      if (inFlight >= Math.floor(limit) - 1) limit = Math.min(ceiling, limit + 1 / limit);
    },
    strained: shrink,
  };
};
