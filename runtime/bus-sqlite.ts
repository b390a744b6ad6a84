/**
 * The embedded log: a bus for one process, on a SQLite file that a Worker writes. What is acknowledged is on the disk.
 * Readers that keep up are handed what was just appended; the others read the file.
 */
import type { Appended, Bus, Position } from "./bus.ts";
import { createBusReaders, keepReader, type Reader } from "./bus-readers.ts";
import { type AppendCall, packBatch } from "./bus-sqlite/batch.ts";
import type { LogCalls, OffsetCommit, Opened, PackedWritten } from "./bus-sqlite/calls.ts";
import { appendedRecords, type KnownTopic, packRecords, placesOf, unpackRead } from "./bus-sqlite/columns.ts";
import { createLogState, type LogState } from "./bus-sqlite/state.ts";
import type { Clock } from "./clock.ts";
import { Fault, reasonOf } from "./errors.ts";
import type { Log } from "./log.ts";
import { refuseOversized } from "./record-limits.ts";
import { createGroupCommit } from "./sqlite/group-commit.ts";
import { lockDirectory } from "./sqlite/lock.ts";
import { startMaintenance } from "./sqlite/maintenance.ts";
import { connectWorker, type WorkerCalls } from "./sqlite/worker-calls.ts";

const fetchBytesMax = 1_048_576;
const readLimit = 1_000;
const readBytesMax = 32 * 1_048_576;
const minFreeBytesDefault = 256 * 1_048_576;
/** A group that was not here for so long no longer holds records back. */
const groupRetentionMs = 7 * 24 * 3_600_000;

export type SqliteBusOptions = {
  /** Made when missing; used by one process at a time. */
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Appends are refused from here on. */
  readonly maxBytes: number;
  /** Appends are refused while the disk has less; 256 MiB when not given. */
  readonly minFreeBytes?: number;
};

type Item = { readonly append: AppendCall } | { readonly commit: OffsetCommit };

/** Throws `StartRefused(78)` when the directory is in use or not writable, or its file is of a newer version. */
export const openSqliteBus = async (options: SqliteBusOptions): Promise<Bus> => {
  const lock = lockDirectory(options.directory);
  const state = createLogState({ minFreeBytes: minFreeBytesDefault, ...options });
  const worker = connectWorker<LogCalls>(new URL("./bus-sqlite/worker.ts", import.meta.url), state);
  try {
    const opened = await worker.call("open", { directory: options.directory, nowMs: options.clock.nowMs() });
    report(options, opened);
    state.measured(opened);
  } catch (thrown) {
    worker.end();
    lock.release();
    throw thrown;
  }
  return createBus(options, state, worker, () => {
    worker.end();
    lock.release();
  });
};

const report = ({ directory, log }: SqliteBusOptions, opened: Opened) => {
  if (!opened.unclean && opened.damaged === null) return;
  const { damaged, reason, kept, lost, checkMs } = opened;
  if (damaged === null) log.info("bus.unclean-stop", { directory, checkMs, damaged: false });
  else
    log.warn("bus.unclean-stop", {
      directory,
      checkMs,
      damaged: true,
      reason,
      setAside: damaged,
      recordsKept: kept,
      partitionsCut: lost,
    });
};

