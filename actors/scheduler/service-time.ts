/** How long calls take of late: a call is not begun that would most likely outlast its task's deadline. */

export type ServiceTime = {
  readonly add: (durationMs: number, nowMs: number) => void;
  /** The 90th percentile of recent calls; 0 while too few are known. */
  readonly p90Ms: (nowMs: number) => number;
};

const samplesMax = 128;
const samplesMin = 20;
/** Sorting at each call would cost more than the call's own bookkeeping. */
const samplesPerSort = 16;
/** After a slow spell nothing may be called, so nothing is learnt: what was learnt has to fade by itself. */
const memoryMs = 60_000;

export const createServiceTime = (): ServiceTime => {
  const samples: { readonly atMs: number; readonly durationMs: number }[] = [];
  let known: number | null = null;
  let sinceSort = 0;
  return {
    add(durationMs, nowMs) {
      samples.push({ atMs: nowMs, durationMs });
      if (samples.length > samplesMax) samples.shift();
      sinceSort++;
    },
    p90Ms(nowMs) {
      while (samples[0] && samples[0].atMs < nowMs - memoryMs) {
        samples.shift();
        known = null;
      }
      if (samples.length < samplesMin) return 0;
      if (known === null || sinceSort >= samplesPerSort) {
        const sorted = samples.map(({ durationMs }) => durationMs).sort((a, b) => a - b);
        known = sorted[Math.floor(sorted.length * 0.9)] ?? 0;
        sinceSort = 0;
      }
      return known;
    },
  };
};
