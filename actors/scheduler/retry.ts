/** What follows a failed call: another one after a pause, or the end of trying. One loop for everything, under the task's deadline. */
import type { Random } from "../../runtime/random.ts";
import type { CallOutcome } from "./openai.ts";

const backoffMs = { first: 250, cap: 8_000 };
const slowDownMs = { first: 1_000, cap: 8_000 };
/** A call that could not be answered before the deadline is not made. */
const shortestCallMs = 100;

type Failed = Extract<CallOutcome, { readonly ok: false }>;

/** How long a group that was told to slow down takes no call. `failures` counts from 1. */
export const groupPauseMs = ({ retryAfterMs }: Failed, failures: number): number =>
  retryAfterMs ?? Math.min(slowDownMs.cap, slowDownMs.first * 2 ** (failures - 1));

/** The pause before the next call, or null when there is to be none. `calls` were made. Full jitter (Brooker, AWS Architecture Blog). */
export const retryAfterMs = (
  failed: Failed,
  calls: number,
  retriesMax: number,
  leftMs: number,
  random: Random,
): number | null => {
  if (failed.action === "give_up" || calls > retriesMax) return null;
  // Who is told to slow down, or has a dead key, is not asked again: another one may be asked at once.
  const pauseMs = failed.action === "elsewhere" ? random.next() * Math.min(backoffMs.cap, backoffMs.first * 2 ** (calls - 1)) : 0;
  return pauseMs + shortestCallMs <= leftMs ? pauseMs : null;
};
