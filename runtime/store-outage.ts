/**
 * A store that takes facts while the one behind it is away: they wait here, bounded, and follow when it is back. So a
 * stage whose record waits for its facts goes on without the store, and what that may cost is this: a fact that waited
 * is lost with the process, or let go for want of room, which is counted.
 *
 * Reads are not made up: what only the store knows is refused while it is away, and each reader has its own way to go on.
 */
import type { Cancel, Clock } from "./clock.ts";
import { Fault } from "./errors.ts";
import { expiryMs, listMax, refuseOversizedFact } from "./fact-limits.ts";
import type { Fact, Store } from "./store.ts";

const waitingMax = 20_000;
const waitingBytesMax = 64 * 2 ** 20;
const tryAgainMs = 1_000;
const batchMax = 200;
const batchBytesMax = 4 * 2 ** 20;

type Waiting = { /** null: deleted. */ readonly bytes: Uint8Array | null; readonly expiresAtMs: number };

const deleted: Waiting = { bytes: null, expiresAtMs: Number.MAX_SAFE_INTEGER };

export type OutagePorts = {
  readonly clock: Clock;
  /** A fact was let go before the store was back. */
  readonly dropped: (count: number) => void;
};

const isAway = (thrown: unknown): boolean => thrown instanceof Fault && thrown.code === "unavailable";

/** Closes `store` with it. */
export const throughOutages = (store: Store, { clock, dropped }: OutagePorts): Store => {
  /** By key, longest waiting first. */
  const waiting = new Map<string, Waiting>();
  let waitingBytes = 0;
  let cancel: Cancel | null = null;
  let following: Promise<void> | null = null;
  let closed: Promise<void> | null = null;

  const sizeOf = ({ bytes }: Waiting) => bytes?.length ?? 0;
  const forget = (key: string) => {
    const entry = waiting.get(key);
    if (!entry) return;
    waiting.delete(key);
    waitingBytes -= sizeOf(entry);
  };
  const keep = (key: string, entry: Waiting) => {
    forget(key); // so that the later value stands last
    waiting.set(key, entry);
    waitingBytes += sizeOf(entry);
    while (waiting.size > waitingMax || waitingBytes > waitingBytesMax) {
      const [oldest] = waiting.keys();
      if (oldest === undefined) break;
      forget(oldest);
      dropped(1);
    }
    cancel ??= clock.after(tryAgainMs, follow);
  };

  /** The next facts to send; what has expired while it waited is let go, as the store would have. */
  const batch = (): [string, Waiting][] => {
    const taken: [string, Waiting][] = [];
    let bytes = 0;
    for (const [key, entry] of waiting) {
      if (entry.bytes !== null && entry.expiresAtMs <= clock.nowMs()) {
        forget(key);
        continue;
      }
      if (taken.length >= batchMax || (taken.length > 0 && bytes + sizeOf(entry) > batchBytesMax)) break;
      taken.push([key, entry]);
      bytes += sizeOf(entry);
    }
    return taken;
  };

  const sendBatch = async (entries: readonly [string, Waiting][]): Promise<void> => {
    const facts = entries.flatMap(([key, { bytes, expiresAtMs }]) =>
      bytes === null ? [] : [{ key, bytes, ttlMs: expiresAtMs - clock.nowMs() }],
    );
    const deleted = entries.flatMap(([key, { bytes }]) => (bytes === null ? [key] : []));
    if (facts.length > 0) await store.put(facts);
    if (deleted.length > 0) await store.delete(deleted);
    for (const [key, entry] of entries) if (waiting.get(key) === entry) forget(key);
  };

  const sendAll = async (): Promise<void> => {
    for (let entries = batch(); entries.length > 0; entries = batch()) await sendBatch(entries);
  };
  const follow = () => {
    following ??= sendAll()
      .then(
        () => true,
        () => false, // the store has said why
      )
      .then((done) => {
        following = null;
        cancel?.();
        cancel = done && waiting.size === 0 ? null : clock.after(tryAgainMs, follow);
      });
  };

  const refuseIfClosed = () => {
    if (closed !== null) throw new Fault("unavailable", "the store is closed");
  };
  /** The last attempt under way for each key: an earlier one that fails later must not wait as if it were the last word. */
  const lastAttempt = new Map<string, symbol>();
  const change = async (keys: readonly string[], attempt: () => Promise<void>, instead: (key: string, at: number) => void) => {
    refuseIfClosed();
    // Behind what waits already, so that a later value stays the later one.
    if (waiting.size > 0) return keys.forEach(instead);
    const mine = Symbol();
    for (const key of keys) lastAttempt.set(key, mine);
    const isLast = (key: string) => lastAttempt.get(key) === mine;
    try {
      await attempt();
    } catch (thrown) {
      if (!isAway(thrown) || closed !== null) throw thrown;
      for (const [at, key] of keys.entries()) if (isLast(key)) instead(key, at);
    } finally {
      for (const key of keys) if (isLast(key)) lastAttempt.delete(key);
    }
  };

  const live = (entry: Waiting): Uint8Array | null => (entry.expiresAtMs > clock.nowMs() ? entry.bytes : null);

  return {
    driver: store.driver,

    async get(key) {
      refuseIfClosed();
      const entry = waiting.get(key);
      return entry ? (live(entry)?.slice() ?? null) : store.get(key);
    },

    async put(facts) {
      for (const fact of facts) refuseOversizedFact(fact);
      const copies: Fact[] = facts.map(({ key, bytes, ttlMs }) => ({ key, bytes: bytes.slice(), ttlMs }));
      const entries = copies.map(({ bytes, ttlMs }) => ({ bytes, expiresAtMs: expiryMs(clock.nowMs(), ttlMs) }));
      await change(
        copies.map(({ key }) => key),
        () => store.put(copies),
        (key, at) => keep(key, entries[at] ?? deleted),
      );
    },

    async delete(keys) {
      const named = [...keys];
      await change(
        named,
        () => store.delete(named),
        (key) => keep(key, deleted),
      );
    },

    async list(prefix, limit, after = "") {
      refuseIfClosed();
      const stored = await store.list(prefix, limit, after);
      const mine = [...waiting].filter(([key]) => key.startsWith(prefix) && key > after);
      if (mine.length === 0) return stored;
      // Beyond the last key of a full page there may be more in the store, which must come first.
      const last = stored.length < Math.min(limit, listMax) ? null : stored.at(-1)?.key;
      const merged = new Map(stored.map(({ key, bytes }) => [key, bytes]));
      for (const [key, entry] of mine) {
        const bytes = live(entry);
        if (bytes === null) merged.delete(key);
        else if (last === null || last === undefined || key <= last) merged.set(key, bytes.slice());
      }
      return [...merged.keys()]
        .toSorted()
        .slice(0, Math.min(limit, listMax))
        .map((key) => ({ key, bytes: merged.get(key) ?? new Uint8Array() }));
    },

    health() {
      const { status, detail } = store.health();
      return { status, detail: waiting.size === 0 ? detail : `${detail}; ${waiting.size} facts wait` };
    },

    close() {
      closed ??= (async () => {
        cancel?.();
        await following;
        cancel?.();
        await sendAll().catch(() => dropped(waiting.size));
        await store.close();
      })();
      return closed;
    },
  };
};
