/** An incarnation's keyed timers. Each holds the causes of the turn that set it. */
import type { Cancel, Clock } from "../clock.ts";
import type { Envelope } from "../envelope.ts";
import { abandonAll, type Cause, holdAll } from "../settlement.ts";

export type CellTimers = {
  /** Holds the causes until the timer fires or is taken back. The key must be free. */
  readonly set: (key: string, delayMs: number, envelope: Envelope, causes: readonly Cause[]) => void;
  /** Ends a timer; its holds are the caller's from now on. Nothing where none is set. */
  readonly takeBack: (key: string) => readonly Cause[];
  readonly abandon: (reason: string) => void;
  readonly holdCauses: () => boolean;
};

type Timer = { readonly cancel: Cancel; readonly causes: readonly Cause[] };

export const createTimers = (clock: Clock, fired: (envelope: Envelope) => void): CellTimers => {
  const timers = new Map<string, Timer>();

  const takeBack = (key: string): readonly Cause[] => {
    const timer = timers.get(key);
    if (!timer) return [];
    timers.delete(key);
    timer.cancel();
    return timer.causes;
  };

  return {
    set(key, delayMs, envelope, causes) {
      holdAll(causes);
      const timer: Timer = {
        causes,
        cancel: clock.after(delayMs, () => {
          if (timers.get(key) !== timer) return;
          timers.delete(key);
          fired({ ...envelope, causes });
        }),
      };
      timers.set(key, timer);
    },
    takeBack,
    abandon(reason) {
      for (const key of [...timers.keys()]) abandonAll(takeBack(key), reason);
    },
    holdCauses: () => [...timers.values()].some(({ causes }) => causes.length > 0),
  };
};
