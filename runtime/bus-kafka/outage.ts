/**
 * Whether the cluster answers: told by every part of the driver, warned of once an outage. While it is away nobody asks the
 * cluster anything but the one probe, so that an outage costs a few connections a minute whatever waits for its end.
 */
import type { BusHealth } from "../bus.ts";
import type { Cancel, Clock } from "../clock.ts";
import { Fault, reasonOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { isOfCoordinator } from "./faults.ts";

export type OutagePorts = {
  readonly clock: Clock;
  readonly log: Log;
  readonly where: string;
  /** Asks the cluster for what the driver needs; rejects while it is not to be had. */
  readonly probe: () => Promise<void>;
};

export type Outage = {
  readonly worked: () => void;
  /** Only what is unavailable counts: a refusal is an answer, and so is that a group has no coordinator for the moment. */
  readonly failed: (fault: Fault) => void;
  /** Throws while the cluster is away. */
  readonly refuse: () => void;
  /** Resolves when it is there, or at the end. */
  readonly over: () => Promise<void>;
  readonly health: () => BusHealth;
  readonly close: () => void;
};

/** A further line while it lasts. */
const remindMs = 300_000;
/** An outage this soon after the last is told of only when it lasts: one broker of several may fail and the others answer. */
const relapseMs = 10_000;
const probeMs = { first: 1_000, cap: 5_000, later: 60_000 };
const firstMinuteMs = 60_000;

export const createOutage = ({ clock, log, where, probe }: OutagePorts): Outage => {
  let fault: Fault | null = null;
  let sinceMs = 0;
  let sinceWallMs = 0;
  let warnedAtMs = Number.NEGATIVE_INFINITY;
  let backAtMs = Number.NEGATIVE_INFINITY;
  let isTold = false;
  let refusal: string | null = null;
  let cancelProbe: Cancel = () => {};
  let over = Promise.withResolvers<void>();
  over.resolve();
  let isClosed = false;

  const probeLater = (delayMs: number) => {
    cancelProbe();
    cancelProbe = clock.after(delayMs, () => void probeNow(delayMs));
  };
  const probeNow = async (lastDelayMs: number) => {
    try {
      await probe();
      worked();
    } catch (thrown) {
      if (fault === null || isClosed) return;
      if (thrown instanceof Fault && !thrown.retryable) refused(thrown);
      else failed(thrown instanceof Fault ? thrown : new Fault("unavailable", reasonOf(thrown), { cause: thrown }), true);
      const isLong = clock.monotonicMs() - sinceMs >= firstMinuteMs;
      probeLater(isLong ? probeMs.later : Math.min(probeMs.cap, 2 * lastDelayMs));
    }
  };

  const began = () => {
    sinceMs = clock.monotonicMs();
    sinceWallMs = clock.nowMs();
    isTold = false;
    over = Promise.withResolvers();
    probeLater(probeMs.first);
  };
  const tell = (reason: string) => {
    const nowMs = clock.monotonicMs();
    if (isTold && nowMs - warnedAtMs < remindMs) return;
    log.warn("bus.away", { driver: "kafka", reason, ...(isTold ? { awayMs: Math.round(nowMs - sinceMs) } : {}) });
    isTold = true;
    warnedAtMs = nowMs;
  };
  const failed = (next: Fault, byProbe = false) => {
    if (next.code !== "unavailable" || isOfCoordinator(next) || isClosed) return;
    const isNew = fault === null;
    fault = next;
    refusal = null;
    if (isNew) began();
    const isRelapse = sinceMs - backAtMs < relapseMs;
    if (byProbe || isTold || (isNew && !isRelapse)) tell(next.message);
  };
  /** It answers, and refuses what the driver needs, such as enough partitions of a topic: said once, asked again like an outage. */
  const refused = (next: Fault) => {
    fault = new Fault("unavailable", next.message, { cause: next, details: next.details });
    if (refusal !== next.message) log.error("bus.away", { driver: "kafka", reason: next.message });
    refusal = next.message;
    isTold = true;
  };
  const worked = () => {
    if (fault === null) return;
    fault = null;
    refusal = null;
    cancelProbe();
    backAtMs = clock.monotonicMs();
    if (isTold) log.info("bus.back", { driver: "kafka", awayMs: Math.round(backAtMs - sinceMs) });
    over.resolve();
  };

  return {
    worked,
    failed: (next) => failed(next),
    refuse() {
      if (fault === null) return;
      const { message, details } = fault;
      throw new Fault("unavailable", message, { cause: fault, details });
    },
    over: () => over.promise,
    health: () =>
      fault === null
        ? { status: "up", detail: `kafka at ${where}` }
        : {
            status: "away",
            detail: `kafka at ${where} is away since ${new Date(sinceWallMs).toISOString()}: ${fault.message}`,
          },
    close() {
      isClosed = true;
      cancelProbe();
      over.resolve();
    },
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