const createBus = (
  { clock, log }: SqliteBusOptions,
  state: LogState,
  worker: WorkerCalls<LogCalls>,
  release: () => void,
): Bus => {
  const topics = new Map<string, KnownTopic>();
  const consumers = new Set<Reader>();
  let closed: Promise<void> | null = null;

  const topicOf = (name: string): KnownTopic => {
    const found = topics.get(name);
    if (!found) throw new Fault("not_found", `topic ${name} is unknown to the bus: ensure it first`);
    return found;
  };
  const refuseIfClosed = () => {
    if (closed !== null) throw new Fault("unavailable", "the bus is closed");
  };

  const write = async (items: readonly Item[]): Promise<readonly (readonly Appended[])[]> => {
    const batch = packBatch({
      nowMs: clock.nowMs(),
      calls: items.flatMap((item) => ("append" in item ? [item.append] : [])),
      commits: items.flatMap((item) => ("commit" in item ? [item.commit] : [])),
    });
    try {
      const written = await worker.call("write", batch, [batch.bytes]);
      maintenance.written();
      state.wrote(written.usedBytes);
      let first = 0;
      let firstByte = 0;
      return items.map((item) => {
        if ("commit" in item) return [];
        const places = appended(item.append, first, firstByte, written);
        first += item.append.records.length;
        for (const length of item.append.lengths) firstByte += length;
        return places;
      });
    } catch (thrown) {
      state.failed(reasonOf(thrown));
      throw thrown;
    }
  };

  const appended = (call: AppendCall, first: number, firstByte: number, written: PackedWritten): readonly Appended[] => {
    const places = placesOf(call, first, written);
    const records = appendedRecords(call, places, { first, firstByte, written }, ({ topic, partition }) =>
      readers.has(topic, partition),
    );
    for (const [, [first, ...rest]] of Map.groupBy(records, ({ topic, partition }) => `${topic}/${partition}`)) {
      if (first === undefined) continue;
      readers.grown(first.topic, first.partition, (rest.at(-1) ?? first).offset + 1, [first, ...rest]);
    }
    return places;
  };

  const queue = createGroupCommit(write, setImmediate);

  const committed = async (topic: string, group: string): Promise<readonly number[]> => {
    queue.flush();
    return worker.call("committed", { topic: topicOf(topic).number, group });
  };
  const fetch = async (topic: string, partition: number, offset: number, limit: number, bytesMax: number) => {
    const read = await worker.call("read", { topic: topicOf(topic).number, partition, offset, limit, bytesMax });
    return { records: unpackRead(topic, partition, read), next: read.next };
  };

  const readers = createBusReaders({
    partitions: (topic) => topicOf(topic).partitions,
    fetch: (topic, partition, offset, limit) => fetch(topic, partition, offset, limit, fetchBytesMax),
    ends: async (topic) => (await worker.call("states", { topic: topicOf(topic).number })).map(({ next }) => next),
    committed: async (topic, group, partition) => (await committed(topic, group))[partition] ?? 0,
    async commit(topic, group, partition, offset) {
      await queue.submit({ commit: { topic: topicOf(topic).number, group, partition, offset } }, 1, 0);
    },
    clock,
    log,
    defer: setImmediate,
  });

  const maintenance = startMaintenance({
    clock,
    isQuiet: queue.isQuiet,
    async prune() {
      const { more, ...space } = await worker.call("prune", {
        nowMs: clock.nowMs(),
        full: state.isFilling(),
        groupsSinceMs: clock.nowMs() - groupRetentionMs,
        joined: readers.joined().map(({ topic, group }) => ({ topic: topicOf(topic).number, group })),
      });
      state.measured(space);
      return more;
    },
    checkpoint: () => worker.call("checkpoint", {}),
    failed: (reason) => log.warn("bus.append-failed", { driver: "sqlite", work: "maintenance", reason }),
  });

  /** Closing stops those that are kept. */
  const kept = async (consumer: Reader): Promise<Reader> => {
    if (closed !== null) {
      await consumer.stop();
      refuseIfClosed();
    }
    return keepReader(consumers, consumer);
  };

  const close = async () => {
    state.closing();
    await queue.drained();
    await Promise.all([...consumers].map((consumer) => consumer.stop()));
    await queue.drained();
    await maintenance.stop();
    // A Worker that is gone already has nothing to close.
    await worker.call("close", {}).catch((thrown) => log.warn("bus.away", { driver: "sqlite", reason: reasonOf(thrown) }));
    release();
  };

  return {
    driver: "sqlite",

    async ensure(definitions) {
      refuseIfClosed();
      const specs = definitions.map(({ name, partitions, retentionMs, group }) => ({ name, partitions, retentionMs, group }));
      const answers = await worker.call("ensure", { topics: specs, nowMs: clock.nowMs() });
      const fresh = definitions.filter(({ name }) => !topics.has(name)).map(({ name }) => name);
      for (const [index, { number, partitions }] of answers.entries()) {
        const definition = definitions[index];
        if (definition) topics.set(definition.name, { name: definition.name, number, partitions, maxBytes: definition.maxBytes });
      }
      if (fresh.length > 0) log.info("bus.ready", { driver: "sqlite", topics: fresh });
    },

    async append(records) {
      refuseIfClosed();
      for (const record of records) refuseOversized(record, topicOf(record.topic).maxBytes);
      const refusal = state.refusal();
      if (refusal !== null) throw new Fault("unavailable", refusal);
      if (records.length === 0) return [];
      const append = packRecords(records, topicOf);
      return queue.submit({ append }, records.length, append.bytes.length);
    },

    async consume(topic, group, events) {
      refuseIfClosed();
      await worker.call("join", { topic: topicOf(topic).number, group, nowMs: clock.nowMs() });
      return kept(readers.consume(topic, group, events));
    },

    async follow(topic, from, record) {
      refuseIfClosed();
      return kept(await readers.follow(topic, from, record));
    },

    read: async (topic, partition, offset, limit) =>
      (await fetch(topic, partition, offset, Math.min(limit, readLimit), readBytesMax)).records,
    offsetAt: async (topic, partition, sinceMs) => worker.call("offsetAt", { topic: topicOf(topic).number, partition, sinceMs }),
    states: async (topic) => worker.call("states", { topic: topicOf(topic).number }),
    committed: async (topic, group): Promise<Position> => ({ ...(await committed(topic, group)) }),
    health: state.health,

    close() {
      closed ??= close();
      return closed;
    },
  };
};
