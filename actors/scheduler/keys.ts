/**
 * The pool of keys: which key takes the next call, which rests, which is out of use. Pure state over a time that is handed in.
 * Several calls may be in flight with one key. A key rests after failures that may be its own or its provider's, the longer
 * the more of its recent calls failed, and is then tried with a single call before it is used again.
 */

export type Strategy = "least_loaded" | "round_robin" | "weighted";

export type KeySpec = {
  /** Unique within its group; stands in metrics and results. */
  readonly id: string;
  readonly group: string;
  /** 1 is the highest. */
  readonly priority: number;
  /** Calls in flight; null sets no bound of its own. */
  readonly maxInFlight?: number | null | undefined;
};

export type Cooldown = {
  readonly adaptive: boolean;
  readonly minMs: number;
  readonly maxMs: number;
  /** The rest of a failing key when not adaptive. */
  readonly fixedMs: number;
};

export type KeyState = "available" | "in_use" | "cooling" | "disabled";

export type KeyView = {
  readonly id: string;
  readonly group: string;
  readonly state: KeyState;
  readonly calls: number;
  readonly inFlight: number;
  /** Of the calls in the window; 1 when there were none. */
  readonly successRate: number;
  readonly coolsForMs: number;
  readonly disabledBecause: string | null;
};

type Key = {
  spec: KeySpec;
  readonly recent: { readonly atMs: number; readonly failed: boolean }[];
  calls: number;
  /** Calls by which keys take turns; one that joins late is not owed those that the others have made. */
  turns: number;
  inFlight: number;
  /** 0 while the key is in good standing; otherwise when its rest ends and it may be tried with one call. */
  coolUntilMs: number;
  isTried: boolean;
  disabledBecause: string | null;
};

declare const belongs: unique symbol;
/** The right to make one call with a key; given back by `release`. */
export type KeyUse = { readonly id: string; readonly group: string; readonly [belongs]?: never };

/** `neutral` says nothing about the key: a malformed answer, a picture refused, a call of ours taken back. */
export type KeyOutcome = "succeeded" | "failed" | "neutral";

export type KeyPool = {
  /** A key of a group that `isOpen`, now in use, but for `except`; null when there is none. */
  readonly take: (nowMs: number, isOpen: (group: string) => boolean, except?: Pick<KeyUse, "id" | "group">) => KeyUse | null;
  /** Whether `take` would give one. */
  readonly has: (nowMs: number, isOpen: (group: string) => boolean) => boolean;
  /** Says whether the key thereby goes to rest, or comes back from it. */
  readonly release: (use: KeyUse, outcome: KeyOutcome, nowMs: number) => "cooling" | "recovered" | null;
  /** Calls in flight end as they may; the key stays out of use until it is enabled. */
  readonly disable: (group: string, id: string, because: string) => void;
  readonly enable: (group: string, id: string) => void;
  /** Other keys from now on; those that stay keep their standing, calls with those that go end as they may. */
  readonly replace: (specs: readonly KeySpec[]) => void;
  /** The earliest time at which a key of the group may take a call; Infinity when all are out of use. */
  readonly hopeAtMs: (group: string, nowMs: number) => number;
  readonly view: (nowMs: number) => readonly KeyView[];
};

/** Over which calls a key is judged. */
const windowMs = 60_000;
const recentMax = 256;
/** One failure is an accident; so are a few among many. */
const failuresMin = 3;
const failureRateMin = 0.2;
/** Fewer calls than this do not make a full share: three failures of three calls say less than thirty of thirty. */
const callsForFullRate = 10;

