import { expect, test } from "bun:test";
import { decodeNanodet } from "../../../../../actors/detector/heads/nanodet.ts";

const options = { inputSize: 64, classCount: 2, wanted: [0, 1], threshold: 0.35 };
const sides = [8, 4, 2];

const outputs = () =>
  sides.flatMap((side) => [
    { name: `scores${side}`, dims: [1, side * side, 2], data: new Float32Array(side * side * 2) },
    { name: `boxes${side}`, dims: [1, side * side, 44], data: new Float32Array(side * side * 44) },
  ]);

test("each side's distance is the expectation of its bins, from the middle of the cell", () => {
  const all = outputs();
  // Stride 16, row 1, column 2 of 4 × 4: centre (40, 24).
  all[2]?.data.set([0.2, 0.7], 6 * 2);
  // Left is certain of bin 2, top is torn evenly between 0 and 1, right is flat (5), bottom certain of 0.
  const bins = new Float32Array(44).fill(0);
  bins[2] = 100;
  bins.fill(-100, 11, 22);
  bins[11] = 0;
  bins[12] = 0;
  bins[33] = 100;
  all[3]?.data.set(bins, 6 * 44);
  const found = decodeNanodet(all, options);
  expect(found).toHaveLength(1);
  expect(found[0]).toMatchObject({ classIndex: 1, confidence: expect.closeTo(0.7, 5) });
  expect(found[0]?.box.map((side) => Math.round(side * 1000) / 1000)).toEqual([8, 16, 120, 24]);
});

test("the outputs are told apart by their widths, not by their order", () => {
  const all = outputs();
  all[0]?.data.set([0.9, 0], 0);
  expect(decodeNanodet(all.toReversed(), options)).toHaveLength(1);
});

test("a missing grid is refused by its expected shape", () => {
  expect(() => decodeNanodet(outputs().slice(0, 4), options)).toThrow(/NanoDet head, which expects \[1, 4, 2\]/);
});
