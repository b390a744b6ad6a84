/** Which frames are wanted, and when they are shown. */

/**
 * Picks frames so that their mean rate is `fps`, however the source's own rate divides. Each pick moves the due time by one
 * whole period, so that late picks do not slow the rate down; a source that falls behind by more than a period starts afresh.
 */
export type DueSchedule = {
  /** Picks the frame, when it is time for one. */
  readonly isDue: (timeMs: number) => boolean;
  /** What `isDue` would say, without picking. */
  readonly wouldBeDue: (timeMs: number) => boolean;
  readonly restart: () => void;
};

export const createDueSchedule = (fps: number): DueSchedule => {
  const periodMs = 1000 / fps;
  // Timestamps are rounded to the stream's time base, so a frame may seem to come a moment before its time.
  const toleranceMs = Math.min(1, periodMs / 10);
  let dueMs: number | null = null;
  const wouldBeDue = (timeMs: number): boolean => dueMs === null || timeMs + toleranceMs >= dueMs;
  return {
    wouldBeDue,
    isDue(timeMs) {
      if (!wouldBeDue(timeMs)) return false;
      const isBehind = dueMs === null || timeMs - dueMs > periodMs;
      dueMs = (isBehind || dueMs === null ? timeMs : dueMs) + periodMs;
      return true;
    },
    restart() {
      dueMs = null;
    },
  };
};

/** More than this behind its own clock, playback goes on from where it is and does not race to catch up. */
const lateMaxMs = 1000;

/** Plays media at its own speed: tells how long a frame at `timelineMs` must still wait. */
export const createPlayback = (): { readonly waitMs: (timelineMs: number, nowMs: number) => number } => {
  let startedAtMs: number | null = null;
  return {
    waitMs(timelineMs, nowMs) {
      startedAtMs ??= nowMs - timelineMs;
      const waitMs = startedAtMs + timelineMs - nowMs;
      if (waitMs < -lateMaxMs) startedAtMs = nowMs - timelineMs;
      return Math.max(0, waitMs);
    },
  };
};
