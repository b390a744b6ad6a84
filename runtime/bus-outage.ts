/** What to do when the bus is away: wait until it is back. The bus itself tells of the outage, once; those who wait are silent. */
import type { Bus } from "./bus.ts";
import type { Cancel, Clock } from "./clock.ts";
import { Fault } from "./errors.ts";

const lookMs = 500;

export const isAway = (thrown: unknown): boolean => thrown instanceof Fault && thrown.code === "unavailable";

/** Calls `again` once, after `delayMs` and not before the bus is up. */
export const whenUp = (bus: Pick<Bus, "health">, clock: Clock, delayMs: number, again: () => void): Cancel => {
  let cancel = clock.after(delayMs, look);
  function look() {
    if (bus.health().status === "up") again();
    else cancel = clock.after(lookMs, look);
  }
  return () => cancel();
};
