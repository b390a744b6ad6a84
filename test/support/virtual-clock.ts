/** Time that moves only when a test says so. */
import type { Cancel, Clock } from "../../runtime/clock.ts";

export type VirtualClock = Clock & {
  /** Runs what is due within the next `ms`, in order of time, letting promises settle in between. */
  readonly advance: (ms: number) => Promise<void>;
  /** Moves to the next timer and runs it, without waiting for promises. */
  readonly fireNext: () => void;
  /** When the next timer is due; null when there is none. */
  readonly nextAtMs: () => number | null;
  readonly timers: () => number;
  /** Moves the wall clock alone, as a clock that is set does. */
  readonly skew: (ms: number) => void;
};

type Timer = { readonly atMs: number; readonly order: number; readonly run: () => void; isOpen: boolean };

/** Lets every promise that can settle without the outside world do so. */
export const settlePromises = async (): Promise<void> => {
  for (let round = 0; round < 32; round++) await Promise.resolve();
};

const precedes = (one: Timer, other: Timer): boolean =>
  one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);

/** A binary heap, earliest first. Cancelled timers stay until they come to the top. */
const timerHeap = () => {
  const heap: Timer[] = [];

  const add = (timer: Timer) => {
    let at = heap.length;
    while (at > 0) {
      const above = (at - 1) >>> 1;
      const parent = heap[above];
      if (!parent || !precedes(timer, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = timer;
  };

  const takeFirst = () => {
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      const least = right && left && precedes(right, left) ? right : left;
      if (!least || !precedes(least, last)) break;
      heap[at] = least;
      at = 2 * at + (least === left ? 1 : 2);
    }
    heap[at] = last;
  };

  const first = (): Timer | null => {
    for (let timer = heap[0]; timer; timer = heap[0]) {
      if (timer.isOpen) return timer;
      takeFirst();
    }
    return null;
  };

  return { add, first, takeFirst };
};

export const virtualClock = (startMs = 1_700_000_000_000): VirtualClock => {
  let elapsedMs = 0;
  let skewMs = 0;
  let order = 0;
  let open = 0;
  const timers = timerHeap();

  const close = (timer: Timer) => {
    if (timer.isOpen) open--;
    timer.isOpen = false;
  };

  const fireNext = () => {
    const timer = timers.first();
    if (!timer) return;
    timers.takeFirst();
    close(timer);
    elapsedMs = Math.max(elapsedMs, timer.atMs);
    timer.run();
  };

  return {
    nowMs: () => Math.floor(startMs + elapsedMs + skewMs),
    monotonicMs: () => elapsedMs,
    after(delayMs, run): Cancel {
      const timer = { atMs: elapsedMs + Math.max(0, delayMs), order: order++, run, isOpen: true };
      timers.add(timer);
      open++;
      return () => close(timer);
    },
    async advance(ms) {
      const untilMs = elapsedMs + ms;
      await settlePromises();
      for (let timer = timers.first(); timer && timer.atMs <= untilMs; timer = timers.first()) {
        fireNext();
        await settlePromises();
      }
      elapsedMs = untilMs;
    },
    fireNext,
    nextAtMs: () => timers.first()?.atMs ?? null,
    timers: () => open,
    skew(ms) {
      skewMs += ms;
    },
  };
};
