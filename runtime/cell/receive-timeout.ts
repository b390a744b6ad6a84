/** Tells an actor that it has heard nothing for long. */
import type { Clock } from "../clock.ts";

export type Listening = {
  readonly afterMs: number;
  readonly lastHeardMs: () => number;
  readonly isOver: () => boolean;
  /** Must move `lastHeardMs` on. */
  readonly timedOut: () => void;
};

/** One timer at a time, however many messages come: it looks when the last one was heard, and sleeps for the rest. */
export const armReceiveTimeout = (clock: Clock, { afterMs, lastHeardMs, isOver, timedOut }: Listening): void => {
  const check = () => {
    if (isOver()) return;
    if (clock.monotonicMs() - lastHeardMs() >= afterMs) timedOut();
    clock.after(Math.max(1, afterMs - (clock.monotonicMs() - lastHeardMs())), check);
  };
  clock.after(afterMs, check);
};
