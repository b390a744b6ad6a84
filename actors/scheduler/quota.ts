/**
 * All quota groups together. Says which key of which group may make a call now, and learns from what became of it. Pure state
 * over a time that is handed in.
 */
import { createGroup, type Format, type Group, type GroupState, type KeptGroup, type QuotaGroup, type Ticket } from "./group.ts";
import { createHistory, replay, type Second } from "./history.ts";
import { type Cooldown, createKeyPool, type KeyOutcome, type KeyUse, type KeyView, type Strategy } from "./keys.ts";
import type { CallOutcome } from "./outcome.ts";
import { type RateLimits, type SendLimit, sendLimit } from "./window.ts";

export type QuotaSettings = {
  readonly groups: readonly QuotaGroup[];
  readonly selection: Strategy;
  readonly cooldown: Cooldown;
  /** Over all groups together. */
  readonly limits: RateLimits;
  /** The share of every limit that is left unused. */
  readonly headroom: number;
  /** Most calls in flight of a group that names no number of its own. */
  readonly maxConcurrent: number;
  /** The strictest form of answer that models are asked for at first. */
  readonly format: Format;
};

/** The right to make one call now; given back by `release`. */
export type Seat = {
  readonly group: QuotaGroup;
  readonly keyId: string;
  readonly secret: string;
  /** How this group's model is asked for the form of its answer. */
  readonly format: Format;
  /** Whether its model takes pictures, as far as is known. */
  readonly pictures: boolean;
  readonly takenAtMs: number;
};

export type GroupView = {
  readonly name: string;
  readonly model: string;
  readonly state: GroupState;
  readonly inFlight: number;
  readonly inFlightMax: number;
  readonly pausedForMs: number;
  readonly pausedBecause: string | null;
  /** Calls a second, after the provider called them too many. */
  readonly slowedTo: number | null;
  readonly limits: RateLimits;
  readonly used: RateLimits;
  readonly keys: readonly (KeyView & { readonly masked: string })[];
};

/** What changed for a key or group, worth a line in the log. */
export type QuotaEvent = {
  readonly group: string;
  readonly keyId: string | null;
  readonly what: string;
  readonly reason: string;
};

/** What the next process must know of this one's sending. */
export type KeptQuota = { readonly groups: Readonly<Record<string, KeptGroup>>; readonly overall: readonly Second[] };

export type Quota = {
  /**
   * A seat for a call of about so many tokens; null when no call may be made now. In another group than `avoid` when there is one, else
   * with another key than `avoidKey` of it.
   */
  readonly take: (nowMs: number, avoid: string | null, tokens?: number, avoidKey?: string | null) => Seat | null;
  /** Whether `take` would give a seat to a usual call. */
  readonly hasRoom: (nowMs: number) => boolean;
  /** `isBlamed`: a failure that is the provider's, not that of a call of ours with too little time. */
  readonly release: (seat: Seat, outcome: CallOutcome, isBlamed: boolean, nowMs: number) => readonly QuotaEvent[];
  /** The earliest time at which some group may take a call; Infinity when none will. */
  readonly hopeAtMs: (nowMs: number) => number;
  /** Whether trouble or refusals, rather than the pace of calls, keep every group from taking one. */
  readonly isShut: (nowMs: number) => boolean;
  /** False when there is no such key. */
  readonly disable: (group: string, keyId: string, because: string) => boolean;
  readonly enable: (group: string, keyId: string) => boolean;
  /** Other groups and keys from now on. What is known of those that stay is kept; a key of another value starts afresh. */
  readonly replace: (groups: readonly QuotaGroup[], nowMs: number) => readonly QuotaEvent[];
  readonly view: (nowMs: number) => readonly GroupView[];
  /** Calls that were sent. */
  readonly sends: () => number;
  readonly kept: (nowMs: number) => KeptQuota;
  readonly recall: (kept: KeptQuota, nowMs: number) => void;
};

/** The last characters tell keys apart; a short one is not shown in part. */
export const masked = (secret: string): string => (secret.length >= 12 ? `…${secret.slice(-4)}` : "…");