export const createKeyPool = (specs: readonly KeySpec[], strategy: Strategy, cooldown: Cooldown): KeyPool => {
  const fresh = (spec: KeySpec): Key => ({
    spec,
    recent: [],
    calls: 0,
    turns: 0,
    inFlight: 0,
    coolUntilMs: 0,
    isTried: false,
    disabledBecause: null,
  });
  let keys: readonly Key[] = specs.map(fresh);
  /** Which call with which key; a trial call ends a rest, no other does. */
  const uses = new WeakMap<KeyUse, { readonly key: Key; readonly isTrial: boolean }>();
  let byGroup = Map.groupBy(keys, ({ spec }) => spec.group);
  let lastTaken = -1;

  const find = (group: string, id: string) => keys.find(({ spec }) => spec.group === group && spec.id === id);
  const canTake = (key: Key, nowMs: number) =>
    key.disabledBecause === null &&
    key.inFlight < (key.spec.maxInFlight ?? Number.POSITIVE_INFINITY) &&
    (key.coolUntilMs === 0 || (key.coolUntilMs <= nowMs && !key.isTried));

  const precedes: Record<Strategy, (a: Key, b: Key) => number> = {
    least_loaded: (a, b) => a.inFlight - b.inFlight || a.turns - b.turns,
    weighted: (a, b) => a.turns * a.spec.priority - b.turns * b.spec.priority || a.spec.priority - b.spec.priority,
    round_robin: () => 0,
  };

  const choose = (nowMs: number, isOpen: (group: string) => boolean, except?: Pick<KeyUse, "id" | "group">): number => {
    const open = new Map<string, boolean>();
    const opens = (group: string) => {
      const known = open.get(group) ?? isOpen(group);
      open.set(group, known);
      return known;
    };
    let chosen = -1;
    // Begins after the key taken last: equals take turns, whatever the strategy.
    for (let step = 1; step <= keys.length; step++) {
      const index = (lastTaken + step) % keys.length;
      const key = keys[index];
      if (!key || !canTake(key, nowMs) || !opens(key.spec.group)) continue;
      if (key.spec.id === except?.id && key.spec.group === except.group) continue;
      const best = keys[chosen];
      if (!best || precedes[strategy](key, best) < 0) chosen = index;
    }
    return chosen;
  };

  const recentOf = (key: Key, nowMs: number) => {
    const { recent } = key;
    while (recent.length > 0 && ((recent[0]?.atMs ?? nowMs) <= nowMs - windowMs || recent.length > recentMax)) recent.shift();
    const failures = recent.filter(({ failed }) => failed).length;
    return {
      failures,
      rate: recent.length === 0 ? 0 : failures / recent.length,
      weighedRate: failures / Math.max(recent.length, callsForFullRate),
    };
  };

  const restMs = (rate: number): number =>
    cooldown.adaptive
      ? Math.min(cooldown.maxMs, Math.max(cooldown.minMs, cooldown.minMs + (cooldown.maxMs - cooldown.minMs) * rate))
      : cooldown.fixedMs;

  const stateOf = (key: Key): KeyState => {
    if (key.disabledBecause !== null) return "disabled";
    if (key.coolUntilMs !== 0) return "cooling";
    return key.inFlight > 0 ? "in_use" : "available";
  };

  return {
    take(nowMs, isOpen, except) {
      const index = choose(nowMs, isOpen, except);
      const key = keys[index];
      if (!key) return null;
      lastTaken = index;
      key.calls++;
      key.turns++;
      key.inFlight++;
      const isTrial = key.coolUntilMs !== 0;
      key.isTried = isTrial;
      const use: KeyUse = { id: key.spec.id, group: key.spec.group };
      uses.set(use, { key, isTrial });
      return use;
    },

    has: (nowMs, isOpen) => choose(nowMs, isOpen) !== -1,

    release(use, outcome, nowMs) {
      const taken = uses.get(use);
      if (!taken) return null; // given back before
      uses.delete(use);
      const { key, isTrial } = taken;
      key.inFlight--;
      if (isTrial) key.isTried = false;
      // Calls that were under way when the rest began failed, or succeeded, of what came before it.
      if (outcome === "neutral" || (key.coolUntilMs !== 0 && !isTrial)) return null;
      if (outcome === "succeeded") {
        if (isTrial) {
          key.coolUntilMs = 0;
          key.recent.length = 0;
        }
        key.recent.push({ atMs: nowMs, failed: false });
        return isTrial ? "recovered" : null;
      }
      key.recent.push({ atMs: nowMs, failed: true });
      const { failures, rate, weighedRate } = recentOf(key, nowMs);
      if (!isTrial && (failures < failuresMin || rate < failureRateMin)) return null;
      key.coolUntilMs = nowMs + restMs(weighedRate);
      return "cooling";
    },

    disable(group, id, because) {
      const key = find(group, id);
      if (key) key.disabledBecause = because;
    },

    enable(group, id) {
      const key = find(group, id);
      if (!key) return;
      key.disabledBecause = null;
      key.coolUntilMs = 0;
      key.recent.length = 0;
    },

    replace(next) {
      const known = new Map(keys.map((key) => [`${key.spec.group} ${key.spec.id}`, key]));
      keys = next.map((spec) => {
        const key = known.get(`${spec.group} ${spec.id}`);
        if (!key) return fresh(spec);
        key.spec = spec;
        return key;
      });
      byGroup = Map.groupBy(keys, ({ spec }) => spec.group);
      lastTaken = -1;
      const least = keys.reduce((few, { turns }) => (turns > 0 ? Math.min(few, turns) : few), Number.POSITIVE_INFINITY);
      if (Number.isFinite(least)) for (const key of keys) key.turns = Math.max(key.turns, least);
    },

    hopeAtMs(group, nowMs) {
      let earliest = Number.POSITIVE_INFINITY;
      for (const key of byGroup.get(group) ?? []) {
        if (key.disabledBecause === null) earliest = Math.min(earliest, Math.max(nowMs, key.coolUntilMs));
      }
      return earliest;
    },

    view: (nowMs) =>
      keys.map((key) => ({
        id: key.spec.id,
        group: key.spec.group,
        state: stateOf(key),
        calls: key.calls,
        inFlight: key.inFlight,
        successRate: 1 - recentOf(key, nowMs).rate,
        coolsForMs: Math.max(0, key.coolUntilMs - nowMs),
        disabledBecause: key.disabledBecause,
      })),
  };
};
