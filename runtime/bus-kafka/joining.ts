/**
 * How a member of a group tries to join. A coordinator that loads the group, or that another broker is about to succeed, is a
 * phase of the start of a broker: asked again soon, and said only when it lasts.
 */
import type { Clock } from "../clock.ts";
import type { Fault } from "../errors.ts";
import { isOfCoordinator } from "./faults.ts";

export type Joining = {
  /** Answers how long to wait before the next try, and whether what failed is to be said. */
  readonly failed: (fault: Fault) => { readonly waitMs: number; readonly isLong: boolean };
  /** The group has given the member its share. */
  readonly joined: () => void;
  /** Why the member reads nothing; null while it does, and for short whiles in which it joins again. */
  readonly trouble: () => string | null;
};

/** A fresh broker makes the topic of offsets first, which takes it seconds on a busy machine. */
const patienceMs = 30_000;
const soonMs = { first: 100, cap: 1_000 };
const laterMs = { first: 500, cap: 30_000 };

export const createJoining = (what: string, clock: Clock): Joining => {
  let hasJoined = false;
  let tries = 0;
  let sinceMs: number | null = null;
  let last = "";
  let isSaid = false;
  const isLong = () => sinceMs !== null && clock.monotonicMs() - sinceMs >= patienceMs;
  return {
    failed(fault) {
      last = fault.message;
      const isCoordinator = isOfCoordinator(fault);
      if (isCoordinator) sinceMs ??= clock.monotonicMs();
      else sinceMs = null;
      const { first, cap } = isCoordinator ? soonMs : laterMs;
      const wasSaid = isSaid;
      isSaid = isLong();
      return { waitMs: Math.min(cap, first * 2 ** tries++), isLong: isSaid && !wasSaid };
    },
    joined() {
      hasJoined = true;
      tries = 0;
      sinceMs = null;
      isSaid = false;
      last = "";
    },
    trouble() {
      if (hasJoined && !isLong()) return null;
      return last === "" ? `${what} is being joined` : last;
    },
  };
};
