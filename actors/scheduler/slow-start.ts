/**
 * The rate of a group after its provider called it too fast: half of what it had reached, then rising steadily, until the
 * configured limits are what holds it. Pure state over a time that is handed in.
 */

export type SlowStart = {
  readonly nextAtMs: (nowMs: number) => number;
  readonly took: (nowMs: number) => void;
  /** Refused for its rate: begin again at half of what went in the last second. */
  readonly refused: (nowMs: number) => void;
  /** Calls a second that are allowed; null when nothing is held back. */
  readonly rps: (nowMs: number) => number | null;
};

/** Grows by a tenth of the rate that was too much each second: back there after five, past it in thirty. */
const growth = 0.1;
const endsAfterMs = 30_000;

export const createSlowStart = (): SlowStart => {
  let recent: number[] = [];
  let begunAtMs: number | null = null;
  let wasRps = 0;
  let lastAtMs = Number.NEGATIVE_INFINITY;
  const rps = (nowMs: number): number | null => {
    if (begunAtMs === null) return null;
    const passedMs = nowMs - begunAtMs;
    if (passedMs > endsAfterMs) {
      begunAtMs = null;
      return null;
    }
    return Math.max(1, wasRps * (0.5 + growth * (Math.max(0, passedMs) / 1_000)));
  };
  return {
    nextAtMs(nowMs) {
      const allowed = rps(nowMs);
      return allowed === null ? nowMs : Math.max(nowMs, lastAtMs + 1_000 / allowed);
    },
    took(nowMs) {
      lastAtMs = nowMs;
      recent.push(nowMs);
      if ((recent[0] ?? nowMs) <= nowMs - 2_000) recent = recent.filter((atMs) => atMs > nowMs - 1_000);
    },
    refused(nowMs) {
      const allowed = rps(nowMs);
      const reached = recent.filter((atMs) => atMs > lastAtMs - 1_000).length;
      wasRps = Math.max(1, allowed === null ? reached : Math.min(allowed, reached));
      begunAtMs = nowMs;
    },
    rps,
  };
};
