/**
 * Snappy for kafkajs, which leaves compression to add-ons. Clients write a batch as one block (librdkafka, Go, ours) or as
 * blocks behind the header of xerial's snappy-java (Java).
 */
import { compressSync, uncompressSync } from "snappy";

/** A mark of eight bytes, then the version and the lowest one that can read it. */
const xerialMark = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const xerialHeaderBytes = 16;
const lengthBytes = 4;

const blockOf = (compressed: Buffer): Buffer => {
  const plain = uncompressSync(compressed);
  // Bun takes an empty buffer of a native library for a detached one.
  return plain.length === 0 ? Buffer.alloc(0) : typeof plain === "string" ? Buffer.from(plain) : plain;
};

/** Throws where a block is cut short or is none. */
const blocksOf = (framed: Buffer): Buffer => {
  const blocks: Buffer[] = [];
  for (let at = xerialHeaderBytes; at < framed.length; ) {
    const end = at + lengthBytes + framed.readUInt32BE(at);
    if (end > framed.length) throw new Error(`a block of snappy ends at byte ${end} of ${framed.length}`);
    blocks.push(blockOf(framed.subarray(at + lengthBytes, end)));
    at = end;
  }
  return Buffer.concat(blocks);
};

/** Batches are small: on this thread they take less than the way to another one. */
export const snappyCodec = () => ({
  compress: async ({ buffer }: { readonly buffer: Buffer }): Promise<Buffer> => compressSync(buffer),
  decompress: async (buffer: Buffer): Promise<Buffer> =>
    buffer.subarray(0, xerialMark.length).equals(xerialMark) ? blocksOf(buffer) : blockOf(buffer),
});
