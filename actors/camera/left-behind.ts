/** Work that may never come back, as native code may not: it is waited for a while, then left behind and counted. */
import type { Clock } from "../../runtime/clock.ts";

/** `work`, or the signal's reason when it aborts first. */
export const unlessAborted = <T>(work: Promise<T>, signal: AbortSignal): Promise<T> =>
  new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });

export type LeftBehind = {
  /** Resolves when `work` has ended, well or badly, or after the grace time. */
  readonly wait: (work: Promise<unknown>) => Promise<void>;
  /** Resolves when fewer than `most` pieces of work are still out; rejects when `signal` aborts. */
  readonly fewerThan: (most: number, signal: AbortSignal) => Promise<void>;
};

export const createLeftBehind = (clock: Clock, graceMs: number): LeftBehind => {
  const out = new Set<Promise<void>>();
  return {
    wait(work) {
      const ended: Promise<void> = work
        .then(
          () => {},
          () => {}, // what it says after it was given up is of no use
        )
        .then(() => void out.delete(ended));
      out.add(ended);
      return new Promise((resolve) => {
        const cancel = clock.after(graceMs, resolve);
        void ended.then(cancel).then(resolve);
      });
    },
    async fewerThan(most, signal) {
      while (out.size >= most) await unlessAborted(Promise.race(out), signal);
    },
  };
};
