/**
 * Quota groups: an account and a model whose limits all its keys share. Says which key may make a call now, and learns from
 * what became of it. Pure state over a time that is handed in.
 */
import { type Cooldown, createKeyPool, type KeyOutcome, type KeyUse, type KeyView, type Strategy } from "./keys.ts";
import type { CallOutcome } from "./outcome.ts";
import { type RateLimits, type SendLimit, sendLimit } from "./window.ts";

export type QuotaGroup = {
  readonly name: string;
  readonly baseUrl: string;
  readonly model: string;
  readonly limits: RateLimits;
  readonly maxInFlight: number | null;
  readonly keys: readonly { readonly id: string; readonly priority: number; readonly secret: string }[];
};

export type QuotaSettings = {
  readonly groups: readonly QuotaGroup[];
  readonly selection: Strategy;
  readonly cooldown: Cooldown;
  /** Over all groups together. */
  readonly limits: RateLimits;
};

/** The right to make one call now; given back by `release`. */
export type Seat = {
  readonly group: QuotaGroup;
  readonly keyId: string;
  readonly secret: string;
  /** Ask this group's model for a JSON object. */
  readonly jsonMode: boolean;
  readonly takenAtMs: number;
};

export type GroupView = {
  readonly name: string;
  readonly model: string;
  readonly inFlight: number;
  readonly pausedForMs: number;
  readonly pausedBecause: string | null;
  readonly keys: readonly KeyView[];
};

/** What changed for a key or group, worth a line in the log. */
export type QuotaEvent = {
  readonly group: string;
  readonly keyId: string | null;
  readonly what: string;
  readonly reason: string;
};

export type Quota = {
  /** A seat in another group than `avoid` when there is one, else in that one; null when no call may be made now. */
  readonly take: (nowMs: number, avoid: string | null) => Seat | null;
  /** `isBlamed`: a failure that is the provider's, not that of a call of ours with too little time. */
  readonly release: (seat: Seat, outcome: CallOutcome, isBlamed: boolean, nowMs: number) => QuotaEvent | null;
  /** The earliest time at which some group may take a call; Infinity when none will. */
  readonly hopeAtMs: (nowMs: number) => number;
  readonly disable: (group: string, keyId: string, because: string) => void;
  readonly enable: (group: string, keyId: string) => void;
  readonly view: (nowMs: number) => readonly GroupView[];
};

/** Calls travel unevenly: our windows are longer than the provider's by so much. */
const slackMs = 50;
/** First pause after a throttled call without Retry-After; doubled for each further one. */
const throttlePauseMs = 1_000;
const throttlePauseMaxMs = 8_000;
/** Until a model or address that was not found is tried again: someone may have mended it there. */
const parkedModelMs = 600_000;

type Group = {
  readonly spec: QuotaGroup;
  readonly limit: SendLimit;
  inFlight: number;
  pausedUntilMs: number;
  pausedBecause: string | null;
  throttlesInRow: number;
  jsonMode: boolean;
};

const pause = (group: Group, nowMs: number, forMs: number, because: string) => {
  group.pausedUntilMs = Math.max(group.pausedUntilMs, nowMs + forMs);
  group.pausedBecause = because;
};

const keyOutcome = (outcome: CallOutcome, isBlamed: boolean): KeyOutcome => {
  if (outcome.action === "answer") return "succeeded";
  return outcome.action === "retry-elsewhere" && isBlamed ? "failed" : "neutral";
};

