/** Randomness, handed in. This file holds the project's only unseeded source. */

export type Random = {
  /** Uniform in [0, 1). */
  readonly next: () => number;
};

export const systemRandom: Random = { next: () => Math.random() };

/** Mulberry32 (Tommy Ettinger, public domain): 32 bits of state, enough for simulation and scenes, not for secrets. */
export const seededRandom = (seed: number): Random => {
  let state = seed >>> 0;
  return {
    next() {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = state;
      mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
    },
  };
};

/** An integer in [0, below). */
export const randomInt = (random: Random, below: number): number => Math.floor(random.next() * below);

const byteHex: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

const hex = (random: Random, digits: number): string => {
  let text = "";
  while (text.length < digits) {
    const bits = randomInt(random, 0x1_0000);
    text += `${byteHex[bits >>> 8]}${byteHex[bits & 255]}`;
  }
  return text.length === digits ? text : text.slice(0, digits);
};

/** UUID version 7 (RFC 9562): 48 bits of epoch milliseconds, then random bits; sorts by time. */
export const uuidV7 = (nowMs: number, random: Random): string => {
  const time = Math.floor(nowMs).toString(16).padStart(12, "0");
  const variant = (8 + randomInt(random, 4)).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8, 12)}-7${hex(random, 3)}-${variant}${hex(random, 3)}-${hex(random, 12)}`;
};

/** A W3C trace id: 32 hexadecimal digits, never all zero. */
export const traceId = (random: Random): string => `${hex(random, 31)}1`;
