/** Time that moves only when a test says so. */
import type { Cancel, Clock } from "../../runtime/clock.ts";

export type VirtualClock = Clock & {
  /** Runs what is due within the next `ms`, in order of time, letting promises settle in between. */
  readonly advance: (ms: number) => Promise<void>;
  /** When the next timer is due; null when there is none. */
  readonly nextAtMs: () => number | null;
  readonly timers: () => number;
  /** Moves the wall clock alone, as a clock that is set does. */
  readonly skew: (ms: number) => void;
};

type Timer = { readonly atMs: number; readonly order: number; readonly run: () => void };

/** Lets every promise that can settle without the outside world do so. */
export const settlePromises = async (): Promise<void> => {
  for (let round = 0; round < 32; round++) await Promise.resolve();
};

export const virtualClock = (startMs = 1_700_000_000_000): VirtualClock => {
  let elapsedMs = 0;
  let skewMs = 0;
  let order = 0;
  const timers = new Set<Timer>();

  const next = (): Timer | null => {
    let first: Timer | null = null;
    for (const timer of timers) {
      if (!first || timer.atMs < first.atMs || (timer.atMs === first.atMs && timer.order < first.order)) first = timer;
    }
    return first;
  };

  return {
    nowMs: () => Math.floor(startMs + elapsedMs + skewMs),
    monotonicMs: () => elapsedMs,
    after(delayMs, run): Cancel {
      const timer = { atMs: elapsedMs + Math.max(0, delayMs), order: order++, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    async advance(ms) {
      const untilMs = elapsedMs + ms;
      await settlePromises();
      for (let timer = next(); timer && timer.atMs <= untilMs; timer = next()) {
        timers.delete(timer);
        elapsedMs = timer.atMs;
        timer.run();
        await settlePromises();
      }
      elapsedMs = untilMs;
    },
    nextAtMs: () => next()?.atMs ?? null,
    timers: () => timers.size,
    skew(ms) {
      skewMs += ms;
    },
  };
};
