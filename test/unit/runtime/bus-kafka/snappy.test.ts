import { expect, test } from "bun:test";
import fc from "fast-check";
import inJavaScript from "kafkajs-snappy";
import { snappyCodec } from "../../../../runtime/bus-kafka/snappy.ts";

const codec = snappyCodec();
const other = inJavaScript();
/** Texts that repeat, bytes that do not. */
const content = fc
  .array(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.constant(new TextEncoder().encode("camera-17 "))), { maxLength: 20 })
  .map((parts) => Buffer.concat(parts));
const lengthOf = (block: Buffer) => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(block.length);
  return length;
};
const header = Buffer.from([0x82, ...Buffer.from("SNAPPY"), 0, 0, 0, 0, 1, 0, 0, 0, 1]);
const framed = async (parts: readonly Buffer[]) => {
  const blocks = await Promise.all(parts.map((buffer) => codec.compress({ buffer })));
  return Buffer.concat([header, ...blocks.flatMap((block) => [lengthOf(block), block])]);
};

test("what one of the two compresses the other reads", async () => {
  const property = fc.asyncProperty(content, async (buffer) => {
    expect((await codec.decompress(await other.compress({ buffer }))).equals(buffer)).toBe(true);
    expect(Buffer.from(await other.decompress(await codec.compress({ buffer }))).equals(buffer)).toBe(true);
  });
  await fc.assert(property);
});

test("the blocks of a Java client are read as one batch", async () => {
  const property = fc.asyncProperty(fc.array(content, { maxLength: 4 }), async (parts) => {
    expect((await codec.decompress(await framed(parts))).equals(Buffer.concat(parts))).toBe(true);
  });
  await fc.assert(property);
});

test("a batch that is cut short or is no snappy is an error, not an empty one", async () => {
  const batch = await framed([Buffer.from("one"), Buffer.from("two")]);
  for (const length of [17, 19, 21, batch.length - 1]) expect(codec.decompress(batch.subarray(0, length))).rejects.toThrow();
  expect(codec.decompress(Buffer.from("garbage"))).rejects.toThrow("snappy");
});
