/** Media time from a stream's timestamps, which may be missing, wrap, jump or begin again. */

export type MediaTime = { readonly mediaTimeMs: number; readonly segment: number };

export type MediaClock = {
  /** `ptsMs` as the stream says it, null when it says nothing; `arrivalMs` on the monotonic clock. */
  readonly read: (ptsMs: number | null, arrivalMs: number) => MediaTime;
  /** The next frame opens a segment: the source was opened again, or a file plays again. */
  readonly restart: () => void;
};

/** A step back up to this is jitter of the sender's clock; more is a reset. */
const backMaxMs = 1000;
/** A step ahead of the time that really passed by more than this is a reset. */
const aheadMaxMs = 10_000;

/** Time strictly rises within a segment; a reset opens the next one. */
export const createMediaClock = (): MediaClock => {
  let segment = 0;
  let last: { readonly ptsMs: number | null; readonly arrivalMs: number; readonly mediaTimeMs: number } | null = null;
  let hasStarted = false;

  const start = (ptsMs: number | null): number => {
    if (hasStarted) segment++;
    hasStarted = true;
    return ptsMs ?? 0;
  };

  return {
    read(ptsMs, arrivalMs) {
      let mediaTimeMs: number;
      if (last === null) {
        mediaTimeMs = start(ptsMs);
      } else {
        const passedMs = Math.max(1, arrivalMs - last.arrivalMs);
        const stepMs = ptsMs === null || last.ptsMs === null ? passedMs : ptsMs - last.ptsMs;
        if (stepMs < -backMaxMs || stepMs > passedMs + aheadMaxMs) mediaTimeMs = start(ptsMs);
        else mediaTimeMs = last.mediaTimeMs + (stepMs > 0 ? stepMs : passedMs);
      }
      last = { ptsMs, arrivalMs, mediaTimeMs };
      return { mediaTimeMs, segment };
    },
    restart() {
      last = null;
    },
  };
};
