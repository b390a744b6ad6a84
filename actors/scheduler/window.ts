/**
 * Limits on when calls may be sent: at most so many in any window of a length. A sliding log of send times (not a bucket,
 * which would allow twice the limit across its edge). Time is handed in.
 */

export type RateLimits = { readonly rps?: number | undefined; readonly rpm?: number | undefined };

export type SendLimit = {
  /** The earliest time at which a call may be sent, `nowMs` or later. */
  readonly nextAtMs: (nowMs: number) => number;
  readonly take: (nowMs: number) => void;
};

/** Send times kept per window; a greater limit is kept as an equal rate over a shorter window, which is stricter. */
const timesMax = 65_536;

export const sendWindow = (count: number, windowMs: number): SendLimit => {
  let most = count;
  let lengthMs = windowMs;
  if (most < 1) {
    lengthMs /= most;
    most = 1;
  }
  while (most > timesMax) {
    most /= 2;
    lengthMs /= 2;
  }
  const sentAtMs = new Float64Array(Math.floor(most)).fill(Number.NEGATIVE_INFINITY);
  let oldest = 0;
  return {
    nextAtMs: (nowMs) => Math.max(nowMs, (sentAtMs[oldest] ?? 0) + lengthMs),
    take(nowMs) {
      sentAtMs[oldest] = nowMs;
      oldest = (oldest + 1) % sentAtMs.length;
    },
  };
};

/**
 * All limits at once. The provider counts calls as they arrive, not as they are sent: each window is longer by `slackMs`,
 * so that calls that travel unevenly do not crowd into one of its windows.
 */
export const sendLimit = ({ rps, rpm }: RateLimits, slackMs: number): SendLimit => {
  const windows = [
    ...(rps === undefined ? [] : [sendWindow(rps, 1_000 + slackMs)]),
    ...(rpm === undefined ? [] : [sendWindow(rpm, 60_000 + slackMs)]),
  ];
  return {
    nextAtMs: (nowMs) => windows.reduce((latest, window) => Math.max(latest, window.nextAtMs(nowMs)), nowMs),
    take(nowMs) {
      for (const window of windows) window.take(nowMs);
    },
  };
};
