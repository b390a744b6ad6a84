/**
 * A batch as it crosses to the log's Worker and back: a structured clone costs by the value and a transfer by the buffer, so
 * all texts of a batch go as one, all numbers as one array, and all bytes in one buffer that is handed over and given back.
 */
import type { Outgoing } from "../bus.ts";
import type { Duplicate, OffsetCommit, PackedBatch, PackedWritten } from "./calls.ts";

/** One append as it waits, as it was when it was asked for: the caller's buffers may have gone elsewhere since. */
export type AppendCall = {
  readonly records: readonly Omit<Outgoing, "bytes">[];
  /** The topic of each record by its number in the file, its partition, and its bytes. */
  readonly topics: readonly number[];
  readonly partitions: readonly number[];
  readonly lengths: readonly number[];
  /** Of all records, one after the other. */
  readonly bytes: Uint8Array<ArrayBuffer>;
};

/** What the log is to write, in one transaction. */
export type WriteBatch = {
  readonly nowMs: number;
  readonly calls: readonly AppendCall[];
  readonly commits: readonly OffsetCommit[];
};

/** Topic, partition, bytes, and the lengths of key, id, type and trace. */
const numbersEach = 7;
/** Offset and time. */
const placeNumbers = 2;

export const packBatch = ({ nowMs, calls, commits }: WriteBatch): PackedBatch => {
  let count = 0;
  for (const { records } of calls) count += records.length;
  const numbers = new Uint32Array(count * numbersEach);
  let text = "";
  let at = 0;
  for (const { records, topics, partitions, lengths } of calls) {
    for (let index = 0; index < records.length; index++) {
      const record = records[index];
      if (record === undefined) continue;
      const { key, id, type, trace } = record;
      numbers[at] = topics[index] ?? 0;
      numbers[at + 1] = partitions[index] ?? 0;
      numbers[at + 2] = lengths[index] ?? 0;
      numbers[at + 3] = key.length;
      numbers[at + 4] = id.length;
      numbers[at + 5] = type.length;
      numbers[at + 6] = trace.length;
      text += key + id + type + trace;
      at += numbersEach;
    }
  }
  return { nowMs, numbers, text, bytes: joined(calls), commits };
};

/** The bytes of one call as they are, those of several in one buffer. */
const joined = (calls: readonly AppendCall[]): ArrayBuffer => {
  const [first, ...others] = calls;
  if (first !== undefined && others.length === 0) return first.bytes.buffer;
  let size = 0;
  for (const { bytes } of calls) size += bytes.length;
  const buffer = new ArrayBuffer(size);
  const all = new Uint8Array(buffer);
  let end = 0;
  for (const { bytes } of calls) {
    all.set(bytes, end);
    end += bytes.length;
  }
  return buffer;
};

/** What the log does with a record of a batch: the place where it is, and whether it was there already. */
export type Placed = { readonly partition: number; readonly offset: number; readonly atMs: number; readonly duplicate: boolean };
export type PlaceRecord = (
  topic: number,
  partition: number,
  record: Pick<Outgoing, "key" | "id" | "type" | "trace" | "bytes">,
) => Placed;

/** Gives each record of the batch its place. */
export const placeBatch = ({ numbers, text, bytes }: PackedBatch, place: PlaceRecord): Omit<PackedWritten, "usedBytes"> => {
  const count = numbers.length / numbersEach;
  const places = new Float64Array(count * placeNumbers);
  const duplicates: Duplicate[] = [];
  let at = 0;
  let textAt = 0;
  let byteAt = 0;
  const nextText = (): string => {
    const from = textAt;
    textAt += numbers[at++] ?? 0;
    return text.slice(from, textAt);
  };
  for (let index = 0; index < count; index++) {
    const topic = numbers[at++] ?? 0;
    const partition = numbers[at++] ?? 0;
    const length = numbers[at++] ?? 0;
    const view = new Uint8Array(bytes, byteAt, length);
    byteAt += length;
    const record = { key: nextText(), id: nextText(), type: nextText(), trace: nextText(), bytes: view };
    const placed = place(topic, partition, record);
    places[index * placeNumbers] = placed.offset;
    places[index * placeNumbers + 1] = placed.atMs;
    if (placed.duplicate) duplicates.push({ index, partition: placed.partition });
  }
  return { places, duplicates, bytes };
};

/** The place of the batch's record of that index. */
export const offsetOf = ({ places }: PackedWritten, index: number): number => places[index * placeNumbers] ?? -1;
export const atMsOf = ({ places }: PackedWritten, index: number): number => places[index * placeNumbers + 1] ?? 0;
