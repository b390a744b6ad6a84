/** Time, handed in. This file holds the project's only wall clock, monotonic clock and timers. */

export type Cancel = () => void;

export type Clock = {
  /** Milliseconds since the epoch. May jump; never use it for durations. */
  readonly nowMs: () => number;
  /** Milliseconds from an arbitrary origin, never going back. */
  readonly monotonicMs: () => number;
  /** Calls `run` once after `delayMs`. A fired or cancelled timer may be cancelled again without harm. */
  readonly after: (delayMs: number, run: () => void) => Cancel;
};

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, Math.max(0, delayMs));
    return () => clearTimeout(timer);
  },
};

/** Resolves after `delayMs` of `clock`'s time; rejects with the signal's reason when it is aborted first. */
export const delay = (clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener("abort", stop);
      resolve();
    });
    signal?.addEventListener("abort", stop, { once: true });
  });

/** Calls `run` every `periodMs` until cancelled; a run that takes longer than the period delays the next. */
export const every = (clock: Clock, periodMs: number, run: () => void): Cancel => {
  let cancel: Cancel = () => {};
  const arm = () => {
    cancel = clock.after(periodMs, () => {
      arm();
      run();
    });
  };
  arm();
  return () => cancel();
};
