import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Partitioners } from "kafkajs";
import { murmur2, partitionOf } from "../../../runtime/partition.ts";

describe("murmur2", () => {
  // From Kafka's own UtilsTest.testMurmur2.
  test.each([
    ["21", -973932308],
    ["foobar", -790332482],
    ["a-little-bit-long-string", -985981536],
    ["a-little-bit-longer-string", -1486304829],
    ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
    ["abc", 479470107],
  ])("of %s is the Java client's", (text, hash) => {
    expect(murmur2(new TextEncoder().encode(text))).toBe(hash);
  });

  test("of a view is of the view alone", () => {
    const bytes = new TextEncoder().encode("xxfoobarxx");
    expect(murmur2(bytes.subarray(2, 8))).toBe(-790332482);
  });
});

test("the partition of any key is the one kafkajs chooses", () => {
  const partitioner = Partitioners.DefaultPartitioner();
  const property = fc.property(
    fc.oneof(
      fc.string({ unit: "binary", maxLength: 40 }),
      fc
        .tuple(fc.string({ unit: "binary", minLength: 25, maxLength: 30 }), fc.nat(40))
        .map(([text, times]) => text.repeat(times)),
    ),
    fc.integer({ min: 1, max: 64 }),
    (key, partitions) => {
      const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
        partitionErrorCode: 0,
        partitionId,
        leader: 1,
        replicas: [],
        isr: [],
      }));
      const theirs = partitioner({ topic: "t", partitionMetadata, message: { key: Buffer.from(key), value: null } });
      expect(partitionOf(key, partitions)).toBe(theirs);
    },
  );
  fc.assert(property, { numRuns: 200 });
});
