/** Records as they cross to the Worker and back: those of an append as it waits, those of a read packed as a batch is. */
import type { Appended, BusRecord, Outgoing } from "../bus.ts";
import { partitionOf } from "../partition.ts";
import { type AppendCall, atMsOf, offsetOf } from "./batch.ts";
import type { PackedRead, PackedWritten } from "./calls.ts";
import type { RecordRow } from "./catalog.ts";

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

/** Offset, time, bytes, and the lengths of id, type and trace. */
const numbersEach = 6;

export const packRead = (rows: readonly RecordRow[], next: number): PackedRead => {
  let size = 0;
  for (const { bytes } of rows) size += bytes.length;
  const all = new Uint8Array(size);
  const numbers = new Float64Array(rows.length * numbersEach);
  const keys: string[] = [];
  let text = "";
  let at = 0;
  let end = 0;
  for (const { offset, at_ms, key, id, type, trace, bytes } of rows) {
    numbers[at] = offset;
    numbers[at + 1] = at_ms;
    numbers[at + 2] = bytes.length;
    numbers[at + 3] = id.length;
    numbers[at + 4] = type.length;
    numbers[at + 5] = trace.length;
    // A part of a text keeps the whole of it in memory; keys live on as names of cells.
    keys.push(key);
    text += id + type + trace;
    all.set(bytes, end);
    at += numbersEach;
    end += bytes.length;
  }
  return { numbers, keys, text, bytes: all.buffer, next };
};

export const unpackRead = (topic: string, partition: number, { numbers, keys, text, bytes }: PackedRead): BusRecord[] => {
  const records: BusRecord[] = [];
  let at = 0;
  let textAt = 0;
  let byteAt = 0;
  const next = (): number => numbers[at++] ?? 0;
  const nextText = (): string => {
    const from = textAt;
    textAt += next();
    return text.slice(from, textAt);
  };
  for (const key of keys) {
    const offset = next();
    const appendedAtMs = next();
    const length = next();
    records.push({
      topic,
      partition,
      offset,
      appendedAtMs,
      key,
      id: nextText(),
      type: nextText(),
      trace: nextText(),
      bytes: new Uint8Array(bytes, byteAt, length),
    });
    byteAt += length;
  }
  return records;
};
