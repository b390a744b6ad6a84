/** The store on a SQLite file that a Worker writes. What is put is on the disk; what has expired is not read and goes in chunks. */
import type { Clock } from "./clock.ts";
import { Fault, reasonOf } from "./errors.ts";
import { expiryMs, listMax, refuseOversizedFact } from "./fact-limits.ts";
import type { Log } from "./log.ts";
import { createGroupCommit } from "./sqlite/group-commit.ts";
import { lockDirectory } from "./sqlite/lock.ts";
import { startMaintenance } from "./sqlite/maintenance.ts";
import { connectWorker, type WorkerCalls } from "./sqlite/worker-calls.ts";
import type { Store } from "./store.ts";
import type { Change, StoreCalls } from "./store-sqlite/calls.ts";

export type SqliteStoreOptions = {
  /** Made when missing; used by one process at a time. */
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
};

/** Throws `StartRefused(78)` when the directory is in use or not writable, or its file is of a newer version. */
export const openSqliteStore = async (options: SqliteStoreOptions): Promise<Store> => {
  const { directory, clock, log } = options;
  const lock = lockDirectory(directory);
  const state = createState(log);
  const worker = connectWorker<StoreCalls>(new URL("./store-sqlite/worker.ts", import.meta.url), state);
  const release = () => {
    worker.end();
    lock.release();
  };
  try {
    const opened = await worker.call("open", { directory, nowMs: clock.nowMs() });
    const { unclean, checkMs, damaged, reason, kept, facts } = opened;
    if (damaged !== null)
      log.warn("store.failed", {
        driver: "sqlite",
        reason: `the file is damaged: ${reason}`,
        setAside: damaged,
        factsKept: kept,
      });
    log.info("store.ready", { driver: "sqlite", facts, ...(unclean ? { unclean, checkMs } : {}) });
  } catch (thrown) {
    release();
    throw thrown;
  }
  return createStore(clock, state, worker, release);
};

/** Whether the store answers; one line an outage. */
const createState = (log: Log) => {
  let away: string | null = null;
  let gone: string | null = null;
  const failed = (reason: string) => {
    if (away === null && gone === null) log.warn("store.failed", { driver: "sqlite", reason });
    away = reason;
  };
  return {
    failed,
    lost(reason: string) {
      failed(reason);
      gone ??= reason;
    },
    /** Stays until the next start has mended the file. */
    damaged(reason: string) {
      failed(reason);
      gone ??= reason;
    },
    refusal: () => gone,
    closed() {
      gone = "closed";
    },
    wrote() {
      if (away !== null && gone === null) log.info("store.ready", { driver: "sqlite" });
      away = null;
    },
    health: (): ReturnType<Store["health"]> => {
      const detail = gone ?? away;
      return detail === null ? { status: "up", detail: "on disk" } : { status: "away", detail };
    },
  };
};

const createStore = (
  clock: Clock,
  state: ReturnType<typeof createState>,
  worker: WorkerCalls<StoreCalls>,
  release: () => void,
): Store => {
  let closed: Promise<void> | null = null;

  const queue = createGroupCommit<Change, void>(async (changes) => {
    const buffers = changes.flatMap((change) =>
      "put" in change ? change.put.map(({ bytes }) => bytes.buffer as ArrayBuffer) : [],
    ); // made in `put`
    try {
      await worker.call("write", { changes }, buffers);
    } catch (thrown) {
      state.failed(reasonOf(thrown));
      throw thrown;
    }
    state.wrote();
    maintenance.written();
    return changes.map(() => undefined);
  }, setImmediate);

  const maintenance = startMaintenance({
    clock,
    isQuiet: queue.isQuiet,
    prune: () => worker.call("prune", { nowMs: clock.nowMs() }),
    checkpoint: () => worker.call("checkpoint", {}),
    failed: state.failed,
  });

  const refuseIfClosed = () => {
    if (closed !== null) throw new Fault("unavailable", "the store is closed");
  };
  const refuseWrites = () => {
    refuseIfClosed();
    const refusal = state.refusal();
    if (refusal !== null) throw new Fault("unavailable", refusal);
  };

  const close = async () => {
    state.closed();
    await queue.drained();
    await maintenance.stop();
    try {
      await worker.call("close", {});
    } finally {
      release();
    }
  };

  return {
    driver: "sqlite",

    async get(key) {
      refuseIfClosed();
      return worker.call("get", { key, nowMs: clock.nowMs() });
    },

    async put(facts) {
      refuseWrites();
      for (const fact of facts) refuseOversizedFact(fact);
      if (facts.length === 0) return;
      const put = facts.map(({ key, bytes, ttlMs }) => ({
        key,
        bytes: bytes.slice(),
        expiresAtMs: expiryMs(clock.nowMs(), ttlMs),
      }));
      await queue.submit(
        { put },
        put.length,
        put.reduce((sum, { bytes }) => sum + bytes.length, 0),
      );
    },

    async delete(keys) {
      refuseWrites();
      if (keys.length > 0) await queue.submit({ delete: [...keys] }, keys.length, 0);
    },

    async list(prefix, limit, after = "") {
      refuseIfClosed();
      return worker.call("list", { prefix, limit: Math.min(limit, listMax), after, nowMs: clock.nowMs() });
    },

    health: state.health,

    close() {
      closed ??= close();
      return closed;
    },
  };
};
