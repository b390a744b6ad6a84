/** Our encoder of Kafka records and our decoder of their batches against those of kafkajs that they replace. */
import { expect, test } from "bun:test";
import { createRequire } from "node:module";
import fc from "fast-check";
import { batchDecoder, type FetchedRecord, lighterBatch } from "../../runtime/bus-kafka/batch-codec.ts";
import { encodeKafkaRecord } from "../../runtime/bus-kafka/record-codec.ts";

const inside = createRequire(import.meta.url);
/** The modules as the package has them, whatever stands in their places by now; each may ask for those before it. */
const originals = (paths: readonly string[]) => {
  const names = paths.map((path) => inside.resolve(`kafkajs/src/${path}`));
  const kept = names.map((name) => inside.cache[name]);
  for (const name of names) delete inside.cache[name];
  const found = names.map((name) => inside(name));
  for (const [index, name] of names.entries()) {
    const module = kept[index];
    if (module) inside.cache[name] = module;
    else delete inside.cache[name];
  }
  return found;
};
const [encodeOriginal, , decodeOriginal, Batch] = originals([
  "protocol/recordBatch/record/v0/index.js",
  "protocol/recordBatch/record/v0/decoder.js",
  "protocol/recordBatch/v0/decoder.js",
  "consumer/batch.js",
]);
const { RecordBatch } = inside("kafkajs/src/protocol/recordBatch/v0/index.js");
const { lookupCodecByAttributes } = inside("kafkajs/src/protocol/message/compression/index.js");
const Decoder = inside("kafkajs/src/protocol/decoder.js");
const partial = (text: string) => Object.assign(new Error(text), { name: "KafkaJSPartialMessageError" });
const decode = batchDecoder({ codecOf: lookupCodecByAttributes, partial });
const LighterBatch = lighterBatch(Batch);

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const name = fc.string({ unit: "grapheme", maxLength: 20 }).filter((text) => !(text in {})); // kafkajs keeps headers in an object like any other
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
const batch = fc.record({
  records: fc.array(record, { maxLength: 5 }),
  compression: fc.constantFrom<number[]>(0, 1),
  firstOffset: fc.maxSafeNat().map((offset) => BigInt(Math.floor(offset / 2 ** 12))),
  firstTimestamp: fc.nat({ max: 2 ** 42 }),
  maxTimestamp: fc.nat({ max: 2 ** 42 }),
  producerId: fc.nat(),
  firstSequence: fc.nat({ max: 2 ** 30 }),
  transactional: fc.boolean(),
});
type BatchOf = typeof batch extends fc.Arbitrary<infer Of> ? Of : never;

const control = 0x20;
const logAppendTime = 0x08;
/** As a broker sends it: the first offset and two of the attributes are its own. */
const encodeBatch = async (
  { firstOffset, records, ...rest }: BatchOf,
  flags = 0,
  encode: (record: never) => unknown = encodeOriginal,
): Promise<Buffer> => {
  const encoded = await RecordBatch({ ...rest, records: records.map((each) => encode(each as never)) });
  const { buffer }: { buffer: Buffer } = encoded;
  buffer.writeBigInt64BE(firstOffset, 0);
  buffer.writeInt16BE(buffer.readInt16BE(21) | flags, 21);
  return buffer;
};
/** The getters' answers beside what is no getter. */
const plain = (each: FetchedRecord) => ({
  ...{ magicByte: each.magicByte, attributes: each.attributes, timestamp: each.timestamp, offset: each.offset },
  ...{ key: each.key, value: each.value, headers: each.headers, isControlRecord: each.isControlRecord },
  batchContext: each.batchContext,
});

test("records are encoded byte for byte as kafkajs does", () =>
  fc.assert(
    fc.property(record, (given) => expect(encodeKafkaRecord(given).buffer).toEqual(encodeOriginal(given).buffer)),
    { numRuns: 500 },
  ));

test("batches are decoded to what kafkajs finds in them", () =>
  fc.assert(
    fc.asyncProperty(batch, fc.constantFrom(0, control, logAppendTime), async (given, flags) => {
      const buffer = await encodeBatch(given, flags);
      const [ours, theirs] = [new Decoder(buffer), new Decoder(buffer)];
      const { records, ...context } = await decode(ours);
      const expected = await decodeOriginal(theirs);
      expect({ ...context, records: records.map(plain) }).toEqual({ ...expected, magicByte: 2 });
      expect(ours.offset).toBe(theirs.offset);
      for (const each of records) {
        expect(each.keyText()).toBe(each.key?.toString() ?? "");
        expect(each.copyOfValue()).toEqual(new Uint8Array(each.value ?? []));
        expect([String(each.offsetNumber), String(each.timestampMs)]).toEqual([each.offset, each.timestamp]);
      }
    }),
    { numRuns: 300 },
  ));

