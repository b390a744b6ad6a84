/**
 * Causal settlement: a record taken from a topic is settled only when everything that it caused is durable or done.
 * Every envelope, timer, pipe, append and store write that a turn leads to holds the causes of that turn.
 */

/** One delivery of one record. It ends once, when nothing holds it any more. */
export type Cause = {
  /** `topic/partition/offset`: the same for every delivery of one record. */
  readonly key: string;
  readonly hold: () => void;
  readonly release: () => void;
  /** The delivery will be repeated, once its last holder is gone. `isOwn` when the record itself is the likely reason. */
  readonly fail: (reason: string, isOwn?: boolean) => void;
};

/** Why a delivery failed. What circumstances did to it does not count against the record. */
export type DeliveryFailure = { readonly reason: string; readonly isOwn: boolean };

/** A cause with one holder, its maker. `ended` is called once: with null when settled, else with the first failure. */
export const openCause = (key: string, ended: (failure: DeliveryFailure | null) => void): Cause => {
  let holders = 1;
  let failure: DeliveryFailure | null = null;
  return {
    key,
    hold() {
      if (holders === 0) throw new Error(`cause ${key} was held after its end`);
      holders++;
    },
    release() {
      if (holders === 0) throw new Error(`cause ${key} was released more often than held`);
      if (--holders === 0) ended(failure);
    },
    fail(reason, isOwn = false) {
      if (!failure || (isOwn && !failure.isOwn)) failure = { reason, isOwn };
    },
  };
};

export const holdAll = (causes: readonly Cause[]): void => {
  for (const cause of causes) cause.hold();
};
export const releaseAll = (causes: readonly Cause[]): void => {
  for (const cause of causes) cause.release();
};
/** Gives up what the holder stood for: its deliveries will be repeated. */
export const abandonAll = (causes: readonly Cause[], reason: string, isOwn = false): void => {
  for (const cause of causes) {
    cause.fail(reason, isOwn);
    cause.release();
  }
};

/** The records of one partition in work, and the offset below which all are done. */
export type SettlementWindow = {
  readonly opened: (offset: number, sizeBytes: number, atMs: number) => void;
  readonly settled: (offset: number) => void;
  /** The lowest offset not settled: what may be committed. */
  readonly floor: () => number;
  readonly count: () => number;
  readonly sizeBytes: () => number;
  /** When the oldest record in work was opened; null when there is none. */
  readonly oldestAtMs: () => number | null;
};

export const createWindow = (committed: number): SettlementWindow => {
  // Insertion order is offset order: a partition is delivered in order, and a record stays open over its redeliveries.
  const open = new Map<number, { readonly sizeBytes: number; readonly atMs: number }>();
  let next = committed;
  let total = 0;
  const first = <T>(entries: Iterator<T>): T | null => {
    const { value, done } = entries.next();
    return done ? null : value;
  };
  return {
    opened(offset, sizeBytes, atMs) {
      if (offset < next) throw new Error(`offset ${offset} was opened after ${next - 1}`);
      open.set(offset, { sizeBytes, atMs });
      total += sizeBytes;
      next = offset + 1;
    },
    settled(offset) {
      const entry = open.get(offset);
      if (!entry) throw new Error(`offset ${offset} was settled but is not open`);
      open.delete(offset);
      total -= entry.sizeBytes;
    },
    floor: () => first(open.keys()) ?? next,
    count: () => open.size,
    sizeBytes: () => total,
    oldestAtMs: () => first(open.values())?.atMs ?? null,
  };
};
