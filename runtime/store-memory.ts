/** The store in memory, for tests, simulation and trials without a disk. Every answer goes through `defer`. */
import type { Clock } from "./clock.ts";
import { Fault } from "./errors.ts";
import { expiryMs, listMax, refuseOversizedFact } from "./fact-limits.ts";
import { type Log, silentLog } from "./log.ts";
import type { Store } from "./store.ts";

const pruneEveryMs = 60_000;

export type MemoryStoreOptions = {
  readonly clock: Clock;
  readonly log?: Log;
  /** Runs a step later; `clock.after(0, …)` when not given. */
  readonly defer?: (run: () => void) => void;
};

export type MemoryStore = Store & {
  /** Every call fails with `Fault("unavailable")`, also one that was answered and not yet told. */
  readonly away: () => void;
  readonly back: () => void;
};

export const createMemoryStore = ({ clock, log = silentLog, defer }: MemoryStoreOptions): MemoryStore => {
  const later = defer ?? ((run: () => void) => void clock.after(0, run));
  const facts = new Map<string, { readonly bytes: Uint8Array; readonly expiresAtMs: number }>();
  let isAway = false;
  let closed = false;
  let open = 0;
  let drained = Promise.withResolvers<void>();
  let prunedAtMs = clock.nowMs();

  const prune = () => {
    const nowMs = clock.nowMs();
    if (nowMs - prunedAtMs < pruneEveryMs) return;
    prunedAtMs = nowMs;
    for (const [key, { expiresAtMs }] of facts) if (expiresAtMs <= nowMs) facts.delete(key);
  };
  const live = (key: string): Uint8Array | null => {
    const fact = facts.get(key);
    return fact && fact.expiresAtMs > clock.nowMs() ? fact.bytes : null;
  };

  const answered = async <Answer>(answer: () => Answer): Promise<Answer> => {
    if (closed) throw new Fault("unavailable", "the store is closed");
    if (open++ === 0) drained = Promise.withResolvers();
    try {
      return await new Promise((resolve, reject) => {
        later(() => {
          if (isAway) return reject(new Fault("unavailable", "the store is away"));
          const value = answer();
          later(() => (isAway ? reject(new Fault("unavailable", "the store went away before it answered")) : resolve(value)));
        });
      });
    } finally {
      if (--open === 0) drained.resolve();
    }
  };

  return {
    driver: "memory",

    get: (key) => answered(() => live(key)?.slice() ?? null),

    async put(given) {
      for (const fact of given) refuseOversizedFact(fact);
      const copies = given.map(({ key, bytes, ttlMs }) => ({ key, bytes: bytes.slice(), ttlMs }));
      await answered(() => {
        prune();
        for (const { key, bytes, ttlMs } of copies) facts.set(key, { bytes, expiresAtMs: expiryMs(clock.nowMs(), ttlMs) });
      });
    },

    async delete(keys) {
      const named = [...keys];
      await answered(() => {
        for (const key of named) facts.delete(key);
      });
    },

    list: (prefix, limit, after = "") =>
      answered(() =>
        [...facts.keys()]
          .filter((key) => key.startsWith(prefix) && key > after && live(key) !== null)
          .toSorted()
          .slice(0, Math.min(limit, listMax))
          .map((key) => ({ key, bytes: live(key)?.slice() ?? new Uint8Array() })),
      ),

    health: () => {
      if (closed) return { status: "away", detail: "closed" };
      return isAway
        ? { status: "away", detail: "the store is away" }
        : { status: "up", detail: `in memory, ${facts.size} facts` };
    },

    async close() {
      closed = true;
      if (open > 0) await drained.promise;
    },

    away() {
      if (!isAway) log.warn("store.failed", { driver: "memory", reason: "away" });
      isAway = true;
    },
    back() {
      if (isAway) log.info("store.ready", { driver: "memory" });
      isAway = false;
    },
  };
};
