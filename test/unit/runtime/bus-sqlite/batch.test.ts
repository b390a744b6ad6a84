import { expect, test } from "bun:test";
import fc from "fast-check";
import { packBatch, packWritten, unpackBatch, unpackWritten, type WriteBatch } from "../../../../runtime/bus-sqlite/batch.ts";

const small = fc.nat({ max: 0xffff });
const text = fc.string({ unit: "binary", maxLength: 20 });
const records = fc.array(
  fc.record({ topic: small, partition: small, length: fc.nat(), key: text, id: text, type: text, trace: text }),
  {
    maxLength: 5,
  },
);
const call = records.map((rows) => ({
  records: {
    topics: rows.map((row) => row.topic),
    partitions: rows.map((row) => row.partition),
    lengths: rows.map((row) => row.length),
    keys: rows.map((row) => row.key),
    ids: rows.map((row) => row.id),
    types: rows.map((row) => row.type),
    traces: rows.map((row) => row.trace),
  },
  bytes: new ArrayBuffer(8),
}));
const commits = fc.array(fc.record({ topic: small, group: text, partition: small, offset: fc.nat() }), { maxLength: 2 });
const batch: fc.Arbitrary<WriteBatch> = fc.record({ nowMs: fc.nat(), calls: fc.array(call, { maxLength: 4 }), commits });

const written = fc.record({
  calls: fc.array(
    fc.array(fc.record({ offset: fc.maxSafeNat(), atMs: fc.maxSafeNat() }), { maxLength: 4 }).map((places) => ({
      offsets: places.map(({ offset }) => offset),
      atMs: places.map(({ atMs }) => atMs),
      duplicates: places.slice(0, 1).map((_, index) => ({ index, partition: 3 })),
      bytes: new ArrayBuffer(4),
    })),
    { maxLength: 4 },
  ),
  usedBytes: fc.maxSafeNat(),
});

test("what the Worker is asked arrives as it was, whatever the texts hold", () => {
  fc.assert(fc.property(batch, (given) => expect(unpackBatch(structuredClone(packBatch(given)))).toEqual(given)));
});

test("what the Worker answers arrives as it was", () => {
  fc.assert(
    fc.property(written, (given) => {
      const { calls, usedBytes } = unpackWritten(structuredClone(packWritten(given)));
      const plain = calls.map((each) => ({ ...each, offsets: Array.from(each.offsets), atMs: Array.from(each.atMs) }));
      expect({ calls: plain, usedBytes }).toEqual(given);
    }),
  );
});