const keyOutcome = (outcome: CallOutcome, isBlamed: boolean): KeyOutcome => {
  if (outcome.action === "answer") return "succeeded";
  return outcome.action === "retry-elsewhere" && isBlamed ? "failed" : "neutral";
};

const keysOf = (groups: readonly QuotaGroup[]) =>
  groups.flatMap(({ name, keys }) => keys.map(({ id, priority, maxInFlight }) => ({ id, priority, maxInFlight, group: name })));

type Use = {
  readonly use: KeyUse;
  readonly group: Group;
  readonly ticket: Ticket;
  readonly settleOverall: (tokens: number) => void;
};

export const createQuota = (settings: QuotaSettings): Quota => {
  const { selection, cooldown, limits, headroom, maxConcurrent, format } = settings;
  const newGroup = (spec: QuotaGroup) => createGroup(spec, headroom, maxConcurrent, format);
  let groups = new Map(settings.groups.map((spec) => [spec.name, newGroup(spec)]));
  const pool = createKeyPool(keysOf(settings.groups), selection, cooldown);
  const overall: SendLimit = sendLimit(limits, headroom);
  const history = createHistory();
  const uses = new WeakMap<Seat, Use>();
  let sends = 0;
  const keyOf = (group: string, id: string) =>
    groups
      .get(group)
      ?.spec()
      .keys.find((key) => key.id === id);

  const seatOf = (use: KeyUse, nowMs: number, tokens: number): Seat | null => {
    const group = groups.get(use.group);
    const key = keyOf(use.group, use.id);
    if (!group || !key) return null;
    const guessed = group.estimate(tokens);
    const sent = overall.take(nowMs, guessed);
    history.add(nowMs, guessed);
    sends++;
    const ticket = group.take(nowMs, tokens);
    const { format, pictures } = ticket;
    const seat: Seat = { group: group.spec(), keyId: key.id, secret: key.secret, format, pictures, takenAtMs: nowMs };
    uses.set(seat, { use, group, ticket, settleOverall: (used) => overall.settle(sent, used) });
    return seat;
  };

  const usageOf = (outcome: CallOutcome): number => {
    const usage = "usage" in outcome ? outcome.usage : undefined;
    return usage ? usage.promptTokens + usage.completionTokens : 0;
  };

  const largestOf = (tokens: number) => {
    let most = 0;
    for (const group of groups.values()) most = Math.max(most, group.estimate(tokens));
    return most;
  };

  return {
    hasRoom: (nowMs) =>
      overall.nextAtMs(nowMs, 0) <= nowMs && pool.has(nowMs, (name) => groups.get(name)?.isOpen(nowMs, 0) ?? false),

    take(nowMs, avoid, tokens = 0, avoidKey = null) {
      const isOpen = (name: string) => groups.get(name)?.isOpen(nowMs, tokens) ?? false;
      if (overall.nextAtMs(nowMs, largestOf(tokens)) > nowMs) return null;
      const elsewhere = avoid === null ? null : pool.take(nowMs, (name) => name !== avoid && isOpen(name));
      const otherwise =
        elsewhere ?? (avoid === null || avoidKey === null ? null : pool.take(nowMs, isOpen, { group: avoid, id: avoidKey }));
      const use = otherwise ?? pool.take(nowMs, isOpen);
      return use ? seatOf(use, nowMs, tokens) : null;
    },

    release(seat, outcome, isBlamed, nowMs) {
      const taken = uses.get(seat);
      if (!taken) return [];
      uses.delete(seat);
      const { use, group, ticket, settleOverall } = taken;
      const used = usageOf(outcome);
      if (used > 0) settleOverall(used);
      const standing = pool.release(use, keyOutcome(outcome, isBlamed), nowMs);
      const events: QuotaEvent[] = group
        .release(ticket, outcome, isBlamed, nowMs)
        .map((change) => ({ group: use.group, keyId: null, ...change }));
      const ofKey = (what: string, reason: string) => events.unshift({ group: use.group, keyId: use.id, what, reason });
      // A key that was mended while the call was out is not judged by the old one.
      if (outcome.action === "park-key" && keyOf(use.group, use.id)?.secret === seat.secret) {
        pool.disable(use.group, use.id, outcome.reason);
        ofKey("key disabled", outcome.reason);
      }
      if (standing === "recovered") ofKey("key recovered", "a trial call succeeded");
      if (standing === "cooling" && outcome.action === "retry-elsewhere") ofKey("key cooling", outcome.reason);
      return events;
    },

    hopeAtMs(nowMs) {
      let earliest = Number.POSITIVE_INFINITY;
      for (const [name, group] of groups) {
        const atMs = Math.max(pool.hopeAtMs(name, nowMs), group.standsAtMs(nowMs), group.allowedAtMs(nowMs));
        earliest = Math.min(earliest, atMs);
      }
      return Math.max(earliest, overall.nextAtMs(nowMs));
    },

    isShut(nowMs) {
      for (const [name, group] of groups) {
        if (group.state(nowMs) === "open" && pool.hopeAtMs(name, nowMs) <= nowMs) return false;
      }
      return true;
    },

    disable(group, id, because) {
      if (!keyOf(group, id)) return false;
      pool.disable(group, id, because);
      return true;
    },
    enable(group, id) {
      if (!keyOf(group, id)) return false;
      pool.enable(group, id);
      groups.get(group)?.pardon();
      return true;
    },

    replace(specs, nowMs) {
      const before = new Map(
        [...groups.values()].flatMap((group) => group.spec().keys.map((key) => [`${group.spec().name} ${key.id}`, key.secret])),
      );
      const next = specs.map((spec) => {
        const known = groups.get(spec.name);
        known?.replace(spec, nowMs);
        return [spec.name, known ?? newGroup(spec)] as const;
      });
      groups = new Map(next);
      pool.replace(keysOf(specs));
      const events: QuotaEvent[] = [];
      for (const { name, keys } of specs) {
        for (const { id, secret } of keys) {
          const was = before.get(`${name} ${id}`);
          before.delete(`${name} ${id}`);
          if (was === secret) continue;
          if (was !== undefined) pool.enable(name, id);
          events.push({
            group: name,
            keyId: id,
            what: was === undefined ? "key added" : "key changed",
            reason: "the configuration changed",
          });
        }
      }
      for (const gone of before.keys()) {
        const [group = "", keyId = ""] = gone.split(" ");
        events.push({ group, keyId, what: "key removed", reason: "the configuration changed" });
      }
      return events;
    },

    view(nowMs) {
      const keys = Map.groupBy(pool.view(nowMs), ({ group }) => group);
      return [...groups.values()].map((group) => {
        const spec = group.spec();
        const secrets = new Map(spec.keys.map(({ id, secret }) => [id, secret]));
        return {
          name: spec.name,
          model: spec.model,
          state: group.state(nowMs),
          inFlight: group.inFlight(),
          inFlightMax: group.inFlightMax(),
          pausedForMs: group.pausedForMs(nowMs),
          pausedBecause: group.pausedBecause(nowMs),
          slowedTo: group.slowedTo(nowMs),
          limits: spec.limits,
          used: group.used(nowMs),
          keys: (keys.get(spec.name) ?? []).map((key) => ({ ...key, masked: masked(secrets.get(key.id) ?? "") })),
        };
      });
    },

    sends: () => sends,
    kept: (nowMs) => ({
      groups: Object.fromEntries([...groups].map(([name, group]) => [name, group.kept(nowMs)])),
      overall: history.seconds(nowMs),
    }),
    recall(kept, nowMs) {
      for (const [name, group] of groups) {
        const known = Object.hasOwn(kept.groups, name) ? kept.groups[name] : undefined;
        if (known) group.recall(known, nowMs);
      }
      for (const { agoMs, calls, tokens } of kept.overall) history.add(nowMs - agoMs, tokens, calls);
      replay(overall, kept.overall, nowMs);
    },
  };
};
