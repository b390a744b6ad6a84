/** Records as they cross to the Worker and back: columns, and all bytes of a call in one buffer that is handed over. */
import type { Appended, BusRecord, Outgoing } from "../bus.ts";
import { partitionOf } from "../partition.ts";
import type { AppendCall, AppendedCall, ReadColumns } from "./calls.ts";

export type KnownTopic = {
  readonly name: string;
  readonly number: number;
  readonly partitions: number;
  readonly maxBytes: number;
};

/** Copies exactly the bytes of each record, which is often a view into a larger buffer. */
export const packRecords = (records: readonly Outgoing[], topicOf: (name: string) => KnownTopic): AppendCall => {
  const columns: AppendCall["records"] = { topics: [], partitions: [], keys: [], ids: [], types: [], traces: [], lengths: [] };
  let size = 0;
  for (const { bytes } of records) size += bytes.length;
  const buffer = new Uint8Array(size);
  let end = 0;
  for (const { topic, key, id, type, trace, bytes } of records) {
    const { number, partitions } = topicOf(topic);
    columns.topics.push(number);
    columns.partitions.push(partitionOf(key, partitions));
    columns.keys.push(key);
    columns.ids.push(id);
    columns.types.push(type);
    columns.traces.push(trace);
    columns.lengths.push(bytes.length);
    buffer.set(bytes, end);
    end += bytes.length;
  }
  return { records: columns, bytes: buffer.buffer };
};

/** Where the records of a call are. */
export const placesOf = ({ records }: AppendCall, names: readonly string[], written: AppendedCall): Appended[] => {
  const places = names.map((topic, index) => ({
    topic,
    partition: records.partitions[index] ?? -1,
    offset: written.offsets[index] ?? -1,
    duplicate: false,
  }));
  for (const { index, partition } of written.duplicates) {
    const place = places[index];
    if (place) places[index] = { ...place, partition, duplicate: true };
  }
  return places;
};

/** The records of a call as readers see them, those alone that are fresh and that `wanted` asks for. */
export const appendedRecords = (
  { records }: AppendCall,
  places: readonly Appended[],
  { atMs, bytes }: AppendedCall,
  wanted: (place: Appended) => boolean,
): BusRecord[] => {
  const appended: BusRecord[] = [];
  let start = 0;
  for (const [index, place] of places.entries()) {
    const length = records.lengths[index] ?? 0;
    if (!place.duplicate && wanted(place))
      appended.push({
        topic: place.topic,
        partition: place.partition,
        offset: place.offset,
        appendedAtMs: atMs[index] ?? 0,
        key: records.keys[index] ?? "",
        id: records.ids[index] ?? "",
        type: records.types[index] ?? "",
        trace: records.traces[index] ?? "",
        bytes: new Uint8Array(bytes, start, length),
      });
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
