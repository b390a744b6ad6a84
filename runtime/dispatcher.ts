/** Who takes the next turn. (A "scheduler" is a word of the domain here.) */
import type { Clock } from "./clock.ts";

export type Runnable = {
  /** Takes one turn; false when there is nothing to do. */
  readonly step: () => boolean;
};

export type Dispatcher = {
  /** The runnable has work. Scheduling it twice is the same as once. */
  readonly ready: (runnable: Runnable) => void;
};

/** A slice ends after this many turns or this long, whichever comes first; then timers and sockets have their say. */
const sliceTurns = 256;
const sliceMs = 2;

/** Round robin over what is ready. `defer` is `setImmediate`: microtasks alone would starve I/O. */
export const systemDispatcher = (clock: Clock, defer: (run: () => void) => void): Dispatcher => {
  let queue: Runnable[] = [];
  const queued = new Set<Runnable>();
  let deferred = false;

  const slice = () => {
    deferred = false;
    const endMs = clock.monotonicMs() + sliceMs;
    let turns = 0;
    let next = 0;
    while (next < queue.length && turns < sliceTurns) {
      const runnable = queue[next++];
      if (!runnable) break;
      queued.delete(runnable);
      turns++;
      if (runnable.step() && !queued.has(runnable)) {
        queued.add(runnable);
        queue.push(runnable);
      }
      if (clock.monotonicMs() >= endMs) break;
    }
    queue = queue.slice(next);
    if (queue.length > 0) request();
  };

  const request = () => {
    if (deferred) return;
    deferred = true;
    defer(slice);
  };

  return {
    ready(runnable) {
      if (queued.has(runnable)) return;
      queued.add(runnable);
      queue.push(runnable);
      request();
    },
  };
};
