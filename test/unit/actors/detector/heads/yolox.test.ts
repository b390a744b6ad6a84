import { expect, test } from "bun:test";
import { cellCount } from "../../../../../actors/detector/heads/head.ts";
import { decodeYolox } from "../../../../../actors/detector/heads/yolox.ts";

const classCount = 3;
const width = 5 + classCount;
const options = { inputSize: 64, classCount, wanted: [0, 2], threshold: 0.35 };
// 64 / 8 = 8 → 64 cells, 64 / 16 = 4 → 16, 64 / 32 = 2 → 4.
const cells = cellCount(64, [8, 16, 32]);

const output = (rows: Readonly<Record<number, readonly number[]>>) => {
  const data = new Float32Array(cells * width);
  for (const [cell, row] of Object.entries(rows)) data.set(row, Number(cell) * width);
  return [{ name: "output", dims: [1, cells, width], data }];
};

test("a cell's place and stride come from its number, its size from the exponential", () => {
  // Stride 16, row 1, column 2: number 64 + 1 × 4 + 2. Centre ((2 + 0.5) × 16, (1 + 0.25) × 16), size (e⁰ × 16, 2 × 16).
  const found = decodeYolox(output({ 70: [0.5, 0.25, 0, Math.log(2), 0.8, 0.1, 0.9, 0.75] }), options);
  expect(found).toHaveLength(1);
  expect(found[0]?.classIndex).toBe(2);
  expect(found[0]?.confidence).toBeCloseTo(0.6, 5);
  expect(found[0]?.box.map((side) => Math.round(side * 1000) / 1000)).toEqual([32, 4, 48, 36]);
});

test("the last cell is the lower right one of the coarsest grid", () => {
  const found = decodeYolox(output({ 83: [0.5, 0.5, 0, 0, 1, 1, 0, 0] }), options);
  expect(found.map(({ box }) => box)).toEqual([[32, 32, 64, 64]]);
});

test("objectness times class decides, and unwanted classes are not seen", () => {
  const found = decodeYolox(
    output({ 0: [0, 0, 0, 0, 0.5, 0.6, 0, 0], 1: [0, 0, 0, 0, 0.9, 0, 1, 0.2], 2: [0, 0, 0, 0, 0.3, 1, 0, 0] }),
    options,
  );
  expect(found).toEqual([]);
});

test("an output for another input size is refused with both shapes", () => {
  expect(() => decodeYolox(output({}), { ...options, inputSize: 96 })).toThrow(
    /output \[1, 84, 8\].*\[1, 189, 8\] at input size 96/,
  );
});
