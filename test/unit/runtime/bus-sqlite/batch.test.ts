import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Outgoing } from "../../../../runtime/bus.ts";
import { type AppendCall, atMsOf, offsetOf, packBatch, placeBatch } from "../../../../runtime/bus-sqlite/batch.ts";
import type { PackedWritten } from "../../../../runtime/bus-sqlite/calls.ts";
import { appendedRecords, packRecords, placesOf } from "../../../../runtime/bus-sqlite/columns.ts";
import { partitionOf } from "../../../../runtime/partition.ts";

const text = fc.string({ unit: "binary", maxLength: 20 });
const record: fc.Arbitrary<Outgoing> = fc.record({
  topic: fc.constantFrom("a", "b"),
  key: text,
  id: text,
  type: text,
  trace: text,
  bytes: fc.uint8Array({ maxLength: 9 }),
});
const appends = fc.array(fc.array(record, { maxLength: 5 }), { maxLength: 4 });
const numbers: Readonly<Record<string, number>> = { a: 3, b: 70_000 };
const topicOf = (name: string) => ({ name, number: numbers[name] ?? -1, partitions: 5, maxBytes: 9 });

/** Every third record is a copy of one in partition 4; each has its index for an offset. */
const write = (calls: readonly AppendCall[]) => {
  const seen: unknown[] = [];
  const batch = structuredClone(packBatch({ nowMs: 7, calls, commits: [] }));
  const placed = placeBatch(batch, (topic, partition, { bytes, ...texts }) => {
    const duplicate = seen.length % 3 === 2;
    const offset = seen.push({ topic, partition, ...texts, bytes: [...bytes] }) - 1;
    return { partition: duplicate ? 4 : partition, offset, atMs: offset + 100, duplicate };
  });
  const written: PackedWritten = structuredClone({ ...placed, usedBytes: 1 });
  return { seen, written };
};

test("the Worker sees each record as it was when the append was asked for, whatever the texts hold", () => {
  const property = fc.property(appends, (given) => {
    const expected = given.flat().map(({ topic, bytes, ...texts }) => {
      const { number, partitions } = topicOf(topic);
      return { topic: number, partition: partitionOf(texts.key, partitions), ...texts, bytes: [...bytes] };
    });
    const calls = given.map((records) => packRecords(records, topicOf));
    for (const { bytes } of given.flat()) bytes.fill(0);
    expect(write(calls).seen).toEqual(expected);
  });
  fc.assert(property);
});

test("each append finds its own places and bytes in what the Worker answers", () => {
  const property = fc.property(appends, (given) => {
    const calls = given.map((records) => packRecords(records, topicOf));
    const { written } = write(calls);
    let first = 0;
    let firstByte = 0;
    for (const [index, records] of given.entries()) {
      const call = calls[index];
      if (call === undefined) continue;
      const places = placesOf(call, first, written);
      const expected = records.map(({ topic, key }, at) => {
        const duplicate = (first + at) % 3 === 2;
        return { topic, partition: duplicate ? 4 : partitionOf(key, 5), offset: first + at, duplicate };
      });
      expect(places).toEqual(expected);
      const fresh = appendedRecords(call, places, { first, firstByte, written }, ({ topic }) => topic === "a");
      expect(fresh.map(({ offset, appendedAtMs, bytes }) => [offset, appendedAtMs, ...bytes])).toEqual(
        records.flatMap(({ topic, bytes }, at) =>
          topic === "b" || (first + at) % 3 === 2 ? [] : [[first + at, first + at + 100, ...bytes]],
        ),
      );
      expect(records.map((_, at) => [offsetOf(written, first + at), atMsOf(written, first + at)])).toEqual(
        records.map((_, at) => [first + at, first + at + 100]),
      );
      first += records.length;
      for (const { bytes } of records) firstByte += bytes.length;
    }
  });
  fc.assert(property);
});
