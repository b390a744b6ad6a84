/**
 * A batch as it crosses to the log's Worker and back: a structured clone costs by the value, and a string of its own some ten
 * times what its place in one text does, so all texts of a batch go as one, and all numbers as one array.
 */
import type { AppendCall, AppendedCall, Duplicate, OffsetCommit, RecordColumns } from "./calls.ts";

/** What the log is to write, in one transaction. */
export type WriteBatch = {
  readonly nowMs: number;
  readonly calls: readonly AppendCall[];
  readonly commits: readonly OffsetCommit[];
};
export type WrittenBatch = { readonly calls: readonly AppendedCall[]; readonly usedBytes: number };

export type PackedBatch = {
  readonly nowMs: number;
  /** Records of each call. */
  readonly counts: Uint32Array;
  /** Of each record: topic, partition, bytes, and the lengths of its texts. */
  readonly numbers: Uint32Array;
  /** Key, id, type and trace of each record. */
  readonly text: string;
  readonly buffers: readonly ArrayBuffer[];
  readonly commits: readonly OffsetCommit[];
};
export type PackedWritten = {
  readonly counts: Uint32Array;
  readonly offsets: Float64Array;
  readonly atMs: Float64Array;
  readonly duplicates: readonly (readonly Duplicate[])[];
  readonly buffers: readonly ArrayBuffer[];
  readonly usedBytes: number;
};

const numbersEach = 7;

const sumOf = (counts: Iterable<number>): number => {
  let sum = 0;
  for (const count of counts) sum += count;
  return sum;
};

export const packBatch = ({ nowMs, calls, commits }: WriteBatch): PackedBatch => {
  const counts = Uint32Array.from(calls, ({ records }) => records.ids.length);
  const numbers = new Uint32Array(sumOf(counts) * numbersEach);
  const texts: string[] = [];
  let at = 0;
  for (const { records } of calls) {
    const { topics, partitions, lengths, keys, ids, types, traces } = records;
    for (let index = 0; index < ids.length; index++) {
      numbers[at++] = topics[index] ?? 0;
      numbers[at++] = partitions[index] ?? 0;
      numbers[at++] = lengths[index] ?? 0;
      for (const column of [keys, ids, types, traces]) {
        const text = column[index] ?? "";
        texts.push(text);
        numbers[at++] = text.length;
      }
    }
  }
  return { nowMs, counts, numbers, text: texts.join(""), buffers: calls.map(({ bytes }) => bytes), commits };
};

export const unpackBatch = ({ nowMs, counts, numbers, text, buffers, commits }: PackedBatch): WriteBatch => {
  let at = 0;
  let start = 0;
  const next = (): number => numbers[at++] ?? 0;
  const nextText = (): string => {
    const from = start;
    start += next();
    return text.slice(from, start);
  };
  const calls = buffers.map((bytes, call): AppendCall => {
    const records: RecordColumns = { topics: [], partitions: [], keys: [], ids: [], types: [], traces: [], lengths: [] };
    for (let left = counts[call] ?? 0; left > 0; left--) {
      records.topics.push(next());
      records.partitions.push(next());
      records.lengths.push(next());
      records.keys.push(nextText());
      records.ids.push(nextText());
      records.types.push(nextText());
      records.traces.push(nextText());
    }
    return { records, bytes };
  });
  return { nowMs, calls, commits };
};

export const packWritten = ({ calls, usedBytes }: WrittenBatch): PackedWritten => {
  const counts = Uint32Array.from(calls, ({ offsets }) => offsets.length);
  const offsets = new Float64Array(sumOf(counts));
  const atMs = new Float64Array(offsets.length);
  let at = 0;
  for (const call of calls) {
    offsets.set(call.offsets, at);
    atMs.set(call.atMs, at);
    at += call.offsets.length;
  }
  const duplicates = calls.map((call) => call.duplicates);
  return { counts, offsets, atMs, duplicates, buffers: calls.map(({ bytes }) => bytes), usedBytes };
};

export const unpackWritten = ({ counts, offsets, atMs, duplicates, buffers, usedBytes }: PackedWritten): WrittenBatch => {
  let at = 0;
  const calls = buffers.map((bytes, call): AppendedCall => {
    const start = at;
    at += counts[call] ?? 0;
    return { offsets: offsets.subarray(start, at), atMs: atMs.subarray(start, at), duplicates: duplicates[call] ?? [], bytes };
  });
  return { calls, usedBytes };
};
