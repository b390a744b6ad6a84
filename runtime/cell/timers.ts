/** An incarnation's keyed timers. Each holds the causes of the turn that set it. */
import type { Cancel, Clock } from "../clock.ts";
import type { Envelope } from "../envelope.ts";
import { abandonAll, type Cause, releaseAll } from "../settlement.ts";

export type CellTimers = {
  /** Sets `key` for `turnCauses` and those of the timer that it replaces. */
  readonly set: (key: string, delayMs: number, envelope: Envelope, turnCauses: readonly Cause[]) => void;
  /** The causes of a cancelled timer end with the turn that cancels it. */
  readonly cancel: (key: string) => void;
  readonly abandon: (reason: string) => void;
  readonly holdCauses: () => boolean;
};

type Timer = { readonly cancel: Cancel; readonly causes: readonly Cause[] };

export const createTimers = (clock: Clock, fired: (envelope: Envelope) => void): CellTimers => {
  const timers = new Map<string, Timer>();

  const remove = (key: string): readonly Cause[] => {
    const timer = timers.get(key);
    if (!timer) return [];
    timers.delete(key);
    timer.cancel();
    return timer.causes;
  };

  return {
    set(key, delayMs, envelope, turnCauses) {
      const inherited = remove(key);
      const added = turnCauses.filter((cause) => !inherited.includes(cause));
      for (const cause of added) cause.hold();
      const causes = added.length === 0 ? inherited : [...inherited, ...added];
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
    cancel: (key) => releaseAll(remove(key)),
    abandon(reason) {
      for (const key of [...timers.keys()]) abandonAll(remove(key), reason);
    },
    holdCauses: () => [...timers.values()].some(({ causes }) => causes.length > 0),
  };
};
