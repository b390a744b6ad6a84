/** Records as they cross to the Worker and back: columns, and all bytes of a call in one buffer that is handed over. */
import type { Appended, BusRecord, Outgoing } from "../bus.ts";
import { partitionOf } from "../partition.ts";
import { type AppendCall, atMsOf, offsetOf } from "./batch.ts";
import type { PackedWritten, ReadColumns } from "./calls.ts";

export type KnownTopic = {
  readonly name: string;
  readonly number: number;
  readonly partitions: number;
  readonly maxBytes: number;
};

/** Copies exactly the bytes of each record, which is often a view into a larger buffer. */
export const packRecords = (records: readonly Outgoing[], topicOf: (name: string) => KnownTopic): AppendCall => {
  const topics: number[] = [];
  const partitions: number[] = [];
  const lengths: number[] = [];
  let size = 0;
  for (const record of records) {
    const topic = topicOf(record.topic);
    topics.push(topic.number);
    partitions.push(partitionOf(record.key, topic.partitions));
    lengths.push(record.bytes.length);
    size += record.bytes.length;
  }
  const bytes = new Uint8Array(size);
  let end = 0;
  for (const record of records) {
    bytes.set(record.bytes, end);
    end += record.bytes.length;
  }
  return { records: [...records], topics, partitions, lengths, bytes };
};

/** Where the records of a call are, the first of which is the batch's record of index `first`. */
export const placesOf = ({ records, partitions }: AppendCall, first: number, written: PackedWritten): Appended[] => {
  const places = records.map(({ topic }, index) => ({
    topic,
    partition: partitions[index] ?? -1,
    offset: offsetOf(written, first + index),
    duplicate: false,
  }));
  for (const { index, partition } of written.duplicates) {
    const place = places[index - first];
    if (place) places[index - first] = { ...place, partition, duplicate: true };
  }
  return places;
};

/** The records of a call as readers see them, those alone that are fresh and that `wanted` asks for. */
export const appendedRecords = (
  { records, lengths }: AppendCall,
  places: readonly Appended[],
  { first, firstByte, written }: { readonly first: number; readonly firstByte: number; readonly written: PackedWritten },
  wanted: (place: Appended) => boolean,
): BusRecord[] => {
  const appended: BusRecord[] = [];
  let start = firstByte;
  let asked: Appended | null = null;
  let isWanted = false;
  for (const [index, record] of records.entries()) {
    const place = places[index];
    const length = lengths[index] ?? 0;
    if (place === undefined) continue;
    const { topic, partition, offset, duplicate } = place;
    // Neighbours are mostly of one partition.
    if (asked?.topic !== topic || asked.partition !== partition) {
      asked = place;
      isWanted = wanted(place);
    }
    if (isWanted && !duplicate) {
      const { key, id, type, trace } = record;
      const bytes = new Uint8Array(written.bytes, start, length);
      appended.push({ topic, partition, offset, appendedAtMs: atMsOf(written, first + index), key, id, type, trace, bytes });
    }
    start += length;
  }
  return appended;
};

export const unpackRecords = (topic: string, partition: number, columns: ReadColumns): BusRecord[] => {
  let start = 0;
  return columns.offsets.map((offset, index) => {
    const length = columns.lengths[index] ?? 0;
    const bytes = new Uint8Array(columns.bytes, start, length);
    start += length;
    return {
      topic,
      partition,
      offset,
      appendedAtMs: columns.atMs[index] ?? 0,
      key: columns.keys[index] ?? "",
      id: columns.ids[index] ?? "",
      type: columns.types[index] ?? "",
      trace: columns.traces[index] ?? "",
      bytes,
    };
  });
};
