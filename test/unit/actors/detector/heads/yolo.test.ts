import { expect, test } from "bun:test";
import { decodeYolov5, decodeYolov8 } from "../../../../../actors/detector/heads/yolo.ts";

const options = { inputSize: 640, classCount: 80, wanted: [0, 2], threshold: 0.35 };

/** Rows of x, y, w, h and scores, as columns. */
const transposed = (rows: readonly (readonly number[])[]) => {
  const data = new Float32Array(84 * rows.length);
  rows.forEach((row, index) => {
    row.forEach((number, column) => {
      data[column * rows.length + index] = number;
    });
  });
  return [{ name: "output0", dims: [1, 84, rows.length], data }];
};
const straight = (rows: readonly (readonly number[])[]) => {
  const data = new Float32Array(85 * rows.length);
  rows.forEach((row, index) => void data.set(row, index * 85));
  return [{ name: "output0", dims: [1, rows.length, 85], data }];
};

test("YOLOv8: a person of .95 and a car of .95 are just these", () => {
  const found = decodeYolov8(
    transposed([
      [100, 50, 20, 40, 0.95],
      [300, 200, 60, 30, 0.01, 0.02, 0.95],
      [0, 0, 1, 1, 0.3],
    ]),
    options,
  );
  expect(found.map(({ classIndex }) => classIndex)).toEqual([0, 2]);
  expect(found.map(({ confidence }) => Math.round(confidence * 100))).toEqual([95, 95]);
  expect(found.map(({ box }) => box)).toEqual([
    [90, 30, 110, 70],
    [270, 185, 330, 215],
  ]);
});

test("YOLOv5: the objectness column counts, and the classes start behind it", () => {
  const found = decodeYolov5(
    straight([
      [100, 50, 20, 40, 0.9, 0.95],
      [300, 200, 60, 30, 0.5, 0.1, 0, 0.9],
      [5, 5, 2, 2, 0.3, 1],
    ]),
    options,
  );
  expect(found.map(({ classIndex, confidence }) => [classIndex, Math.round(confidence * 1000)])).toEqual([
    [0, 855],
    [2, 450],
  ]);
  expect(found[0]?.box).toEqual([90, 30, 110, 70]);
});

test("each refuses the other's shape", () => {
  expect(() => decodeYolov8(straight([[0, 0, 0, 0, 1]]), options)).toThrow(/do not fit its YOLOv8 head/);
  expect(() => decodeYolov5(transposed([[0, 0, 0, 0, 1]]), options)).toThrow(/do not fit its YOLOv5 head/);
});
