/**
 * The rate of a group after its provider said that it rose too fast: half of what it had reached, then rising steadily, until
 * the configured limits are what holds it. Pure state over a time that is handed in.
 */

export type SlowStart = {
  readonly nextAtMs: (nowMs: number) => number;
  readonly took: (nowMs: number) => void;
  /** Calls go on at `resumesAtMs`, with half of what may go now, or went in the fullest second of late. */
  readonly refused: (nowMs: number, resumesAtMs: number) => void;
  /** Calls in any second that are allowed; null when nothing is held back. */
  readonly rps: (nowMs: number) => number | null;
};

const secondMs = 1_000;
/** Grows by a tenth of the rate that was too much each second: back there after five, past it in thirty. */
const growth = 0.1;
const endsAfterMs = 30_000;
/** No provider calls this a steep rise; less would let one refusal in a row of accidents stop the group. */
const rpsMin = 5;
const recentMax = 4_096;

export const createSlowStart = (): SlowStart => {
  /** Send times, oldest first. */
  let recent: number[] = [];
  let begunAtMs: number | null = null;
  let wasRps = 0;

  const rps = (nowMs: number): number | null => {
    if (begunAtMs === null) return null;
    const passedMs = nowMs - begunAtMs;
    if (passedMs > endsAfterMs) {
      begunAtMs = null;
      return null;
    }
    return Math.floor(Math.max(rpsMin, wasRps * 0.5) + Math.max(1, wasRps * growth) * (Math.max(0, passedMs) / secondMs));
  };
  /** Calls of the fullest second that ended with a call. */
  const reached = (): number => {
    let [most, first] = [0, 0];
    recent.forEach((atMs, index) => {
      while ((recent[first] ?? atMs) <= atMs - secondMs) first++;
      most = Math.max(most, index - first + 1);
    });
    return most;
  };

  return {
    nextAtMs(nowMs) {
      const allowed = rps(nowMs);
      const earlier = allowed === null ? undefined : recent[recent.length - allowed];
      return earlier === undefined ? nowMs : Math.max(nowMs, earlier + secondMs);
    },
    took(nowMs) {
      recent.push(nowMs);
      if (recent.length > recentMax || (recent[0] ?? nowMs) <= nowMs - 4 * secondMs)
        recent = recent.filter((atMs) => atMs > nowMs - 2 * secondMs).slice(-recentMax / 2);
    },
    refused(nowMs, resumesAtMs) {
      wasRps = rps(nowMs) ?? reached();
      begunAtMs = resumesAtMs;
    },
    rps,
  };
};
