/** Who takes the next turn. (A "scheduler" is a word of the domain here.) */
import type { Clock } from "./clock.ts";

export type Runnable = {
  /** Takes one turn; false when there is nothing to do. */
  readonly step: () => boolean;
  /** The dispatcher's own mark. */
  isQueued: boolean;
};

export type Dispatcher = {
  /** The runnable has work. Scheduling it twice is the same as once. */
  readonly ready: (runnable: Runnable) => void;
  /** The monotonic time at which the turn in progress began; the present where none is. Saves each message a look at the clock. */
  readonly atMs: () => number;
};

/** A slice ends after this many turns or this long, whichever comes first; then timers and sockets have their say. */
const sliceTurns = 256;
const sliceMs = 2;

/** Round robin over what is ready. `defer` is `setImmediate`: microtasks alone would starve I/O. */
export const systemDispatcher = (clock: Clock, defer: (run: () => void) => void): Dispatcher => {
  let queue: Runnable[] = [];
  let next = 0;
  let isDeferred = false;
  let atMs: number | null = null;

  const slice = () => {
    isDeferred = false;
    atMs = clock.monotonicMs();
    const endMs = atMs + sliceMs;
    try {
      for (let turns = 0; next < queue.length && turns < sliceTurns; turns++) {
        const runnable = queue[next++];
        if (!runnable) break;
        runnable.isQueued = false;
        if (runnable.step() && !runnable.isQueued) {
          runnable.isQueued = true;
          queue.push(runnable);
        }
        atMs = clock.monotonicMs();
        if (atMs >= endMs) break;
      }
    } finally {
      // A fault of the runtime itself must not keep the others from their turns.
      atMs = null;
      queue = next === queue.length ? [] : queue.slice(next);
      next = 0;
      if (queue.length > 0) request();
    }
  };

  const request = () => {
    if (isDeferred) return;
    isDeferred = true;
    defer(slice);
  };

  return {
    ready(runnable) {
      if (runnable.isQueued) return;
      runnable.isQueued = true;
      queue.push(runnable);
      request();
    },
    atMs: () => atMs ?? clock.monotonicMs(),
  };
};
