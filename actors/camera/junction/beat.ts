/** The beat of a camera that plays in real time: which frame is due when, without drift and without bursts. */

export type Beat = {
  /** Until the next frame is due; negative when it is late. */
  readonly waitMs: (nowMs: number) => number;
  /** The frame to show at `nowMs` and how many were let go since the last; null when none is due yet. */
  readonly take: (nowMs: number) => { readonly frame: number; readonly late: number } | null;
};

/** Timers may fire a moment before their time. */
const earlyMs = 1;
/** After a longer stop, such as a machine that slept, the beat goes on from where it stood. */
const catchUpMs = 10_000;

/** Frame k is due at `firstMs` + k × `periodMs`. */
export const createBeat = (periodMs: number, firstMs: number): Beat => {
  let originMs = firstMs;
  let next = 0;
  const waitMs = (nowMs: number) => originMs + next * periodMs - nowMs;
  return {
    waitMs,
    take(nowMs) {
      const behindMs = -waitMs(nowMs);
      if (behindMs < -earlyMs) return null;
      let late = 0;
      if (behindMs > catchUpMs) {
        originMs += behindMs;
        late = 1;
      } else {
        late = Math.floor(Math.max(0, behindMs) / periodMs);
        next += late;
      }
      const frame = next;
      next += 1;
      // A late frame is not followed at its heels by the next.
      if (waitMs(nowMs) < periodMs / 2) {
        next += 1;
        late += 1;
      }
      return { frame, late };
    },
  };
};
