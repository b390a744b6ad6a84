/** What the log lets go of, a chunk at a time: records past their age that every known group is done with, and superseded ones. */
import type { Database } from "bun:sqlite";
import { type Catalog, idsTable, type Partition } from "./catalog.ts";

const chunkRecords = 500;
const chunkBytes = 16 * 1_048_576;
/** A group that is here is noted as seen so often. */
const seenEveryMs = 3_600_000;

export type Retention = {
  /** Removes one chunk, and says whether it found any. */
  readonly pruneChunk: (args: { readonly nowMs: number; readonly full: boolean; readonly groupsSinceMs: number }) => boolean;
  readonly keepGroup: (topic: number, group: string, nowMs: number) => void;
};

export const createRetention = (database: Database, catalog: Catalog): Retention => {
  /** Where the last chunk was found: the search goes on there. */
  let cursor = 0;

  const lowest = database.prepare<{ offset: number | null }, [number, number, number]>(
    `SELECT min(coalesce(commits.offset, 0)) AS offset FROM groups
       LEFT JOIN commits ON commits.topic = groups.topic AND commits.name = groups.name AND commits.partition = ?
     WHERE groups.topic = ? AND groups.seen_ms >= ?`,
  );
  const see = database.prepare<unknown, [number, number, string, number]>(
    "UPDATE groups SET seen_ms = ? WHERE topic = ? AND name = ? AND seen_ms < ?",
  );
  const setNext = database.prepare<unknown, [number, number, number]>(
    "UPDATE partitions SET next = ? WHERE topic = ? AND partition = ?",
  );

  /** Records below it may go: all known groups are done with them. */
  const floorOf = ({ topic, partition, next }: Partition, groupsSinceMs: number): number =>
    lowest.get(partition, topic.number, groupsSinceMs)?.offset ?? next;

  /** Removes the first records below `floor` that are older than `beforeMs`. */
  const removeOldest = (log: Partition, floor: number, beforeMs: number): boolean => {
    const first = log.sizes.get(0, 1);
    if (first === null || first.offset >= floor || first.at_ms >= beforeMs) return false;
    let last = -1;
    let bytes = 0;
    for (const { offset, at_ms, size } of log.sizes.all(0, chunkRecords)) {
      if (offset >= floor || at_ms >= beforeMs || bytes > chunkBytes) break;
      last = offset;
      bytes += size;
    }
    remove(log, `offset <= ${last}`);
    return true;
  };

  const remove = (log: Partition, where: string) => {
    // Offsets are never used again, even when the table is empty.
    setNext.run(log.next, log.topic.number, log.partition);
    database.run(`DELETE FROM ${idsTable(log.topic.number)} WHERE id IN (SELECT id FROM ${log.table} WHERE ${where})`);
    database.run(`DELETE FROM ${log.table} WHERE ${where}`);
  };

  const compact = (log: Partition): boolean => {
    if (log.compactedTo === log.next) return false;
    const superseded = database
      .query<{ offset: number }, [number]>(
        `SELECT old.offset FROM ${log.table} AS old WHERE EXISTS
           (SELECT 1 FROM ${log.table} AS young WHERE young.key = old.key AND young.offset > old.offset) LIMIT ?`,
      )
      .all(chunkRecords);
    if (superseded.length < chunkRecords) log.compactedTo = log.next;
    if (superseded.length === 0) return false;
    remove(log, `offset IN (${superseded.map(({ offset }) => offset).join()})`);
    return true;
  };

  const pruneByAge = (nowMs: number, groupsSinceMs: number): boolean => {
    const partitions = catalog.partitions();
    for (let step = 0; step < partitions.length; step++) {
      const index = (cursor + step) % partitions.length;
      const log = partitions[index];
      if (log === undefined) continue;
      const { retentionMs } = log.topic;
      const found = retentionMs === null ? compact(log) : removeOldest(log, floorOf(log, groupsSinceMs), nowMs - retentionMs);
      if (!found) continue;
      cursor = index;
      return true;
    }
    return false;
  };

  /** Removes from the partition whose oldest removable record is the oldest of all. */
  const pruneBySize = (groupsSinceMs: number): boolean => {
    let oldest: { readonly log: Partition; readonly floor: number; readonly atMs: number } | null = null;
    for (const log of catalog.partitions()) {
      if (log.topic.retentionMs === null) continue;
      const floor = floorOf(log, groupsSinceMs);
      const first = log.sizes.get(0, 1);
      if (first === null || first.offset >= floor) continue;
      if (oldest === null || first.at_ms < oldest.atMs) oldest = { log, floor, atMs: first.at_ms };
    }
    return oldest !== null && removeOldest(oldest.log, oldest.floor, Number.POSITIVE_INFINITY);
  };

  return {
    pruneChunk: ({ nowMs, full, groupsSinceMs }) => pruneByAge(nowMs, groupsSinceMs) || (full && pruneBySize(groupsSinceMs)),
    keepGroup: (topic, group, nowMs) => void see.run(nowMs, topic, group, nowMs - seenEveryMs),
  };
};
