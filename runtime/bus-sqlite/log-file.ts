/** The embedded log on its file. Synchronous, and without a clock of its own: it runs in the bus's Worker. */
import type { Database } from "bun:sqlite";
import type { TopicState } from "../bus.ts";
import { type PlaceRecord, placeBatch } from "./batch.ts";
import type { LogCalls, OffsetCommit } from "./calls.ts";
import { createCatalog, type Ids, type Partition, type RecordRow } from "./catalog.ts";
import { packRead } from "./columns.ts";
import { createRetention } from "./retention.ts";

export type LogFile = Pick<LogCalls, "ensure" | "read" | "offsetAt" | "states" | "committed" | "join" | "write"> & {
  readonly prune: (args: Parameters<LogCalls["prune"]>[0]) => boolean;
  readonly usedBytes: () => number;
  /** Reads and writes what a start and the first append need, and leaves the file as it was: throws where it is damaged. */
  readonly tryOut: (nowMs: number) => void;
};

export const createLogFile = (database: Database): LogFile => {
  const catalog = createCatalog(database);
  const retention = createRetention(database, catalog);
  const begin = database.prepare("BEGIN IMMEDIATE");
  const commit = database.prepare("COMMIT");
  const pages = database.prepare<{ page_count: number }, []>("PRAGMA page_count");
  const freePages = database.prepare<{ freelist_count: number }, []>("PRAGMA freelist_count");
  const pageBytes = database.query<{ page_size: number }, []>("PRAGMA page_size").get()?.page_size ?? 0;

  const commitOffset = database.prepare<unknown, [number, string, number, number]>(
    `INSERT INTO commits VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET offset = excluded.offset WHERE excluded.offset > offset`,
  );
  const seeGroup = database.prepare<unknown, [number, string, number]>(
    "INSERT INTO groups VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET seen_ms = excluded.seen_ms",
  );
  const committedOf = database.prepare<{ partition: number; offset: number }, [number, string]>(
    "SELECT partition, offset FROM commits WHERE topic = ? AND name = ?",
  );

  const transaction = <Result>(work: () => Result): Result => {
    begin.run();
    try {
      const result = work();
      commit.run();
      return result;
    } catch (thrown) {
      if (database.inTransaction) database.run("ROLLBACK");
      catalog.forget();
      throw thrown;
    }
  };

  const placeOf = (nowMs: number): PlaceRecord => {
    // Neighbours are mostly of one partition.
    let log: Partition | null = null;
    let ids: Ids | null = null;
    return (topic, partition, { key, id, type, trace, bytes }) => {
      if (log === null || ids === null || log.topic.number !== topic || log.partition !== partition) {
        log = catalog.created(catalog.topic(topic), partition);
        ids = catalog.ids(log.topic);
      }
      if (ids.insert.run(id, partition, log.next).changes === 0) {
        const first = ids.find.get(id);
        return { partition: first?.partition ?? -1, offset: first?.offset ?? -1, atMs: 0, duplicate: true };
      }
      log.lastAtMs = Math.max(log.lastAtMs, nowMs);
      log.insert.run(log.next, log.lastAtMs, key, id, type, trace, bytes);
      return { partition, offset: log.next++, atMs: log.lastAtMs, duplicate: false };
    };
  };

  const commitAll = (commits: readonly OffsetCommit[]) => {
    for (const { topic, group, partition, offset } of commits) commitOffset.run(topic, group, partition, offset);
  };

  const usedBytes = () => ((pages.get()?.page_count ?? 0) - (freePages.get()?.freelist_count ?? 0)) * pageBytes;

  const oldestOf = (partition: Partition): number => partition.sizes.get(0, 1)?.offset ?? partition.next;

  return {
    ensure: ({ topics, nowMs }) =>
      transaction(() =>
        topics.map((spec) => {
          const { number, partitions } = catalog.ensure(spec);
          if (spec.group !== null) seeGroup.run(number, spec.group, nowMs);
          return { number, partitions };
        }),
      ),

    write: (batch) =>
      transaction(() => {
        const placed = placeBatch(batch, placeOf(batch.nowMs));
        commitAll(batch.commits);
        // Within the transaction, where no lock is taken for it.
        return { ...placed, usedBytes: usedBytes() };
      }),

    read({ topic, partition, offset, limit, bytesMax }) {
      const log = catalog.partition(catalog.topic(topic), partition);
      return log === null ? packRead([], 0) : packRead(rowsFrom(log, offset, limit, bytesMax), log.next);
    },

    offsetAt({ topic, partition, sinceMs }) {
      const log = catalog.partition(catalog.topic(topic), partition);
      if (log === null) return 0;
      // Times never go back within a partition; offsets may have gaps, so each probe takes the record at or after the middle.
      let low = oldestOf(log);
      let high = log.next;
      while (low < high) {
        const middle = Math.floor((low + high) / 2);
        const probe = log.sizes.get(middle, 1);
        if (probe !== null && probe.at_ms < sinceMs) low = probe.offset + 1;
        else high = middle;
      }
      return log.sizes.get(low, 1)?.offset ?? log.next;
    },

    states({ topic }) {
      const { name, partitions } = catalog.topic(topic);
      return Array.from({ length: partitions }, (_, partition): TopicState => {
        const log = catalog.partition(catalog.topic(topic), partition);
        return { topic: name, partition, oldest: log ? oldestOf(log) : 0, next: log?.next ?? 0 };
      });
    },

    committed({ topic, group }) {
      const offsets = Array<number>(catalog.topic(topic).partitions).fill(0);
      for (const { partition, offset } of committedOf.all(topic, group)) offsets[partition] = offset;
      return offsets;
    },

    join: ({ topic, group, nowMs }) => void seeGroup.run(topic, group, nowMs),

    prune({ nowMs, full, groupsSinceMs, joined }) {
      // What is pruned need not be durable before the next append is.
      database.run("PRAGMA synchronous = NORMAL");
      try {
        return transaction(() => {
          for (const { topic, group } of joined) retention.keepGroup(topic, group, nowMs);
          return retention.pruneChunk({ nowMs, full, groupsSinceMs });
        });
      } finally {
        database.run("PRAGMA synchronous = FULL");
      }
    },

    usedBytes,

    tryOut(nowMs) {
      begin.run();
      try {
        for (const topic of catalog.topics()) {
          catalog.ensure(topic);
          catalog.ids(topic).insert.run("", -1, -1);
        }
        const groups = database.query<{ topic: number; name: string }, []>("SELECT topic, name FROM groups").all();
        for (const { topic, name } of groups) {
          seeGroup.run(topic, name, nowMs);
          committedOf.all(topic, name);
        }
        for (const partition of catalog.partitions()) {
          oldestOf(partition);
          partition.insert.run(partition.next, 0, "", "", "", "", new Uint8Array());
        }
        // Also takes a page, from the free ones when there are some.
        database.run("CREATE TABLE tried_out (x)");
      } finally {
        if (database.inTransaction) database.run("ROLLBACK");
        catalog.forget();
      }
    },
  };
};

/** Ends before `bytesMax` is passed, but has one row at least where there is one. */
const rowsFrom = (log: Partition, offset: number, limit: number, bytesMax: number): RecordRow[] => {
  const rows: RecordRow[] = [];
  let bytes = 0;
  for (const row of log.select.iterate(offset, limit)) {
    bytes += row.bytes.length;
    if (bytes > bytesMax && rows.length > 0) break;
    rows.push(row);
  }
  return rows;
};