test("single headers are found as by name, the first of several", () =>
  fc.assert(
    fc.asyncProperty(batch, fc.array(name, { maxLength: 3 }), async (given, others) => {
      const { records } = await decode(new Decoder(await encodeBatch(given)));
      for (const each of records) {
        const { headers } = each;
        const names = [...new Set([...Object.keys(headers), ...others])];
        const usual = { bytes: Buffer.from("usual"), text: "usual" };
        const texts = each.texts(names.map((text) => ({ name: Buffer.from(text), usual })));
        const firstOf = (header: (typeof headers)[string] | undefined) => (Array.isArray(header) ? header[0] : header);
        expect(texts).toEqual(names.map((text) => firstOf(headers[text])?.toString() ?? null));
      }
    }),
    { numRuns: 200 },
  ));

test("a header with its usual value, one without a value and one that only begins alike", async () => {
  const headers = { kind: Buffer.from("usual"), kinder: Buffer.from("x"), none: [null, Buffer.from("late")] };
  const record = { offsetDelta: 0, timestampDelta: 0, key: null, value: null, headers };
  const rest = { compression: 0, firstTimestamp: 0, maxTimestamp: 0, producerId: 1, firstSequence: 0, transactional: false };
  const batch = { ...rest, firstOffset: 0n, records: [record as never] }; // kafkajs's own encoder takes no null
  const { records } = await decode(new Decoder(await encodeBatch(batch, 0, encodeKafkaRecord)));
  const wanted = ["kind", "none", "kin"].map((text) => ({
    name: Buffer.from(text),
    usual: { bytes: Buffer.from("usual"), text: "as always" },
  }));
  expect(records[0]?.texts(wanted)).toEqual(["as always", null, null]);
});

test("a batch gives the records that kafkajs's gives, from the offset that was asked for", () =>
  fc.assert(
    fc.asyncProperty(batch, fc.nat({ max: 6 }), fc.boolean(), fc.boolean(), async (given, ahead, isControl, isAborted) => {
      const offsets = given.records.map((each, offsetDelta) => ({ ...each, offsetDelta }));
      const buffer = await encodeBatch({ ...given, records: offsets }, isControl ? control : 0);
      const from = String(given.firstOffset + BigInt(ahead));
      const answer = (messages: unknown) => ({
        ...{ partition: 3, highWatermark: String(given.firstOffset + 99n), messages },
        abortedTransactions: isAborted ? [{ producerId: String(given.producerId), firstOffset: String(given.firstOffset) }] : [],
      });
      const ours = new LighterBatch("t", from, answer((await decode(new Decoder(buffer))).records) as never) as typeof Batch; // made of it
      const theirs = new Batch("t", from, answer((await decodeOriginal(new Decoder(buffer))).records));
      expect(ours.messages.map(plain)).toEqual(theirs.messages);
      for (const ask of ["isEmpty", "isEmptyIncludingFiltered", "isEmptyDueToFiltering", "isEmptyControlRecord", "firstOffset"])
        expect(ours[ask]()).toEqual(theirs[ask]());
      for (const ask of ["isEmptyDueToLogCompactedMessages", "lastOffset", "offsetLag", "offsetLagLow"])
        expect(ours[ask]()).toEqual(theirs[ask]());
    }),
    { numRuns: 300 },
  ));

test("a batch that was cut short is the beginning of one that comes again, a record that was cut short is refused", async () => {
  const rest = { compression: 0, firstTimestamp: 0, maxTimestamp: 0, producerId: 1, firstSequence: 0, transactional: false };
  const record = { offsetDelta: 0, timestampDelta: 0, key: Buffer.from("key"), value: Buffer.from("value"), headers: { a: "b" } };
  const whole = await encodeBatch({ ...rest, firstOffset: 0n, records: [record] });
  for (let length = 12; length < whole.length; length++)
    await expect(decode(new Decoder(whole.subarray(0, length)))).rejects.toThrow("is cut");
  for (let length = 61; length < whole.length; length++) {
    const cut = Buffer.from(whole.subarray(0, length));
    cut.writeInt32BE(length - 12, 8);
    await expect(decode(new Decoder(cut))).rejects.toThrow(RangeError);
  }
});
