/** Which partition a key belongs to: the same in every driver, and the same as Kafka's Java client chooses. */

const seed = 0x9747b28c;
const multiplier = 0x5bd1e995;
const encoder = new TextEncoder();

/** MurmurHash2, 32 bits, as in Kafka's `org.apache.kafka.common.utils.Utils.murmur2`; a signed integer. */
export const murmur2 = (bytes: Uint8Array): number => {
  const { length } = bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  const whole = length & ~3;
  let hash = seed ^ length;
  for (let at = 0; at < whole; at += 4) {
    let word = Math.imul(view.getInt32(at, true), multiplier);
    word = Math.imul(word ^ (word >>> 24), multiplier);
    hash = Math.imul(hash, multiplier) ^ word;
  }
  const rest = length - whole;
  if (rest > 0) {
    for (let index = rest - 1; index >= 0; index--) hash ^= view.getUint8(whole + index) << (8 * index);
    hash = Math.imul(hash, multiplier);
  }
  hash = Math.imul(hash ^ (hash >>> 13), multiplier);
  return hash ^ (hash >>> 15);
};

/** The partition of a key: `toPositive(murmur2(key)) % partitions`. */
export const partitionOf = (key: string, partitions: number): number => (murmur2(encoder.encode(key)) & 0x7fff_ffff) % partitions;
