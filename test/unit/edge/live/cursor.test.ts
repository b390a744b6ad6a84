import { expect, test } from "bun:test";
import fc from "fast-check";
import { formatCursor, parseCursor } from "../../../../edge/live/cursor.ts";

test("a position survives being written and read; partitions at 0 are left out", () => {
  const positions = fc.dictionary(
    fc.integer({ min: 0, max: 255 }).map(String),
    fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  );
  fc.assert(
    fc.property(positions, (position) => {
      expect(parseCursor(formatCursor(position))).toEqual({ ...position });
    }),
  );
});

test.each([
  ["nothing", {}, ""],
  ["partitions at their beginning", { 0: 0, 5: 0 }, ""],
  ["numbers in base 36", { 3: 36, 15: 35 }, "3.10,f.z"],
])("%s", (_what, position, text) => {
  expect(formatCursor(position)).toBe(text);
});

test.each(["3", "3.", ".5", "3.5,", "3.5;4.6", "A.5", "3.-5", "3.zzzzzzzzzzz", "3.1e99 "])("%p is no cursor", (text) => {
  expect(parseCursor(text)).toBeNull();
});
