/** Waiting for a condition with a bound, never for a fixed time. */
import { delay, systemClock } from "../../runtime/clock.ts";

/** Looks again every few milliseconds until `look` gives something; rejects after `limitMs`, naming what was waited for. */
export const within = async <T>(
  limitMs: number,
  what: string,
  look: () => T | null | undefined | false | Promise<T | null | undefined | false>,
): Promise<T> => {
  const endMs = systemClock.monotonicMs() + limitMs;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (systemClock.monotonicMs() >= endMs) throw new Error(`waited ${limitMs} ms in vain for ${what}`);
    await delay(systemClock, 10);
  }
};