export const createQuota = ({ groups: specs, selection, cooldown, limits }: QuotaSettings): Quota => {
  const groups = new Map<string, Group>();
  for (const spec of specs) {
    const limit = sendLimit(spec.limits, slackMs);
    const fresh = { inFlight: 0, pausedUntilMs: 0, pausedBecause: null, throttlesInRow: 0, jsonMode: true };
    groups.set(spec.name, { spec, limit, ...fresh });
  }
  const overall = sendLimit(limits, slackMs);
  const pool = createKeyPool(
    specs.flatMap(({ name, keys }) => keys.map(({ id, priority }) => ({ id, priority, group: name }))),
    selection,
    cooldown,
  );
  const uses = new WeakMap<Seat, KeyUse>();

  const isOpen = (group: Group, nowMs: number) =>
    group.pausedUntilMs <= nowMs &&
    group.inFlight < (group.spec.maxInFlight ?? Number.POSITIVE_INFINITY) &&
    group.limit.nextAtMs(nowMs) <= nowMs;

  const seatOf = (use: KeyUse, nowMs: number): Seat | null => {
    const group = groups.get(use.group);
    const key = group?.spec.keys.find(({ id }) => id === use.id);
    if (!group || !key) return null;
    group.limit.take(nowMs);
    overall.take(nowMs);
    group.inFlight++;
    const seat: Seat = { group: group.spec, keyId: key.id, secret: key.secret, jsonMode: group.jsonMode, takenAtMs: nowMs };
    uses.set(seat, use);
    return seat;
  };

  /** A throttled call slows its whole group: the limit is the account's, and another key of it would meet the same. */
  const throttle = (group: Group, seat: Seat, afterMs: number | null, nowMs: number, reason: string): boolean => {
    // Calls that were under way when the pause began met the same wall: they may lengthen it, but are no further offence.
    const isNew = seat.takenAtMs >= group.pausedUntilMs;
    if (!isNew && afterMs === null) return false;
    if (isNew) group.throttlesInRow++;
    pause(group, nowMs, afterMs ?? Math.min(throttlePauseMaxMs, throttlePauseMs * 2 ** (group.throttlesInRow - 1)), reason);
    return isNew;
  };

  return {
    take(nowMs, avoid) {
      if (overall.nextAtMs(nowMs) > nowMs) return null;
      const open = (name: string) => {
        const group = groups.get(name);
        return group !== undefined && isOpen(group, nowMs);
      };
      const elsewhere = avoid === null ? null : pool.take(nowMs, (name) => name !== avoid && open(name));
      const use = elsewhere ?? pool.take(nowMs, open);
      return use ? seatOf(use, nowMs) : null;
    },

    release(seat, outcome, isBlamed, nowMs) {
      const use = uses.get(seat);
      const group = groups.get(seat.group.name);
      if (!use || !group) return null;
      uses.delete(seat);
      group.inFlight--;
      const change = pool.release(use, keyOutcome(outcome, isBlamed), nowMs);
      const isSincePause = seat.takenAtMs >= group.pausedUntilMs;
      const event = (what: string, reason: string, keyId: string | null = use.id) => ({ group: use.group, keyId, what, reason });
      switch (outcome.action) {
        case "answer":
          if (isSincePause) group.throttlesInRow = 0;
          return change === "recovered" ? event("key recovered", "a trial call succeeded") : null;
        case "retry-after":
          return throttle(group, seat, outcome.afterMs, nowMs, outcome.reason)
            ? event("group paused", outcome.reason, null)
            : null;
        case "retry-plain":
          group.jsonMode = false;
          return event("JSON mode left out", outcome.reason, null);
        case "park-key":
          pool.disable(use.group, use.id, outcome.reason);
          return event("key disabled", outcome.reason);
        case "park-model":
          pause(group, nowMs, parkedModelMs, outcome.reason);
          return event("group parked", outcome.reason, null);
        case "retry-elsewhere":
          return change === "cooling" ? event("key cooling", outcome.reason) : null;
        default:
          return null;
      }
    },

    hopeAtMs(nowMs) {
      let earliest = Number.POSITIVE_INFINITY;
      for (const [name, group] of groups) {
        const atMs = Math.max(pool.hopeAtMs(name, nowMs), group.pausedUntilMs, group.limit.nextAtMs(nowMs));
        earliest = Math.min(earliest, atMs);
      }
      return Math.max(earliest, overall.nextAtMs(nowMs));
    },

    disable: pool.disable,
    enable: pool.enable,

    view(nowMs) {
      const keys = Map.groupBy(pool.view(nowMs), ({ group }) => group);
      return [...groups.values()].map(({ spec, inFlight, pausedUntilMs, pausedBecause }) => ({
        name: spec.name,
        model: spec.model,
        inFlight,
        pausedForMs: Math.max(0, pausedUntilMs - nowMs),
        pausedBecause: pausedUntilMs > nowMs ? pausedBecause : null,
        keys: keys.get(spec.name) ?? [],
      }));
    },
  };
};
