/** Whether the cluster answers: told by every part of the driver, warned of once an outage. */
import type { BusHealth } from "../bus.ts";
import type { Clock } from "../clock.ts";
import type { Fault } from "../errors.ts";
import type { Log } from "../log.ts";

export type Outage = {
  readonly worked: () => void;
  /** Only what is unavailable counts: a refusal is an answer. */
  readonly failed: (fault: Fault) => void;
  readonly health: () => BusHealth;
};

/** A further line while it lasts. */
const remindMs = 300_000;

export const createOutage = (clock: Clock, log: Log, where: string): Outage => {
  let reason: string | null = null;
  let sinceMs = 0;
  let warnedAtMs = 0;
  return {
    worked() {
      if (reason === null) return;
      reason = null;
      log.info("bus.back", { driver: "kafka", awayMs: Math.round(clock.monotonicMs() - sinceMs) });
    },
    failed(fault) {
      if (fault.code !== "unavailable") return;
      const nowMs = clock.monotonicMs();
      if (reason === null) sinceMs = nowMs;
      if (reason === null || nowMs - warnedAtMs >= remindMs) {
        warnedAtMs = nowMs;
        log.warn("bus.away", { driver: "kafka", reason: fault.message });
      }
      reason = fault.message;
    },
    health: () => (reason === null ? { status: "up", detail: `kafka at ${where}` } : { status: "away", detail: reason }),
  };
};

/** Waits for `work`, but not longer than `limitMs`; the work itself goes on. */
export const withinTime = async <Answer>(
  clock: Clock,
  limitMs: number,
  work: Promise<Answer>,
  late: () => Error,
): Promise<Answer> => {
  const { promise, reject } = Promise.withResolvers<never>();
  const cancel = clock.after(limitMs, () => reject(late()));
  try {
    return await Promise.race([work, promise]);
  } finally {
    cancel();
  }
};
