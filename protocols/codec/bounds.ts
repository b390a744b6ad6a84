/**
 * Whether bytes from outside may be decoded at all: one walk over them that makes no value, so that a small lie about a large
 * array, or arrays in arrays in arrays, costs no memory. What passes is no larger in memory than its bytes warrant.
 */
import { limits } from "./limits.ts";

type Sized = { readonly what: "string" | "bin" | "ext" | "array" | "map"; readonly lengthBytes: 1 | 2 | 4 };

/** Heads with a length behind them. */
const sized: Readonly<Record<number, Sized>> = {
  196: { what: "bin", lengthBytes: 1 },
  197: { what: "bin", lengthBytes: 2 },
  198: { what: "bin", lengthBytes: 4 },
  199: { what: "ext", lengthBytes: 1 },
  200: { what: "ext", lengthBytes: 2 },
  201: { what: "ext", lengthBytes: 4 },
  217: { what: "string", lengthBytes: 1 },
  218: { what: "string", lengthBytes: 2 },
  219: { what: "string", lengthBytes: 4 },
  220: { what: "array", lengthBytes: 2 },
  221: { what: "array", lengthBytes: 4 },
  222: { what: "map", lengthBytes: 2 },
  223: { what: "map", lengthBytes: 4 },
};
const maxOf = {
  string: limits.stringBytes,
  bin: limits.binBytes,
  ext: limits.extBytes,
  array: limits.arrayItems,
  map: limits.mapEntries,
} as const;

/** Heads of scalars from 0xc0 to 0xd8: how many bytes follow; -1 where no scalar begins. */
const scalarBytes = [0, -1, 0, 0, -1, -1, -1, -1, -1, -1, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17];

const lengthAt = (bytes: Uint8Array, at: number, size: number): number => {
  let length = 0;
  for (let index = 0; index < size; index++) length = length * 256 + (bytes[at + index] ?? 0);
  return length;
};

/** Why `bytes` are not decoded; null when they are one complete value within the limits. */
export const refusalOf = (bytes: Uint8Array): string | null => {
  const { length: end } = bytes;
  /** Of each open array or map around the current one, how many values are still to come. */
  const around: number[] = [];
  let left = 1;
  let at = 0;
  for (;;) {
    while (left === 0) {
      const outer = around.pop();
      if (outer === undefined) return at === end ? null : `${end - at} bytes behind the end of the value`;
      left = outer;
    }
    left--;
    const head = bytes[at++];
    if (head === undefined) return "cut off";
    if (head < 0x80 || head >= 0xe0) continue;

    let inside = 0;
    const { what, lengthBytes } = sized[head] ?? {};
    if (what !== undefined && lengthBytes !== undefined) {
      const length = lengthAt(bytes, at, lengthBytes);
      if (length > maxOf[what]) return `${what} of length ${length}, at most ${maxOf[what]} is taken`;
      at += lengthBytes;
      if (what === "array") inside = length;
      else if (what === "map") inside = 2 * length;
      else at += what === "ext" ? length + 1 : length;
    } else if (head < 0x90) inside = 2 * (head & 15);
    else if (head < 0xa0) inside = head & 15;
    else if (head < 0xc0) at += head & 31;
    else {
      const scalar = scalarBytes[head - 0xc0] ?? -1;
      if (scalar < 0) return `no value begins with 0x${head.toString(16)}`;
      at += scalar;
    }
    if (at + inside > end) return "cut off"; // a value has at least one byte
    if (inside === 0) continue;
    if (around.length === limits.depth) return `nested deeper than ${limits.depth}`;
    around.push(left);
    left = inside;
  }
};
