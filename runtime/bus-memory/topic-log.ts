/** One topic in memory: what the embedded log keeps in a file, kept in arrays. Synchronous; knows no time but what it is told. */
import type { TopicDefinition } from "../../protocols/topic.ts";
import type { Appended, BusRecord, Outgoing, Place, TopicState } from "../bus.ts";
import { partitionOf } from "../partition.ts";
import type { Fetched } from "../partition-reader.ts";

type Partition = { records: BusRecord[]; next: number };

export type TopicLog = {
  readonly definition: TopicDefinition<never>;
  readonly append: (record: Outgoing, nowMs: number) => Appended;
  readonly read: (partition: number, offset: number, limit: number) => Fetched;
  readonly offsetAt: (partition: number, sinceMs: number) => number;
  readonly states: () => readonly TopicState[];
  readonly ends: () => readonly number[];
  readonly sizeBytes: () => number;
  /** Removes what is older than the topic keeps, below `floor`; a compacted topic has no age. */
  readonly expire: (nowMs: number, floor: (partition: number) => number) => void;
  /** When the oldest record below `floor` was appended; null when there is none. */
  readonly oldestAtMs: (floor: (partition: number) => number) => number | null;
  /** Removes the oldest record below `floor`. */
  readonly dropOldest: (floor: (partition: number) => number) => void;
};

/** Keeps the first offset from which on `holds` is true; it must not turn false again. */
const lowerBound = (records: readonly BusRecord[], holds: (record: BusRecord) => boolean): number => {
  let low = 0;
  let high = records.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const record = records[middle];
    if (record !== undefined && holds(record)) high = middle;
    else low = middle + 1;
  }
  return low;
};

export const createTopicLog = (definition: TopicDefinition<never>): TopicLog => {
  const partitions: Partition[] = Array.from({ length: definition.partitions }, () => ({ records: [], next: 0 }));
  const ids = new Map<string, Place>();
  let sizeBytes = 0;
  const compacted = definition.retentionMs === null;

  const at = (partition: number): Partition => {
    const found = partitions[partition];
    if (!found) throw new Error(`${definition.name} has ${partitions.length} partitions, no partition ${partition}`);
    return found;
  };

  const forget = (record: BusRecord) => {
    ids.delete(record.id);
    sizeBytes -= record.bytes.length;
  };

  const dropFirst = (partition: Partition, count: number) => {
    for (const record of partition.records.splice(0, count)) forget(record);
  };

  const oldestBelow = (floor: (partition: number) => number): { partition: Partition; atMs: number } | null => {
    if (compacted) return null;
    let oldest: { partition: Partition; atMs: number } | null = null;
    for (const [number, partition] of partitions.entries()) {
      const first = partition.records[0];
      if (!first || first.offset >= floor(number)) continue;
      if (!oldest || first.appendedAtMs < oldest.atMs) oldest = { partition, atMs: first.appendedAtMs };
    }
    return oldest;
  };

  return {
    definition,

    append(record, nowMs) {
      const known = ids.get(record.id);
      if (known) return { ...known, duplicate: true };
      const partition = partitionOf(record.key, partitions.length);
      const log = at(partition);
      const place: Place = { topic: definition.name, partition, offset: log.next };
      // Times never go back within a partition, so that a place can be found by time.
      const appendedAtMs = Math.max(nowMs, log.records.at(-1)?.appendedAtMs ?? 0);
      if (compacted) {
        const superseded = log.records.findIndex(({ key }) => key === record.key);
        for (const old of superseded < 0 ? [] : log.records.splice(superseded, 1)) forget(old);
      }
      log.records.push({ ...record, ...place, appendedAtMs });
      log.next++;
      ids.set(record.id, place);
      sizeBytes += record.bytes.length;
      return { ...place, duplicate: false };
    },

    read(partition, offset, limit) {
      const { records, next } = at(partition);
      const first = lowerBound(records, (record) => record.offset >= offset);
      return { records: records.slice(first, first + limit), next };
    },

    offsetAt(partition, sinceMs) {
      const { records, next } = at(partition);
      return records[lowerBound(records, (record) => record.appendedAtMs >= sinceMs)]?.offset ?? next;
    },

    states: () =>
      partitions.map(({ records, next }, partition) => ({
        topic: definition.name,
        partition,
        oldest: records[0]?.offset ?? next,
        next,
      })),

    ends: () => partitions.map(({ next }) => next),
    sizeBytes: () => sizeBytes,

    expire(nowMs, floor) {
      const { retentionMs } = definition;
      if (retentionMs === null) return;
      for (const [number, partition] of partitions.entries()) {
        const lowest = floor(number);
        const kept = ({ appendedAtMs, offset }: BusRecord) => appendedAtMs >= nowMs - retentionMs || offset >= lowest;
        dropFirst(partition, lowerBound(partition.records, kept));
      }
    },

    oldestAtMs: (floor) => oldestBelow(floor)?.atMs ?? null,

    dropOldest(floor) {
      const oldest = oldestBelow(floor);
      if (oldest) dropFirst(oldest.partition, 1);
    },
  };
};
