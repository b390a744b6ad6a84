/** Our encoder and decoder of Kafka records against those of kafkajs that they replace. */
import { expect, test } from "bun:test";
import { createRequire } from "node:module";
import fc from "fast-check";
import { decodeKafkaRecord, encodeKafkaRecord } from "../../runtime/bus-kafka/record-codec.ts";

const inside = createRequire(import.meta.url);
/** The module as the package has it, whatever stands in its place by now. */
const original = (path: string) => {
  const name = inside.resolve(`kafkajs/src/protocol/recordBatch/record/v0/${path}`);
  const kept = inside.cache[name];
  delete inside.cache[name];
  const found = inside(name);
  if (kept) inside.cache[name] = kept;
  return found;
};
const encodeOriginal = original("index.js");
const decodeOriginal = original("decoder.js");
const Decoder = inside("kafkajs/src/protocol/decoder.js");

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const name = fc.string({ unit: "grapheme", maxLength: 20 }).filter((text) => text !== "__proto__");
const record = fc.record({
  offsetDelta: fc.nat(),
  timestampDelta: fc.integer({ min: 0, max: 2 ** 40 }),
  key: fc.option(bytes, { nil: null }),
  value: fc.option(bytes, { nil: null }),
  headers: fc.dictionary(
    name,
    fc.oneof(bytes, fc.string({ unit: "grapheme", maxLength: 20 }), fc.array(bytes, { minLength: 2, maxLength: 3 })),
  ),
});
const context = fc.record({
  firstOffset: fc.maxSafeNat().map((offset) => String(Math.floor(offset / 2 ** 12))),
  firstTimestamp: fc.nat({ max: 2 ** 42 }).map(String),
  maxTimestamp: fc.nat({ max: 2 ** 42 }).map(String),
  timestampType: fc.constantFrom(0, 1),
  isControlBatch: fc.boolean(),
  magicByte: fc.constant(2),
});

test("records are encoded byte for byte as kafkajs does", () =>
  fc.assert(
    fc.property(record, (given) => expect(encodeKafkaRecord(given).buffer).toEqual(encodeOriginal(given).buffer)),
    { numRuns: 500 },
  ));

test("records are decoded to what kafkajs finds in them", () =>
  fc.assert(
    fc.property(record, context, (given, batch) => {
      const encoded: Buffer = encodeOriginal(given).buffer;
      const body: Buffer = new Decoder(encoded).readVarIntBytes();
      expect(decodeKafkaRecord({ buffer: body }, batch)).toEqual(decodeOriginal(new Decoder(body), batch));
    }),
    { numRuns: 500 },
  ));

test("a record that was cut short is refused", () => {
  const whole = encodeKafkaRecord({ key: Buffer.from("key"), value: Buffer.from("value"), headers: { a: "b" } }).buffer;
  for (let length = 1; length < whole.length - 1; length++)
    expect(() => decodeKafkaRecord({ buffer: whole.subarray(1, length) })).toThrow(RangeError);
});
