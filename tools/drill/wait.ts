/** Waiting for a condition, with a bound. */
import { delay, systemClock } from "../../runtime/clock.ts";

/** Not oftener: a look at the whole tree is work that the tree itself must wait for. */
const lookEveryMs = 25;

/** Looks again every few milliseconds; rejects after `limitMs`, naming what was waited for. */
export const waitFor = async (
  limitMs: number,
  what: string | (() => string),
  look: () => boolean | Promise<boolean>,
): Promise<void> => {
  const endMs = systemClock.monotonicMs() + limitMs;
  while (!(await look())) {
    if (systemClock.monotonicMs() >= endMs)
      throw new Error(`waited ${limitMs} ms in vain for ${typeof what === "string" ? what : what()}`);
    await delay(systemClock, lookEveryMs);
  }
};
