/** Which partition a key belongs to: the same in every driver, and the same as Kafka's Java client chooses. */

const seed = 0x9747b28c;
const multiplier = 0x5bd1e995;
const encoder = new TextEncoder();
/** Room for the keys of records; a longer one gets its own. */
const scratch = new Uint8Array(1_536);

/** MurmurHash2, 32 bits, as in Kafka's `org.apache.kafka.common.utils.Utils.murmur2`; a signed integer. */
export const murmur2 = (bytes: Uint8Array, length: number = bytes.length): number => {
  const byte = (at: number): number => bytes[at] ?? 0;
  const whole = length & ~3;
  let hash = seed ^ length;
  for (let at = 0; at < whole; at += 4) {
    let word = byte(at) | (byte(at + 1) << 8) | (byte(at + 2) << 16) | (byte(at + 3) << 24);
    word = Math.imul(word, multiplier);
    word = Math.imul(word ^ (word >>> 24), multiplier);
    hash = Math.imul(hash, multiplier) ^ word;
  }
  const rest = length - whole;
  if (rest > 0) {
    for (let index = rest - 1; index >= 0; index--) hash ^= byte(whole + index) << (8 * index);
    hash = Math.imul(hash, multiplier);
  }
  hash = Math.imul(hash ^ (hash >>> 13), multiplier);
  return hash ^ (hash >>> 15);
};

/** The partition of a key: `toPositive(murmur2(key)) % partitions`. */
export const partitionOf = (key: string, partitions: number): number => {
  const fits = key.length * 3 <= scratch.length;
  const hash = fits ? murmur2(scratch, encoder.encodeInto(key, scratch).written) : murmur2(encoder.encode(key));
  return (hash & 0x7fff_ffff) % partitions;
};
