import { expect, test } from "bun:test";
import { decodeCenternet } from "../../../../../actors/detector/heads/centernet.ts";

const options = { inputSize: 32, classCount: 3, wanted: [0, 2], threshold: 0.35 };
const side = 8;

const outputs = (cells: readonly (readonly [classIndex: number, row: number, column: number, heat: number])[]) => {
  const heat = new Float32Array(3 * side * side);
  for (const [classIndex, row, column, value] of cells) heat[classIndex * side * side + row * side + column] = value;
  const distances = new Float32Array(4 * side * side);
  for (let index = 0; index < 4; index++) distances.fill(index + 1, index * side * side, (index + 1) * side * side);
  return [
    { name: "wh", dims: [1, 4, side, side], data: distances },
    { name: "keypoints", dims: [1, 3, side, side], data: heat },
  ];
};

test("a peak is an object; its sides lie at the distances from four times its cell", () => {
  const found = decodeCenternet(outputs([[2, 3, 5, 0.5]]), options);
  expect(found).toEqual([{ classIndex: 2, confidence: 0.5, box: [19, 10, 23, 16] }]);
});

test("the slope around a peak is no object, a second peak two cells on is one", () => {
  const found = decodeCenternet(
    outputs([
      [0, 3, 3, 0.9],
      [0, 3, 4, 0.8],
      [0, 4, 4, 0.7],
      [0, 3, 6, 0.6],
    ]),
    options,
  );
  expect(found.map(({ confidence }) => Math.round(confidence * 10))).toEqual([9, 6]);
});

test("a peak in the corner, a weak one and one of an unwanted class", () => {
  const found = decodeCenternet(
    outputs([
      [0, 0, 0, 0.4],
      [0, 7, 7, 0.3],
      [1, 4, 4, 0.9],
    ]),
    options,
  );
  expect(found.map(({ box }) => box)).toEqual([[-1, -2, 3, 4]]);
});
